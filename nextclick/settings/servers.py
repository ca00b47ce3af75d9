"""Sections of what listens: the collector and the API, with the keys that open them, and the servers for partners and BI tools."""

from ipaddress import ip_network
from typing import Annotated, Literal

from msgspec import Meta

from nextclick.settings.value_types import Port, Positive, PositiveFloat, Section


class SiteKey(Section, frozen=True):
    """What a key that stands in pages opens."""

    site: Annotated[str, Meta(min_length=1, max_length=256)]
    origins: tuple[str, ...] = ()


class WriteKey(SiteKey, frozen=True):
    """What is sent with it; the secret key beside it lifts the limits."""

    kinds: tuple[str, ...] = ()
    users: bool | Literal["signed"] = True
    oldest_days: Annotated[float, Meta(ge=0)] = 0


class ReadKey(SiteKey, frozen=True):
    pass


class ServerSettings(Section, frozen=True):
    """What the sections of both servers, collector and API, say alike."""

    host: str
    port: Port
    workers: Annotated[int, Meta(ge=1, le=64)]
    drain_seconds: Annotated[int, Meta(ge=1, le=600)]
    body_bytes: Annotated[int, Meta(ge=1024, le=64 << 20)]
    header_bytes: Annotated[int, Meta(ge=8192, le=1 << 20)]
    header_seconds: Positive
    body_seconds: PositiveFloat
    in_flight: Annotated[int, Meta(ge=1, le=65536)]
    requests_per_second: Annotated[float, Meta(ge=0)]
    origins: tuple[str, ...]
    secret_key: str
    signing_secret: str
    metrics_host: Annotated[str, Meta(min_length=1)]
    metrics_port: Port
    tls_certificate: str
    tls_key: str

    @property
    def signs_with(self) -> str:
        """The secret that users are signed with; empty: none is."""
        return self.signing_secret or self.secret_key


class Collector(ServerSettings, frozen=True):
    sink: Literal["landing", "kafka"]
    group_milliseconds: Annotated[float, Meta(ge=0, le=100)]
    publish_seconds: Annotated[float, Meta(gt=0, le=3600)]
    unpacked_bytes: Annotated[int, Meta(ge=1024, le=256 << 20)]
    unpack_ratio: Annotated[int, Meta(ge=10, le=1032)]
    bodies_bytes: Annotated[int, Meta(ge=1 << 20)]
    json_values: Annotated[int, Meta(ge=1000)]
    public_host: Annotated[str, Meta(pattern=r"^([A-Za-z0-9.-]+(:\d{1,5})?)?$")]
    rejects_per_minute: Positive
    reject_bytes_per_minute: Annotated[int, Meta(ge=1024)]
    batch_events: Annotated[int, Meta(ge=1, le=100_000)]
    json_depth: Annotated[int, Meta(ge=4, le=200)]
    proxies: tuple[str, ...]
    write_keys_file: str
    write_keys: dict[str, WriteKey]

    def __post_init__(self) -> None:
        for proxy in self.proxies:
            try:
                ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"proxies: {error}") from error


class Serving(ServerSettings, frozen=True):
    group_milliseconds: Annotated[float, Meta(ge=0, le=1000)]
    publish_seconds: Annotated[float, Meta(gt=0, le=3600)]
    budget_milliseconds: Annotated[float, Meta(gt=0, le=10_000)]
    retry_seconds: PositiveFloat
    refresh_seconds: Annotated[float, Meta(gt=0, le=3600)]
    max_items: Annotated[int, Meta(ge=1, le=1000)]
    record: bool
    record_queue: Positive
    records_per_second: Annotated[float, Meta(ge=0)]
    read_keys_file: str
    read_keys: dict[str, ReadKey]


class SharingSettings(Section, frozen=True):
    host: str
    port: Port
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^\s?#]+)?$")]
    link_seconds: Annotated[int, Meta(ge=10, le=86_400)]
    cache_bytes: Annotated[int, Meta(ge=1 << 20)]
    tls_certificate: str
    tls_key: str


class BiSettings(Section, frozen=True):
    host: str
    port: Port
    password: str

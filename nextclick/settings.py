"""The only reader of conf/ and of the environment.

`load` merges conf/default.toml ← conf/PROFILE.toml ← NEXTCLICK_SECTION__KEY, checks
types and ranges, and returns one frozen `Settings`. Meanings and units of the keys
are the comments of conf/default.toml.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from nextclick.contracts.events import BLANKS, MOST_ID_CHARS
from nextclick.errors import SettingsError
from nextclick.lake.paths import Lake, lake_at, model_store
from nextclick.object_store.bucket import Endpoint

CHECKOUT = Path(__file__).resolve().parent.parent
DEFAULT_CONF = CHECKOUT / "conf"
_PREFIX = "NEXTCLICK_"
_SECRET_CHARS = 16
_KEYS = (("collector", "write_keys"), ("serving", "read_keys"))
"""Tables that may stand in a file of their own, which NAME_file names."""
_OF_SERVERS = ("secret_key", "signing_secret")
_SECRETS = {"collector": _OF_SERVERS, "serving": _OF_SERVERS, "bi": ("password",), "triggers": ("secret",)}

Positive = Annotated[int, Meta(ge=1)]
PositiveFloat = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Topic = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Word = Annotated[str, Meta(min_length=1, max_length=256)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


def _require_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"timezone {name!r} is no IANA time zone, such as Europe/Berlin") from error


class LandingSettings(_Section, frozen=True):
    segment_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)]
    max_event_bytes: Annotated[int, Meta(ge=256, le=16 << 20)]
    max_total_bytes: Annotated[int, Meta(ge=0)]


class SiteKey(_Section, frozen=True):
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


class RuleSettings(_Section, frozen=True):
    """Rules of every list; what a request adds comes on top."""

    hide_seen: bool
    hide_bought: bool
    only_available: bool
    per_category: Annotated[int, Meta(ge=0)]
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    boost: dict[str, Annotated[float, Meta(ge=0, le=100)]]


class AudienceRules(_Section, frozen=True):
    """Rules of lists for those who belong to an audience; what is left out is as for all."""

    hide_seen: bool | None = None
    hide_bought: bool | None = None
    only_available: bool | None = None
    per_category: Annotated[int, Meta(ge=0)] | None = None
    deny: tuple[str, ...] = ()
    boost: dict[str, Annotated[float, Meta(ge=0, le=100)]] = {}

    def on_top_of(self, rules: RuleSettings) -> RuleSettings:
        """The rules with these on top: single values win, lists add up."""
        names = ("hide_seen", "hide_bought", "only_available", "per_category")
        single = {name: value for name in names if (value := getattr(self, name)) is not None}
        deny, boost = (*rules.deny, *self.deny), rules.boost | self.boost
        return msgspec.structs.replace(rules, deny=deny, boost=boost, **single)


class ServerSettings(_Section, frozen=True):
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


class RankingSettings(_Section, frozen=True):
    candidates: Annotated[int, Meta(ge=1, le=2000)]
    last_views: Annotated[int, Meta(ge=0, le=50)]
    fresh_days: PositiveFloat
    weight_ctr: Annotated[float, Meta(ge=0)]
    weight_recency: Annotated[float, Meta(ge=0)]
    weight_category_match: Annotated[float, Meta(ge=0)]
    weight_user_interest: Annotated[float, Meta(ge=0)]
    recency_half_life_days: PositiveFloat
    habit_days: Positive
    transition_prior: PositiveFloat
    suggest_queries: Annotated[int, Meta(ge=0, le=1_000_000)]
    suggest_min_visitors: Positive
    rules: RuleSettings
    audience_rules: dict[str, AudienceRules]


class EventsSettings(_Section, frozen=True):
    future_limit_minutes: Positive
    oldest: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    max_id_chars: Annotated[int, Meta(ge=16, le=MOST_ID_CHARS)]
    max_text_chars: Annotated[int, Meta(ge=16, le=65536)]
    max_properties: Positive
    nobody: tuple[Word, ...]
    nobody_more: tuple[Word, ...]

    @property
    def nobody_words(self) -> frozenset[str]:
        """Ids that name nobody, in lower case and without blanks around: for nextclick.contracts.events.somebody."""
        return frozenset(word.strip(BLANKS).lower() for word in (*self.nobody, *self.nobody_more))


class ItemsSettings(_Section, frozen=True):
    trust: Annotated[tuple[Literal["catalogue", "server", "page"], ...], Meta(min_length=3, max_length=3)]
    servers: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.trust)) != len(self.trust):
            raise ValueError("`items.trust` names each of catalogue, server and page once")


class ConsentSettings(_Section, frozen=True):
    personalization: bool


class AccessLogsSettings(_Section, frozen=True):
    format: str
    rotate_hours: Annotated[int, Meta(ge=0, le=100_000)]
    key_days: Annotated[int, Meta(ge=1, le=3_650)]
    base_url: Annotated[str, Meta(pattern=r"^(https?://[^/\s]+)?$")]
    poll_seconds: Annotated[float, Meta(gt=0, le=60)]
    publish_seconds: Annotated[float, Meta(gt=0, le=3600)]
    quiet_seconds: Annotated[float, Meta(ge=0, le=86_400)]


class SessionsSettings(_Section, frozen=True):
    gap_minutes: Positive
    overlong_hours: Positive
    gaps: dict[Annotated[str, Meta(min_length=1, max_length=256)], Positive] = {}

    def gap_for(self, site: str) -> timedelta:
        """A longer gap between two events of a visitor opens a session on this site."""
        return timedelta(minutes=self.gaps.get(site, self.gap_minutes))

    def gap_ms_for(self, site: str) -> int:
        return self.gaps.get(site, self.gap_minutes) * 60_000

    @property
    def longest_gap(self) -> timedelta:
        """No site's gap is longer."""
        return timedelta(minutes=max([self.gap_minutes, *self.gaps.values()]))

    @property
    def overlong(self) -> timedelta:
        return timedelta(hours=self.overlong_hours)


class AttributionSettings(_Section, frozen=True):
    request_hours: Annotated[int, Meta(ge=1, le=720)]
    click_minutes: Annotated[int, Meta(ge=1, le=43_200)]
    purchase_hours: Annotated[int, Meta(ge=1, le=720)]

    @property
    def longest(self) -> timedelta:
        return max(timedelta(hours=max(self.request_hours, self.purchase_hours)), timedelta(minutes=self.click_minutes))


class Goal(_Section, frozen=True):
    """What counts as reached: an event of this kind whose properties have these values."""

    event: Annotated[str, Meta(min_length=1, max_length=256)]
    where: dict[str, str] = {}


class FunnelSettings(_Section, frozen=True):
    """A funnel that has a name: steps as `nextclick funnel` takes them."""

    steps: Annotated[tuple[str, ...], Meta(min_length=2, max_length=10)]
    within: str = "7d"


class AnalyticsSettings(_Section, frozen=True):
    timezone: str
    timezones: dict[str, str]
    engaged_seconds: Positive
    active_days: Annotated[int, Meta(ge=7, le=366)]
    lookback_days: Annotated[int, Meta(ge=1, le=366)]
    decay_days: PositiveFloat
    pages_max: Positive
    goals: dict[Name, Goal]
    funnels: dict[Name, FunnelSettings]

    def __post_init__(self) -> None:
        for zone in (self.timezone, *self.timezones.values()):
            _require_zone(zone)
        if "purchase" in self.goals:
            raise ValueError("goals: `purchase` is a goal already")

    def timezone_for(self, site: str) -> str:
        """The IANA name of the zone in which days of `site` begin and end."""
        return self.timezones.get(site, self.timezone)


class SharingSettings(_Section, frozen=True):
    host: str
    port: Port
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^\s?#]+)?$")]
    link_seconds: Annotated[int, Meta(ge=10, le=86_400)]
    cache_bytes: Annotated[int, Meta(ge=1 << 20)]
    tls_certificate: str
    tls_key: str


class StorageSettings(_Section, frozen=True):
    endpoint: Annotated[str, Meta(pattern=r"^(https?://[^\s/?#@]+)?/?$")]
    region: Annotated[str, Meta(pattern=r"^[a-z0-9-]+$")]
    beside: Word


class MlflowSettings(_Section, frozen=True):
    uri: Annotated[str, Meta(pattern=r"^((postgresql(\+psycopg)?|https?)://[^\s/]\S*)?$")]
    artifacts: str


class BiSettings(_Section, frozen=True):
    host: str
    port: Port
    password: str


class StreamingSettings(_Section, frozen=True):
    source: Literal["landing", "kafka", "bucket"]
    max_segments_per_trigger: Positive
    trigger_seconds: PositiveFloat
    later_seconds: PositiveFloat
    compact_batches: Positive
    shuffle_partitions: Positive


class KafkaSettings(_Section, frozen=True):
    servers: Annotated[str, Meta(min_length=1)]
    events_topic: Topic
    rejects_topic: Topic
    partitions: Annotated[int, Meta(ge=1, le=10_000)]
    replication: Annotated[int, Meta(ge=1, le=9)]
    delivery_seconds: Annotated[float, Meta(ge=0.5, le=300)]
    probe_seconds: Annotated[float, Meta(gt=0, le=60)]
    records_per_trigger: Positive
    client: dict[str, str]
    spark: dict[str, str]


class SparkSettings(_Section, frozen=True):
    master: str
    driver_memory: Annotated[str, Meta(pattern=r"^\d+[mg]$")]
    java_options: str
    packages_dir: str
    shared_disk: bool
    lists_from: Annotated[int, Meta(ge=0)]
    fit_from: Annotated[int, Meta(ge=0)]
    properties: dict[str, str]


class InteractionsSettings(_Section, frozen=True):
    half_life_days: PositiveFloat
    weights: dict[str, float]

    @property
    def half_life(self) -> timedelta:
        return timedelta(days=self.half_life_days)


class QualitySettings(_Section, frozen=True):
    volume_ratio: Annotated[float, Meta(gt=1)]
    freshness_hours: Positive
    residual_severity: Literal["stop", "warn"]


class AlsSettings(_Section, frozen=True):
    factors: Annotated[int, Meta(ge=1, le=1024)]
    iterations: Annotated[int, Meta(ge=1, le=1000)]
    regularization: Annotated[float, Meta(ge=0)]
    alpha: PositiveFloat
    seed: int
    threads: Annotated[int, Meta(ge=0)]


class EvaluationSettings(_Section, frozen=True):
    test_share: Annotated[float, Meta(gt=0, lt=1)]
    k: Positive
    max_people: Positive
    recent_hours: PositiveFloat
    popular_hours: Annotated[tuple[PositiveFloat, ...], Meta(min_length=1)]
    candidates: tuple[str, ...]
    cuts: Annotated[int, Meta(ge=1, le=4)]
    search_seconds: Annotated[float, Meta(ge=0)]
    max_regressed: Positive
    max_scores: PositiveFloat


class CtrSettings(_Section, frozen=True):
    min_shown: Positive
    min_clicks: Annotated[int, Meta(ge=10)]
    max_shown: Positive
    penalty: PositiveFloat


class PredictionsSettings(_Section, frozen=True):
    churn_days: Annotated[float, Meta(ge=0.01, le=366)]
    active_days: Annotated[float, Meta(ge=0.01, le=3650)]
    lookback_days: Annotated[float, Meta(ge=0.01, le=3650)]
    step_days: Annotated[float, Meta(ge=0.01, le=366)]
    frames: Annotated[int, Meta(ge=1, le=100)]
    late_hours: Annotated[float, Meta(gt=0, le=87_600)]
    min_happened: Annotated[int, Meta(ge=10)]
    penalty: PositiveFloat
    max_ece: Share
    session_days: Annotated[float, Meta(ge=0.01, le=3650)]
    max_moments: Annotated[int, Meta(ge=100, le=10_000_000)]


class AnomaliesSettings(_Section, frozen=True):
    days: Annotated[int, Meta(ge=3, le=366)]
    threshold: Annotated[float, Meta(ge=3, le=100)]
    settle_minutes: Annotated[float, Meta(ge=0, le=1_440)]
    false_discoveries: Annotated[float, Meta(gt=0, lt=1)]
    bot_score: Annotated[float, Meta(ge=0.5, le=1)]
    leave_out_suspects: bool


class GateSettings(_Section, frozen=True):
    tolerance: Share
    min_coverage: Share
    coverage_kept: Share
    max_sameness: Share
    max_listless: Share
    max_leap: Annotated[float, Meta(ge=1)]


class NextItemsSettings(_Section, frozen=True):
    days: Positive
    n: Annotated[int, Meta(ge=1, le=1000)]
    repeats: Literal["auto", "always", "never"]
    live_megabytes: Annotated[float, Meta(ge=0)]
    refresh_minutes: Annotated[int, Meta(ge=0)]


class ReportSettings(_Section, frozen=True):
    enabled: bool
    curve_seconds: Annotated[float, Meta(ge=0)]


class ListsSettings(_Section, frozen=True):
    top_n: Annotated[int, Meta(ge=1, le=1000)]
    popular_n: Annotated[int, Meta(ge=1, le=10000)]
    similar_n: Annotated[int, Meta(ge=1, le=1000)]
    mask_seen: bool


class ExportSettings(_Section, frozen=True):
    history_items: Annotated[int, Meta(ge=0, le=100_000)]
    keep_versions: Annotated[int, Meta(ge=2)]


class KvSettings(_Section, frozen=True):
    backend: Literal["lmdb", "redis"]
    redis_url: str
    redis_timeout_seconds: PositiveFloat
    map_gib: Positive


class BanditsSettings(_Section, frozen=True):
    method: Literal["thompson", "epsilon_greedy", "linear"]
    epsilon: Annotated[float, Meta(ge=0, le=1)]
    draws: Annotated[int, Meta(ge=16, le=4096)]
    spread: PositiveFloat
    window_days: Annotated[int, Meta(ge=1, le=3650)]
    positions: Annotated[tuple[Annotated[int, Meta(ge=1, le=1000)], ...], Meta(max_length=100)]
    pool: Annotated[int, Meta(ge=1, le=200)]


class ActionsSettings(_Section, frozen=True):
    holdout: Annotated[float, Meta(ge=0.05, le=1)]
    explore: Annotated[float, Meta(ge=0, le=1)]
    period_hours: Annotated[int, Meta(ge=1, le=720)]
    window_days: Annotated[int, Meta(ge=1, le=3650)]
    confidence: Annotated[float, Meta(gt=0.5, lt=1)]
    min_people: Annotated[int, Meta(ge=2)]

    def __post_init__(self) -> None:
        if self.holdout + self.explore > 1:
            raise ValueError(
                f"holdout and explore are shares of the same people: {self.holdout} and {self.explore} are more than 1"
            )


class LiveSettings(_Section, frozen=True):
    enabled: bool
    keep_days: Annotated[int, Meta(ge=1, le=3650)]
    half_life_hours: PositiveFloat
    queue_events: Annotated[int, Meta(ge=1, le=10_000_000)]
    queue_bytes: Annotated[int, Meta(ge=1024)]
    catch_up_seconds: Annotated[float, Meta(ge=0.1, le=3600)]

    @property
    def keep_ms(self) -> int:
        return self.keep_days * 86_400_000


class TriggersSettings(_Section, frozen=True):
    url: Annotated[str, Meta(pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$")]
    secret: str
    hosts: tuple[str, ...]
    look_seconds: Annotated[float, Meta(gt=0, le=86_400)]
    settle_seconds: Annotated[float, Meta(ge=0, le=86_400)]
    timeout_seconds: Annotated[float, Meta(gt=0, le=300)]
    in_flight: Annotated[int, Meta(ge=1, le=256)]
    tries: Annotated[int, Meta(ge=1, le=100)]
    retry_seconds: Annotated[float, Meta(gt=0, le=86_400)]
    remember_days: Annotated[int, Meta(ge=31, le=3650)]
    per_person: Positive


class OrchestrationSettings(_Section, frozen=True):
    nightly_cron: str
    timezone: str
    incremental_minutes: Annotated[float, Meta(ge=0.05)]
    retries: Annotated[int, Meta(ge=0, le=10)]
    retry_seconds: PositiveFloat
    runner: Literal["in_process", "spark_submit"]
    ui_port: Port
    mlflow_port: Port

    def __post_init__(self) -> None:
        _require_zone(self.timezone)


class Settings(_Section, frozen=True):
    """Everything that can be set, checked; `lake` and `conf_dir` come from the call."""

    site: Annotated[str, Meta(min_length=1, max_length=256)]
    landing: LandingSettings
    collector: Collector
    serving: Serving
    ranking: RankingSettings
    events: EventsSettings
    items: ItemsSettings
    consent: ConsentSettings
    access_logs: AccessLogsSettings
    sessions: SessionsSettings
    attribution: AttributionSettings
    analytics: AnalyticsSettings
    sharing: SharingSettings
    storage: StorageSettings
    mlflow: MlflowSettings
    bi: BiSettings
    streaming: StreamingSettings
    kafka: KafkaSettings
    spark: SparkSettings
    interactions: InteractionsSettings
    quality: QualitySettings
    als: AlsSettings
    evaluation: EvaluationSettings
    ctr: CtrSettings
    predictions: PredictionsSettings
    anomalies: AnomaliesSettings
    gate: GateSettings
    next_items: NextItemsSettings
    report: ReportSettings
    lists: ListsSettings
    export: ExportSettings
    kv: KvSettings
    bandits: BanditsSettings
    actions: ActionsSettings
    live: LiveSettings
    triggers: TriggersSettings
    orchestration: OrchestrationSettings
    lake: Lake = msgspec.field(default_factory=lambda: lake_at("lake"))
    conf_dir: Path = DEFAULT_CONF
    profile: str | None = None


def load(
    lake: str | Path | None = None,
    conf_dir: str | Path | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read, merge and check the settings.

    Arguments win over NEXTCLICK_LAKE, NEXTCLICK_CONF_DIR and NEXTCLICK_PROFILE.
    Raises SettingsError, which names the key, its file or variable, and the limit.
    """
    env = {
        key.removeprefix(_PREFIX): value
        for key, value in (os.environ if environ is None else environ).items()
        if key.startswith(_PREFIX)
    }
    folder = Path(conf_dir or env.pop("CONF_DIR", str(DEFAULT_CONF))).expanduser().resolve()
    profile = profile or env.pop("PROFILE", None)
    root = lake or env.pop("LAKE", "lake")
    for word in ("CONF_DIR", "PROFILE", "LAKE"):
        env.pop(word, None)

    tree = _read(folder / "default.toml")
    if profile:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", profile):
            raise SettingsError(f"The profile {profile!r} is not a plain name; it stands for conf/NAME.toml.")
        _merge(tree, _read(folder / f"{profile}.toml"))
    for key, text in env.items():
        _set(tree, key, text)
    for section, name in _KEYS:
        if path := tree.get(section, {}).get(f"{name}_file"):
            _merge(tree[section], {name: _read_keys(Path(path).expanduser(), f"{section}.{name}_file")})
    try:
        checked = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"A setting is wrong: {error}. Look it up in {folder / 'default.toml'}"
            + (f", {profile}.toml" if profile else "")
            + " or in the environment (NEXTCLICK_SECTION__KEY)."
        ) from error
    _require_long_secrets(checked)
    doors: dict[str, ServerSettings | SharingSettings] = {
        "collector": checked.collector,
        "serving": checked.serving,
        "sharing": checked.sharing,
    }
    for name, server in doors.items():
        if bool(server.tls_certificate) != bool(server.tls_key):
            raise SettingsError(f"{name}.tls_certificate and {name}.tls_key belong together: set both, or neither.")
    if checked.collector.sink == "kafka" and checked.streaming.source == "bucket":
        raise SettingsError(
            "collector.sink is kafka, and streaming.source is bucket: bronze would read nothing of what comes. Set both to kafka, or "
            "collector.sink to landing."
        )
    endpoint = Endpoint(checked.storage.endpoint.rstrip("/"), checked.storage.region)
    models = model_store(checked.mlflow.uri, checked.mlflow.artifacts, endpoint)
    place = lake_at(root, endpoint, checked.storage.beside, ships=checked.streaming.source == "bucket")
    place = replace(place, models=models)
    return msgspec.structs.replace(checked, lake=place, conf_dir=folder, profile=profile)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a child process that is to load these same settings; `more` wins over what is there."""
    ours = {"LAKE": settings.lake.data, "CONF_DIR": str(settings.conf_dir), "PROFILE": settings.profile or ""}
    return {**os.environ, **{_PREFIX + key: value for key, value in ours.items()}, **more}


def hand_down(settings: Settings, **more: str) -> None:
    """Let the child processes that a library starts load these same settings; `more` are other variables for them."""
    os.environ.update(environment(settings, **more))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path} is not there. Name a folder that has it with --conf-dir.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}.") from error


def _read_keys(path: Path, setting: str) -> dict[str, Any]:
    """Keys that stand in a file of their own: JSON where it is named so, else TOML."""
    try:
        text = path.read_text(encoding="utf-8")
        keys = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
    except (
        OSError,
        ValueError,
        msgspec.MsgspecError,
    ) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise SettingsError(f"{setting} names {path}, which cannot be read: {error}.") from error
    if not isinstance(keys, dict):
        raise SettingsError(f"{setting} names {path}, which is no table of keys (docs/deploy.md shows one).")
    return keys


def _require_long_secrets(settings: Settings) -> None:
    """SettingsError for a secret that can be guessed."""
    for section, names in _SECRETS.items():
        for name in names:
            secret: str = getattr(getattr(settings, section), name)
            if 0 < len(secret) < _SECRET_CHARS:
                raise SettingsError(
                    f"{section}.{name} has {len(secret)} characters and can be guessed: take at least {_SECRET_CHARS}, "
                    "such as `openssl rand -hex 32` prints."
                )


def _merge(base: dict[str, Any], over: dict[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value)
        else:
            base[key] = value


def _set(tree: dict[str, Any], variable: str, text: str) -> None:
    *sections, key = variable.lower().split("__")
    for section in sections:
        tree = tree.get(section, {})
    if not isinstance(tree, dict) or (key not in tree):
        raise SettingsError(
            f"{_PREFIX}{variable} names no setting. The form is NEXTCLICK_SECTION__KEY; the keys are in conf/default.toml."
        )
    kind = "table" if isinstance(tree[key], dict) else "list" if isinstance(tree[key], list) else None
    tree[key] = _decoded(variable, text, kind) if kind else text


def _decoded(variable: str, text: str, kind: str) -> Any:
    """A table or a list as the environment holds it."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"{_PREFIX}{variable} stands for a {kind}, which the environment holds as JSON: {error}."
        ) from error

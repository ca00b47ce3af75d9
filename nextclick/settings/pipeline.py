"""Sections of what runs the way from log to gold, and of the stores that it stands on."""

from typing import Annotated, Literal

from msgspec import Meta

from nextclick.settings.value_types import Port, Positive, PositiveFloat, Section, Topic, Word, require_zone


class StorageSettings(Section, frozen=True):
    endpoint: Annotated[str, Meta(pattern=r"^(https?://[^\s/?#@]+)?/?$")]
    region: Annotated[str, Meta(pattern=r"^[a-z0-9-]+$")]
    beside: Word


class MlflowSettings(Section, frozen=True):
    uri: Annotated[str, Meta(pattern=r"^((postgresql(\+psycopg)?|https?)://[^\s/]\S*)?$")]
    artifacts: str


class KvSettings(Section, frozen=True):
    backend: Literal["lmdb", "redis"]
    redis_url: str
    redis_timeout_seconds: PositiveFloat
    map_gib: Positive


class StreamingSettings(Section, frozen=True):
    source: Literal["landing", "kafka", "bucket"]
    max_segments_per_trigger: Positive
    trigger_seconds: PositiveFloat
    later_seconds: PositiveFloat
    compact_batches: Positive
    shuffle_partitions: Positive


class KafkaSettings(Section, frozen=True):
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


class SparkSettings(Section, frozen=True):
    master: str
    driver_memory: Annotated[str, Meta(pattern=r"^\d+[mg]$")]
    java_options: str
    packages_dir: str
    shared_disk: bool
    lists_from: Annotated[int, Meta(ge=0)]
    fit_from: Annotated[int, Meta(ge=0)]
    properties: dict[str, str]


class QualitySettings(Section, frozen=True):
    volume_ratio: Annotated[float, Meta(gt=1)]
    freshness_hours: Positive
    residual_severity: Literal["stop", "warn"]


class OrchestrationSettings(Section, frozen=True):
    nightly_cron: str
    timezone: str
    incremental_minutes: Annotated[float, Meta(ge=0.05)]
    retries: Annotated[int, Meta(ge=0, le=10)]
    retry_seconds: PositiveFloat
    runner: Literal["in_process", "spark_submit"]
    ui_port: Port
    mlflow_port: Port

    def __post_init__(self) -> None:
        require_zone(self.timezone)

"""All sections as one frozen object. Each section's class stands in the module of those who use it."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from nextclick.lake.paths import Lake, lake_at
from nextclick.settings.analytics import AnalyticsSettings, TriggersSettings
from nextclick.settings.answers import ActionsSettings, BanditsSettings, ExportSettings, LiveSettings, RankingSettings
from nextclick.settings.events import (
    AccessLogsSettings,
    AttributionSettings,
    ConsentSettings,
    EventsSettings,
    ItemsSettings,
    LandingSettings,
    SessionsSettings,
)
from nextclick.settings.models import (
    AlsSettings,
    AnomaliesSettings,
    CtrSettings,
    EvaluationSettings,
    GateSettings,
    InteractionsSettings,
    ListsSettings,
    NextItemsSettings,
    PredictionsSettings,
    ReportSettings,
)
from nextclick.settings.pipeline import (
    KafkaSettings,
    KvSettings,
    MlflowSettings,
    OrchestrationSettings,
    QualitySettings,
    SparkSettings,
    StorageSettings,
    StreamingSettings,
)
from nextclick.settings.servers import BiSettings, Collector, Serving, SharingSettings
from nextclick.settings.value_types import Section

CHECKOUT = Path(__file__).resolve().parents[2]
DEFAULT_CONF = CHECKOUT / "conf"


class Settings(Section, frozen=True):
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

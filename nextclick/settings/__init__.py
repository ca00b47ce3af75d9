"""The only reader of conf/default.toml, of profiles and of the environment: `load` gives one frozen `Settings`.

    value_types ◄─ servers, events, analytics, pipeline, models, answers ◄─ sections ◄─ reader
                   a class a section, by who uses it                        Settings    load

Meanings and units of the keys are the comments of conf/default.toml; `reference` makes docs/settings.md of both.
"""

from nextclick.settings.analytics import AnalyticsSettings, FunnelSettings, Goal, TriggersSettings
from nextclick.settings.answers import AudienceRules, BanditsSettings, RankingSettings, RuleSettings
from nextclick.settings.events import AttributionSettings, EventsSettings, ItemsSettings, SessionsSettings
from nextclick.settings.models import EvaluationSettings, GateSettings, ListsSettings
from nextclick.settings.pipeline import KvSettings, StorageSettings
from nextclick.settings.reader import environment, hand_down, handed_down, load
from nextclick.settings.sections import CHECKOUT, DEFAULT_CONF, Settings
from nextclick.settings.servers import (
    BiSettings,
    Collector,
    ReadKey,
    ServerSettings,
    SharingSettings,
    SiteKey,
    WriteKey,
)

__all__ = [
    "CHECKOUT", "DEFAULT_CONF", "AnalyticsSettings", "AttributionSettings", "AudienceRules", "BanditsSettings",
    "BiSettings", "Collector", "EvaluationSettings", "EventsSettings", "FunnelSettings", "GateSettings", "Goal",
    "ItemsSettings", "KvSettings", "ListsSettings", "RankingSettings", "ReadKey", "RuleSettings", "ServerSettings",
    "SessionsSettings", "Settings", "SharingSettings", "SiteKey", "StorageSettings", "TriggersSettings", "WriteKey",
    "environment", "hand_down", "handed_down", "load",
]  # fmt: skip

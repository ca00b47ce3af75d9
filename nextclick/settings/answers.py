"""Sections of what is answered: ranking and its rules, bandits, actions, the live profile, and what an export holds."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nextclick.settings.value_types import Positive, PositiveFloat, Section


class RuleSettings(Section, frozen=True):
    """Rules of every list; what a request adds comes on top."""

    hide_seen: bool
    hide_bought: bool
    only_available: bool
    per_category: Annotated[int, Meta(ge=0)]
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    boost: dict[str, Annotated[float, Meta(ge=0, le=100)]]


class AudienceRules(Section, frozen=True):
    """Rules of lists for those who belong to an audience; what is left out is as for all."""

    hide_seen: bool | None = None
    hide_bought: bool | None = None
    only_available: bool | None = None
    per_category: Annotated[int, Meta(ge=0)] | None = None
    deny: tuple[str, ...] = ()
    boost: dict[str, Annotated[float, Meta(ge=0, le=100)]] = msgspec.field(default_factory=dict)

    def on_top_of(self, rules: RuleSettings) -> RuleSettings:
        """The rules with these on top: single values win, lists add up."""
        names = ("hide_seen", "hide_bought", "only_available", "per_category")
        single = {name: value for name in names if (value := getattr(self, name)) is not None}
        deny, boost = (*rules.deny, *self.deny), rules.boost | self.boost
        return msgspec.structs.replace(rules, deny=deny, boost=boost, **single)


class RankingSettings(Section, frozen=True):
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


class BanditsSettings(Section, frozen=True):
    method: Literal["thompson", "epsilon_greedy", "linear"]
    epsilon: Annotated[float, Meta(ge=0, le=1)]
    draws: Annotated[int, Meta(ge=16, le=4096)]
    spread: PositiveFloat
    window_days: Annotated[int, Meta(ge=1, le=3650)]
    positions: Annotated[tuple[Annotated[int, Meta(ge=1, le=1000)], ...], Meta(max_length=100)]
    pool: Annotated[int, Meta(ge=1, le=200)]


class ActionsSettings(Section, frozen=True):
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


class LiveSettings(Section, frozen=True):
    enabled: bool
    keep_days: Annotated[int, Meta(ge=1, le=3650)]
    half_life_hours: PositiveFloat
    queue_events: Annotated[int, Meta(ge=1, le=10_000_000)]
    queue_bytes: Annotated[int, Meta(ge=1024)]
    catch_up_seconds: Annotated[float, Meta(ge=0.1, le=3600)]

    @property
    def keep_ms(self) -> int:
        return self.keep_days * 86_400_000


class ExportSettings(Section, frozen=True):
    history_items: Annotated[int, Meta(ge=0, le=100_000)]
    keep_versions: Annotated[int, Meta(ge=2)]

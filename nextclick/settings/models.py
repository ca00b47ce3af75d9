"""Sections of what is learned: from interactions to models, the gate before them, and the lists that they publish."""

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta

from nextclick.settings.value_types import Positive, PositiveFloat, Section, Share


class InteractionsSettings(Section, frozen=True):
    half_life_days: PositiveFloat
    weights: dict[str, float]

    @property
    def half_life(self) -> timedelta:
        return timedelta(days=self.half_life_days)


class AlsSettings(Section, frozen=True):
    factors: Annotated[int, Meta(ge=1, le=1024)]
    iterations: Annotated[int, Meta(ge=1, le=1000)]
    regularization: Annotated[float, Meta(ge=0)]
    alpha: PositiveFloat
    seed: int
    threads: Annotated[int, Meta(ge=0)]


class EvaluationSettings(Section, frozen=True):
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


class CtrSettings(Section, frozen=True):
    min_shown: Positive
    min_clicks: Annotated[int, Meta(ge=10)]
    max_shown: Positive
    penalty: PositiveFloat


class PredictionsSettings(Section, frozen=True):
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


class AnomaliesSettings(Section, frozen=True):
    days: Annotated[int, Meta(ge=3, le=366)]
    threshold: Annotated[float, Meta(ge=3, le=100)]
    settle_minutes: Annotated[float, Meta(ge=0, le=1_440)]
    false_discoveries: Annotated[float, Meta(gt=0, lt=1)]
    bot_score: Annotated[float, Meta(ge=0.5, le=1)]
    leave_out_suspects: bool


class GateSettings(Section, frozen=True):
    tolerance: Share
    min_coverage: Share
    coverage_kept: Share
    max_sameness: Share
    max_listless: Share
    max_leap: Annotated[float, Meta(ge=1)]


class NextItemsSettings(Section, frozen=True):
    days: Positive
    n: Annotated[int, Meta(ge=1, le=1000)]
    repeats: Literal["auto", "always", "never"]
    live_megabytes: Annotated[float, Meta(ge=0)]
    refresh_minutes: Annotated[int, Meta(ge=0)]


class ReportSettings(Section, frozen=True):
    enabled: bool
    curve_seconds: Annotated[float, Meta(ge=0)]


class ListsSettings(Section, frozen=True):
    top_n: Annotated[int, Meta(ge=1, le=1000)]
    popular_n: Annotated[int, Meta(ge=1, le=10000)]
    similar_n: Annotated[int, Meta(ge=1, le=1000)]
    mask_seen: bool

"""Sections of questions and of messages: goals and funnels, triggers."""

from typing import Annotated

import msgspec
from msgspec import Meta

from nextclick.settings.value_types import Name, Positive, PositiveFloat, Section, require_zone


class Goal(Section, frozen=True):
    """What counts as reached: an event of this kind whose properties have these values."""

    event: Annotated[str, Meta(min_length=1, max_length=256)]
    where: dict[str, str] = msgspec.field(default_factory=dict)


class FunnelSettings(Section, frozen=True):
    """A funnel that has a name: steps as `nextclick funnel` takes them."""

    steps: Annotated[tuple[str, ...], Meta(min_length=2, max_length=10)]
    within: str = "7d"


class AnalyticsSettings(Section, frozen=True):
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
            require_zone(zone)
        if "purchase" in self.goals:
            raise ValueError("goals: `purchase` is a goal already")

    def timezone_for(self, site: str) -> str:
        """The IANA name of the zone in which days of `site` begin and end."""
        return self.timezones.get(site, self.timezone)


class TriggersSettings(Section, frozen=True):
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

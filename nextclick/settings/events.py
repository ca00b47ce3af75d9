"""Sections of what an event, a visit and an item are: the landing log, typing, sessions, attribution."""

from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from nextclick.contracts.events import BLANKS, MOST_ID_CHARS
from nextclick.settings.value_types import Positive, Section, Word


class LandingSettings(Section, frozen=True):
    segment_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)]
    max_event_bytes: Annotated[int, Meta(ge=256, le=16 << 20)]
    max_total_bytes: Annotated[int, Meta(ge=0)]


class EventsSettings(Section, frozen=True):
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


class ItemsSettings(Section, frozen=True):
    trust: Annotated[tuple[Literal["catalogue", "server", "page"], ...], Meta(min_length=3, max_length=3)]
    servers: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.trust)) != len(self.trust):
            raise ValueError("`items.trust` names each of catalogue, server and page once")


class ConsentSettings(Section, frozen=True):
    personalization: bool


class AccessLogsSettings(Section, frozen=True):
    format: str
    rotate_hours: Annotated[int, Meta(ge=0, le=100_000)]
    key_days: Annotated[int, Meta(ge=1, le=3_650)]
    base_url: Annotated[str, Meta(pattern=r"^(https?://[^/\s]+)?$")]
    poll_seconds: Annotated[float, Meta(gt=0, le=60)]
    publish_seconds: Annotated[float, Meta(gt=0, le=3600)]
    quiet_seconds: Annotated[float, Meta(ge=0, le=86_400)]


class SessionsSettings(Section, frozen=True):
    gap_minutes: Positive
    overlong_hours: Positive
    gaps: dict[Annotated[str, Meta(min_length=1, max_length=256)], Positive] = msgspec.field(default_factory=dict)

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


class AttributionSettings(Section, frozen=True):
    request_hours: Annotated[int, Meta(ge=1, le=720)]
    click_minutes: Annotated[int, Meta(ge=1, le=43_200)]
    purchase_hours: Annotated[int, Meta(ge=1, le=720)]

    @property
    def longest(self) -> timedelta:
        return max(timedelta(hours=max(self.request_hours, self.purchase_hours)), timedelta(minutes=self.click_minutes))

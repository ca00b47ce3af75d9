"""Days of a site in its time zone, as moments of events."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analytics.journeys.patterns import Values
from nextclick.errors import UsageError
from nextclick.settings import Settings

EVER = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))


class Days(NamedTuple):
    """Days from `first` to `last`, both included; None: no end on that side."""

    first: date | None = None
    last: date | None = None
    site: str | None = None
    """None: all sites, each by its own zone."""


def moments(days: Days, zone: str) -> tuple[datetime, datetime]:
    """The first moment of the first day, and that behind the last one.

    >>> [f"{moment:%d %H:%M}" for moment in moments(Days(date(2026, 3, 29), date(2026, 3, 29)), "Europe/Berlin")]
    ['28 23:00', '29 22:00']
    """
    first, behind = EVER
    if days.first and days.last and days.first > days.last:
        raise UsageError(f"The days end on {days.last}, before they begin on {days.first}.")
    if days.first and days.first > first.date():
        first = _midnight(days.first, zone)
    if days.last and days.last < behind.date():
        behind = _midnight(days.last + timedelta(days=1), zone)
    return first, behind


def _midnight(day: date, zone: str) -> datetime:
    """Where a clock jumps over it, the moment of the jump."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def widest(settings: Settings, days: Days) -> tuple[datetime, datetime]:
    """The moments between which the days of all sites lie."""
    each = [moments(days, zone) for zone in (settings.analytics.timezone, *settings.analytics.timezones.values())]
    return min(first for first, _ in each), max(behind for _, behind in each)


def moments_sql(settings: Settings, days: Days, values: Values) -> tuple[str, str]:
    """SQL of `moments` for an event's `site`."""
    analytics = settings.analytics
    if days.site is not None or not analytics.timezones:
        first, behind = moments(days, analytics.timezone_for(days.site or ""))
        return values.add(first), values.add(behind)
    zones = {site: moments(days, zone) for site, zone in analytics.timezones.items()}
    others = moments(days, analytics.timezone)
    return tuple(  # type: ignore[return-value]
        "CASE site "
        + "".join(f"WHEN {values.add(site)} THEN {values.add(ends[side])} " for site, ends in zones.items())
        + f"ELSE {values.add(others[side])} END"
        for side in (0, 1)
    )

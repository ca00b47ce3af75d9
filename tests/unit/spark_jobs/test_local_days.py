"""Which hours of UTC hold the days of a site."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import pytest

from nextclick.settings import AnalyticsSettings, load
from spark_jobs.transforms.local_days import hours_of


def zones(default: str, **sites: str) -> AnalyticsSettings:
    return msgspec.structs.replace(load("lake", environ={}).analytics, timezone=default, timezones=sites)


def test_days_of_utc_are_their_24_hours() -> None:
    assert hours_of(zones("UTC"), [date(1970, 1, 2)]) == set(range(24, 48))


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25), date(2026, 7, 1)])
def test_the_hours_of_a_day_hold_it_in_every_zone(day: date) -> None:
    hours = hours_of(zones("UTC", shop="Europe/Berlin"), [day])
    for name in available_timezones():
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(name))
        ends = midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC) - timedelta(microseconds=1)
        assert {int(end.timestamp() // 3600) for end in ends} <= hours, name

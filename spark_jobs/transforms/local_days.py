"""Days as a site's people live them: from midnight to midnight in its time zone, 23 or 25 hours long where clocks change."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

from nextclick.settings import AnalyticsSettings
from spark_jobs.transforms.time_ranges import time_ranges

_EPOCH: Final = date(1970, 1, 1)
_AHEAD, _BEHIND = 14, 12
"""Hours that a zone is ahead of UTC, or behind it, at most."""


def local_date(analytics: AnalyticsSettings, time: str) -> Column:
    """The day of the column `time` in the time zone of the row's `site`."""
    day = _in_zone(analytics.timezone, time)
    for site, zone in analytics.timezones.items():
        day = F.when(F.col("site") == site, _in_zone(zone, time)).otherwise(day)
    return day


def _in_zone(zone: str, time: str) -> Column:
    return F.to_date(time if zone == "UTC" else F.from_utc_timestamp(time, zone))


def hours_of(analytics: AnalyticsSettings, days: Iterable[date]) -> set[int]:
    """Hours from 1970 UTC that hold every time on one of the `days`, and no more of them where all days are those of UTC."""
    utc = {analytics.timezone, *analytics.timezones.values()} == {"UTC"}
    before, after = (0, 0) if utc else (_AHEAD, _BEHIND)
    first = ((day - _EPOCH).days * 24 for day in days)
    return {hour for midnight in first for hour in range(midnight - before, midnight + 24 + after)}


def on_days(analytics: AnalyticsSettings, days: Iterable[date], time: str) -> Column:
    """The column `time` is on one of the `days` of its site: ranges that Delta can prune by, then the days themselves."""
    listed = sorted(set(days))
    return F.expr(time_ranges(hours_of(analytics, listed), time)) & local_date(analytics, time).isin(listed)

"""A day is the site's: from midnight to midnight on its clocks."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from nextclick.settings import Settings
from spark_jobs.transforms.local_days import local_date, on_days

pytestmark = pytest.mark.spark

TIMES = [
    # Berlin's clocks go from 2 to 3 on March 29: a day of 23 hours, which begins at 23:00 UTC and ends at 22:00.
    ("berlin", "2026-03-28T22:59:59.999", 28),
    ("berlin", "2026-03-28T23:00:00.000", 29),
    ("berlin", "2026-03-29T21:59:59.999", 29),
    ("berlin", "2026-03-29T22:00:00.000", 30),
    # They go from 3 to 2 on October 25: 25 hours.
    ("berlin", "2026-10-24T21:59:59.999", 24),
    ("berlin", "2026-10-24T22:00:00.000", 25),
    ("berlin", "2026-10-25T22:59:59.999", 25),
    ("berlin", "2026-10-25T23:00:00.000", 26),
    # India's are half an hour off the hour, all year.
    ("delhi", "2026-03-28T18:29:59.999", 28),
    ("delhi", "2026-03-28T18:30:00.000", 29),
    # A site without a zone of its own has the one of all others.
    ("utc", "2026-03-28T23:59:59.999", 28),
    ("utc", "2026-03-29T00:00:00.000", 29),
]
"""Site, time in UTC, day of the month on the site's clocks."""


def test_both_days_on_which_clocks_change_and_half_hours(spark: SparkSession, settings: Settings) -> None:
    zones = {"berlin": "Europe/Berlin", "delhi": "Asia/Kolkata"}
    analytics = msgspec.structs.replace(settings.analytics, timezone="UTC", timezones=zones)
    times = [(site, datetime.fromisoformat(time).replace(tzinfo=UTC), day) for site, time, day in TIMES]
    rows = spark.createDataFrame(times, "site string, at timestamp, day int")
    kept = F.when(on_days(analytics, [date(2026, 3, 29)], "at"), True).otherwise(False).alias("kept")
    found: list[Any] = rows.select("*", local_date(analytics, "at").alias("date"), kept).collect()
    assert [(row.site, row.date.day) for row in found] == [(site, day) for site, _, day in TIMES]
    assert [row.kept for row in found] == [row.date == date(2026, 3, 29) for row in found]

"""Figures of games, and of an app's releases."""

from nextclick.definitions.intervals import wilson_sql
from nextclick.definitions.metric import Metric, MetricUnit, ratio, total
from nextclick.definitions.visits import VISITS

STARTS = total("starts", "Events level_start.")
COMPLETES = total("completes", "Events level_complete.")
FAILS = total("fails", "Events level_fail.")
TRIES = ratio("tries_per_complete", "starts / completes.", STARTS, COMPLETES, MetricUnit.EACH)
PLAYERS = Metric("players", "Distinct visitors with an event of the level.", "count(DISTINCT visitor)")
COMPLETED_BY = Metric(
    "completed_by",
    "Distinct visitors who completed it.",
    "count(DISTINCT CASE WHEN event = 'level_complete' THEN visitor END)",
)
QUIT = total("quit_here", "Visitors whose last level it was, 7 days of silence before the newest event of a level.")
SECONDS_TO_COMPLETE = Metric(
    "median_seconds", "Median time from a level's start to its completion by the same visitor, without another start between.",
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)", MetricUnit.SECONDS,
)  # fmt: skip

CRASHED_VISITS = total("crashed_visits", "Visits with an event app_crash.")
CRASH_FREE = Metric(
    "crash_free",
    "1 - crashed_visits / visits.",
    f"1 - {CRASHED_VISITS.sql} / nullif({VISITS.sql}, 0)",
    MetricUnit.SHARE,
)
EVENTS = total("events", "Events that name the release, by the property `app_version`.")
WITH_ERROR = total("with_error", "Those whose property `error` is there, and neither empty nor false.")
ERROR_SHARE = ratio("error_share", "with_error / events.", WITH_ERROR, EVENTS)
_LOW, _HIGH = wilson_sql(WITH_ERROR.sql, EVENTS.sql)
ERROR_LOW = Metric("error_low", "Lower end of error_share's 95 % interval (Wilson).", _LOW, MetricUnit.SHARE)
ERROR_HIGH = Metric("error_high", "Upper end: releases whose intervals do not meet differ.", _HIGH, MetricUnit.SHARE)
P50 = Metric(
    "p50",
    "Median of the numeric property `value`.",
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY value)",
    MetricUnit.EACH,
)
P95 = Metric("p95", "Its 95th percentile.", "percentile_cont(0.95) WITHIN GROUP (ORDER BY value)", MetricUnit.EACH)

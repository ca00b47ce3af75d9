"""The tables themselves."""

from typing import Final

from analytics.report import Report
from nextclick.definitions import health as h

QUALITY: Final = Report(
    name="quality",
    doc="Which expectations hold, by the newest check of each table.",
    reads=("gold.data_quality",),
    rows="""
        SELECT table_name, expectation, meaning, severity, observed, CAST(checked_at AS DATE) AS checked_on, 1 AS checks,
            CAST(NOT success AS INT) AS failed
        FROM (
            SELECT *, row_number() OVER (PARTITION BY table_name, expectation ORDER BY checked_at DESC) AS back
            FROM gold.data_quality WHERE kind = 'check'
        ) WHERE back = 1
    """,
    dimensions=("table_name", "expectation", "meaning", "severity", "observed", "checked_on"),
    metrics=(h.CHECKS, h.FAILED, h.FAILED_SHARE),
    by=("table_name", "severity"),
    date=None,
)

FRESHNESS: Final = Report(
    name="freshness",
    doc="When each table was last written.",
    reads=(),
    rows="""
        SELECT table_name, version, rows, written_at, date_diff('millisecond', written_at, now()) / 1000 AS age_seconds
        FROM table_states
    """,
    dimensions=("table_name", "written_at"),
    metrics=(h.VERSION, h.ROWS, h.AGE),
    by=("table_name", "written_at"),
    date=None,
    of_states=True,
)

REJECTS: Final = Report(
    name="rejects",
    doc="What was rejected, and why, by the day that it came (UTC).",
    reads=("silver.quarantine",),
    rows="""
        SELECT CAST(received_at AT TIME ZONE 'UTC' AS DATE) AS date, origin, reason, source, message, 1 AS rejects,
            CAST(replayable AS INT) AS replayable
        FROM silver.quarantine
    """,
    dimensions=("date", "origin", "reason", "source", "message"),
    metrics=(h.REJECTS, h.REPLAYABLE),
    by=("reason",),
)

ANOMALIES: Final = Report(
    name="anomalies",
    doc="What was out of the ordinary, by the day that it began (UTC); `nextclick anomalies` says of each what was expected.",
    reads=("gold.anomalies",),
    rows="""
        SELECT CAST(step_start AT TIME ZONE 'UTC' AS DATE) AS date, site, kind, severity, state, 1 AS anomalies,
            CAST(state = 'open' AS INT) AS open, CAST(severity = 'alarm' AS INT) AS alarms
        FROM gold.anomalies WHERE state <> 'withdrawn'
    """,
    dimensions=("date", "site", "kind", "severity", "state"),
    metrics=(h.ANOMALIES, h.OPEN, h.ALARMS),
    by=("kind", "state"),
)

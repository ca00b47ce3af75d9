"""What is looked at: the last days of each site, as views of a database; no row is copied."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from nextclick.contracts.silver import EVENTS, QUARANTINE, SESSIONS, USER_AGENTS
from nextclick.lake import delta, duck
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

HOUR: Final = timedelta(hours=1)
LIVE: Final = timedelta(days=3)
"""A site whose newest event arrived within the hour, and no longer ago than this, is looked at up to now: its silence is news."""
_SPANS: Final = """
SELECT site, min(occurred_at), max(occurred_at), max(received_at) FILTER (received_at - occurred_at < INTERVAL 1 HOUR)
FROM silver_events WHERE occurred_at <= $now AND event NOT IN ('item_update', 'served') GROUP BY site ORDER BY site
"""
_ACTS: Final = """
CREATE OR REPLACE TEMP VIEW acts AS
SELECT e.*, coalesce(a.is_bot, false) AS is_bot, CAST(occurred_at AT TIME ZONE 'UTC' AS DATE) AS day
FROM silver_events e SEMI JOIN spans s ON e.site = s.site AND e.occurred_at >= s.start AND e.occurred_at < s.until
LEFT JOIN agents a USING (user_agent)
WHERE event NOT IN ('item_update', 'served')
"""
_VISITS: Final = """
CREATE OR REPLACE TEMP VIEW visits AS
SELECT site, started_at FROM silver_sessions LEFT JOIN agents USING (user_agent) WHERE is_bot IS NOT TRUE
"""


class Span(NamedTuple):
    """The time of a site that is looked at."""

    start: datetime
    """On the hour."""
    until: datetime

    @property
    def newest_day(self) -> datetime:
        """Start of the day, in UTC, that is not over."""
        return self.until.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def open_window(database: "DuckDBPyConnection", settings: Settings, now: datetime) -> tuple[dict[str, Span], int]:
    """Make the views `acts`, `visits` and `rejected`; returns the span of each site, and the version of silver.events.

    `acts`: what visitors did, with `is_bot` (by the user agent) and their `day` in UTC. TableMissing without silver.events.
    """
    lake, events = settings.lake, delta.require(settings.lake, EVENTS.name)
    duck.show(database, "silver_events", lake, EVENTS.name, events)
    spans = {site: _span(settings, now, *times) for site, *times in database.execute(_SPANS, {"now": now}).fetchall()}
    database.execute("CREATE OR REPLACE TEMP TABLE spans (site VARCHAR, start TIMESTAMPTZ, until TIMESTAMPTZ)")
    for site, span in spans.items():
        database.execute("INSERT INTO spans VALUES (?, ?, ?)", [site, *span])
    if spans:
        first, last = min(span.start for span in spans.values()), max(span.until for span in spans.values())
        duck.show(database, "silver_events", lake, EVENTS.name, events, duck.within(events, "occurred_at", first, last))
    others = {"agents": USER_AGENTS, "silver_sessions": SESSIONS, "rejected": QUARANTINE}
    for view, table in others.items():
        duck.show(database, view, lake, table.name, delta.open_table(lake, table.name))
    database.execute(_ACTS)
    database.execute(_VISITS)
    return spans, int(events.version())


def _span(settings: Settings, now: datetime, oldest: datetime, newest: datetime, arrived: datetime | None) -> Span:
    """A site that is live, up to what had time to arrive; else up to its newest event."""
    chosen, newest = settings.anomalies, newest + timedelta(microseconds=1)
    is_live = arrived is not None and now - arrived <= LIVE
    until = now - timedelta(minutes=chosen.settle_minutes) if is_live else newest
    start = max(oldest, until - timedelta(days=chosen.days))
    return Span(start.replace(minute=0, second=0, microsecond=0), until)

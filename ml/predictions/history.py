"""What happened, with the moment at which it was known: the events that frames are cut from, at pinned versions, without a JVM.

An event is known from its arrival on. One that came later than predictions.late_hours was brought from elsewhere (an import, a
replay): nobody could have used its arrival, and it counts as known when it happened.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from nextclick.contracts.events import OUTSIDE_SESSIONS
from nextclick.contracts.silver import EVENTS
from nextclick.lake import delta
from nextclick.lake.people import human_events
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DAY: Final = 86_400_000_000
"""Microseconds, as all times here."""


class KnownEvents(NamedTuple):
    """Of which table version `history` and `linked` were made, and which time they cover."""

    table_id: str
    version: int
    oldest: int
    """First event, in microseconds since 1970-01-01 UTC."""
    newest: int
    """The newest moment of which something is known: a clock that runs ahead does not move it."""


_KNOWN_AT: Final = """
CASE WHEN received_at - occurred_at > to_microseconds($late) THEN epoch_us(occurred_at) ELSE epoch_us(received_at) END AS known_from
"""
_HISTORY: Final = f"""
CREATE OR REPLACE TEMP TABLE history AS
SELECT visitor_id, user_id, event_id, event, occurred_at, epoch_us(occurred_at) AS happened, {_KNOWN_AT},
       epoch_ms(client_time) AS client_ms, epoch_ms(received_at) AS received_ms,
       item_id, category, query, price::VARCHAR AS price, quantity, dwell_ms, channel, device
FROM silver_events WHERE site = $site AND visitor_id IS NOT NULL AND event NOT IN {OUTSIDE_SESSIONS}
"""
_LINKED: Final = f"""
CREATE OR REPLACE TEMP TABLE linked AS
SELECT site, visitor_id, user_id, event_id, event, source, occurred_at, epoch_us(occurred_at) AS happened, {_KNOWN_AT},
       {{previous}} AS previous_id
FROM every_silver_events WHERE site = $site AND user_id IS NOT NULL AND event {{which}} 'alias'
"""
_SPAN: Final = "SELECT min(happened), max(least(happened, known_from)) FROM history"


def open_history(database: "DuckDBPyConnection", settings: Settings, version: int | None = None) -> KnownEvents | None:
    """Make `history` (what people did, without bots and without what may not be learned from) and `linked` (who is who) of one
    version of silver.events, the newest by default; None where nothing is known of anybody. TableMissing without that table.
    """
    table = delta.require(settings.lake, EVENTS.name, version)
    human_events.show(database, "silver_events", settings, EVENTS.name, table, learned=True)
    params = {"site": settings.site, "late": round(settings.predictions.late_hours * 3_600_000_000)}
    database.execute(_HISTORY, params)
    database.execute(_LINKED.format(previous="NULL::VARCHAR", which="<>"), params)
    alias = _LINKED.format(previous="properties['previous_id']", which="=")
    database.execute(f"INSERT INTO linked {alias.partition(' AS')[2]}", params)
    oldest, newest = database.execute(_SPAN).fetchall()[0]
    return None if oldest is None else KnownEvents(str(table.metadata().id), table.version(), oldest, newest)

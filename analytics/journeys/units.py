"""Whose events they are: a visitor's, a person's or a visit's. Bots are left out."""

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from analytics.journeys.days import EVER, Days, widest
from nextclick.contracts.silver import EVENTS, SESSIONS
from nextclick.lake import delta, duck, human_events, persons
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Unit(StrEnum):
    """Who is counted once."""

    VISITOR = "visitor"
    PERSON = "person"
    VISIT = "visit"


_UNIT_EVENTS = {
    Unit.VISITOR: "SELECT *, visitor_id AS unit FROM events WHERE visitor_id IS NOT NULL",
    Unit.PERSON: "SELECT *, person_id AS unit FROM person_events WHERE visitor_id IS NOT NULL",
    Unit.VISIT: """
        SELECT e.*, v.session_id AS unit
        FROM events e ASOF JOIN visits v
          ON e.site = v.site AND e.visitor_id = v.visitor_id AND e.occurred_at >= v.started_at
        WHERE e.occurred_at <= v.ended_at
    """,
}


def show(database: "DuckDBPyConnection", settings: Settings, unit: Unit, days: Days, after: timedelta) -> int:
    """Make the events of the days and of the time `after` them, and perhaps more, with the `unit` whose they are the view `unit_events`.

    Returns how many rows it reads.
    """
    lake, first, behind = settings.lake, *widest(settings, days)
    events = delta.open_table(lake, EVENTS.name)
    latest = behind + after if behind < EVER[1] else behind
    some = duck.within(events, "occurred_at", first, latest) if events else None
    human_events.show(database, "events", lake, EVENTS.name, events, some=some)
    if unit == Unit.PERSON:
        persons.show(database, "person_events", "events", lake)
    if unit == Unit.VISIT:
        sessions = delta.open_table(lake, SESSIONS.name)
        some = duck.within(sessions, "ended_at", first, EVER[1]) if sessions else None
        human_events.show(database, "visits", lake, SESSIONS.name, sessions, some=some)
    database.execute(f"CREATE OR REPLACE TEMP VIEW unit_events AS {_UNIT_EVENTS[unit]}")
    [(rows,)] = database.execute("SELECT count(*) FROM every_events").fetchall()
    return int(rows)

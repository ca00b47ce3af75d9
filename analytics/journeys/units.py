"""Whose events they are: a visitor's, a person's or a visit's. Bots are left out, and suspects where the settings say so."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from analytics.journeys.days import EVER, Days, moments_sql, widest
from analytics.journeys.patterns import Values
from nextclick.contracts.silver import EVENTS, IDENTITIES, SESSIONS
from nextclick.lake import delta, duck
from nextclick.lake.people import human_events, persons
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


READS = (EVENTS.name, SESSIONS.name, IDENTITIES.name, *human_events.READS)
"""What events of units are made of."""


class Unit(StrEnum):
    """Who is counted once."""

    VISITOR = "visitor"
    PERSON = "person"
    VISIT = "visit"


_UNIT_EVENTS = {
    Unit.VISITOR: "SELECT *, visitor_id AS unit FROM events WHERE visitor_id IS NOT NULL",
    Unit.PERSON: "SELECT *, person_id AS unit FROM person_events WHERE visitor_id IS NOT NULL",
    Unit.VISIT: """
        SELECT e.*, v.{unit} AS unit
        FROM every_events e ASOF JOIN visits v
          ON e.site = v.site AND e.visitor_id = v.visitor_id AND e.occurred_at >= v.started_at
        WHERE e.occurred_at <= v.ended_at
    """,
}
"""A visit is a bot's, with all of its events, where it starts with a bot's agent; else an event is, by its own agent."""


def show(database: "DuckDBPyConnection", settings: Settings, unit: Unit, days: Days, after: timedelta) -> int:
    """Make the events of the days and of the time `after` them, and perhaps more, with the `unit` whose they are the view `unit_events`.

    Returns how many rows it reads.
    """
    first, behind = widest(settings, days)
    rows = _show_events(database, settings, first, behind + after if behind < EVER[1] else behind)
    if unit == Unit.PERSON:
        persons.show(database, "person_events", "events", settings.lake)
    if unit == Unit.VISIT:
        _show_visits(database, "visits", settings, first)
    database.execute(f"CREATE OR REPLACE TEMP VIEW unit_events AS {_UNIT_EVENTS[unit].format(unit='session_id')}")
    return rows


def show_visits(database: "DuckDBPyConnection", settings: Settings, days: Days) -> None:
    """Make the visits that start in the days the table `visits`, each with a number, `visit`, and their events the view `unit_events`."""
    _show_visits(database, "later_visits", settings, widest(settings, days)[0])
    values = Values()
    first, behind = moments_sql(settings, days, values)
    where = f"started_at >= {first} AND started_at < {behind}"
    if days.site is not None:
        where += f" AND site = {values.add(days.site)}"
    columns = "site, visitor_id, started_at, ended_at, row_number() OVER () AS visit"
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE visits AS SELECT {columns} FROM later_visits WHERE {where}", [*values]
    )
    [ends] = database.execute("SELECT min(started_at), max(ended_at) FROM visits").fetchall()
    _show_events(database, settings, *(ends if ends[0] else (EVER[1], EVER[1])))
    database.execute(f"CREATE OR REPLACE TEMP VIEW unit_events AS {_UNIT_EVENTS[Unit.VISIT].format(unit='visit')}")


def _show_events(database: "DuckDBPyConnection", settings: Settings, first: datetime, last: datetime) -> int:
    """`every_events`, and `events` without those of bots: all that lie between, and perhaps more."""
    table = delta.open_table(settings.lake, EVENTS.name)
    some = duck.within(table, "occurred_at", first, last) if table else None
    human_events.show(database, "events", settings, EVENTS.name, table, some)
    [(rows,)] = database.execute("SELECT count(*) FROM every_events").fetchall()
    return int(rows)


def _show_visits(database: "DuckDBPyConnection", view: str, settings: Settings, first: datetime) -> None:
    """Visits of people that end at `first` or later, and perhaps more."""
    table = delta.open_table(settings.lake, SESSIONS.name)
    some = duck.within(table, "ended_at", first, EVER[1]) if table else None
    human_events.show(database, view, settings, SESSIONS.name, table, some)

"""Silver's events without those of bots, for counts of what people did."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from nextclick.contracts.silver import EVENTS
from nextclick.errors import QueryError
from nextclick.lake import delta, duck
from nextclick.lake.people import human_events
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class EventsVersion(NamedTuple):
    """One version of silver.events; the view `events` of `duck` has its rows."""

    duck: "DuckDBPyConnection"
    version: int


@contextmanager
def events(settings: Settings, learned: bool = False) -> Iterator[EventsVersion]:
    """The newest silver.events, a consistent version. TableMissing before the first `nextclick run`.

    `learned` as in nextclick.lake.people.human_events.
    """
    import duckdb

    table = delta.require(settings.lake, EVENTS.name)
    with duck.connect(settings.lake) as connection:
        human_events.show(connection, "events", settings, EVENTS.name, table, learned=learned)
        try:
            yield EventsVersion(connection, int(table.version()))
        except duckdb.Error as error:
            raise QueryError(f"{EVENTS.name} cannot be asked: {error}. See docs/jobs/recovery.md.") from error

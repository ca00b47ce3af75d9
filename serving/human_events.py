"""Silver's events without those of bots, for counts of what people did."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from nextclick.contracts.silver import EVENTS
from nextclick.errors import QueryError
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake
from nextclick.lake.people import human_events

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class EventsVersion(NamedTuple):
    """One version of silver.events; the view `events` of `duck` has its rows."""

    duck: "DuckDBPyConnection"
    version: int


@contextmanager
def events(lake: Lake, unless_said: bool | None = None, without_suspects: bool = False) -> Iterator[EventsVersion]:
    """The newest silver.events, a consistent version. TableMissing before the first `nextclick run`.

    `unless_said` and `without_suspects` as in nextclick.lake.people.human_events.
    """
    import duckdb

    table = delta.require(lake, EVENTS.name)
    with duck.connect(lake) as connection:
        human_events.show(connection, "events", lake, EVENTS.name, table, unless_said, None, without_suspects)
        try:
            yield EventsVersion(connection, int(table.version()))
        except duckdb.Error as error:
            raise QueryError(f"{EVENTS.name} cannot be asked: {error}. See docs/jobs/recovery.md.") from error

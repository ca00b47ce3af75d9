"""Silver's events without those of bots, for whoever counts what people did."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from nextclick import duck
from nextclick.errors import QueryError, TableMissing
from nextclick.lake import Lake
from nextclick.tables.silver import EVENTS, USER_AGENTS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Events(NamedTuple):
    """One version of silver.events; the view `events` of `duck` has its rows."""

    duck: "DuckDBPyConnection"
    version: int


@contextmanager
def events(lake: Lake) -> Iterator[Events]:
    """The newest silver.events, a consistent version. TableMissing before the first `nextclick run`."""
    import duckdb

    table = duck.open_table(lake, EVENTS.name)
    if table is None:
        raise TableMissing(f"{EVENTS.name} was never written in {lake.root}. Call `nextclick run` first.")
    with duck.connect(lake) as connection:
        duck.show(connection, "every_event", lake, EVENTS.name, table)
        agents = duck.open_table(lake, USER_AGENTS.name)
        if agents is None:
            connection.execute("CREATE TEMP VIEW events AS FROM every_event")
        else:
            duck.show(connection, "agents", lake, USER_AGENTS.name, agents)
            connection.execute(
                "CREATE TEMP VIEW events AS FROM every_event "
                "WHERE user_agent IS NULL OR user_agent NOT IN (SELECT user_agent FROM agents WHERE is_bot)"
            )
        try:
            yield Events(connection, int(table.version()))
        except duckdb.Error as error:
            raise QueryError(f"{EVENTS.name} cannot be asked: {error}. See docs/jobs/recovery.md.") from error

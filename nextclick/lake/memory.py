"""Tables that are asked again and again: each version opened once, and held in memory from the second question on."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from nextclick.contracts.table import Layer
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

_PACKED = 4
"""Bytes in memory of one of a Parquet file, about: what is surely too large is not even read."""


class _Seen(NamedTuple):
    """A table as it was shown last."""

    log: tuple[str, int]
    """Its log_stamp."""
    table: "DeltaTable | None"
    """None: never written."""
    newest: date | None
    days: Mapping[date, Sequence[str]]
    """Its files by the day of their folders; empty where it lies in none."""
    asks: int = 0


class TableMemory:
    """The tables of a lake as views of one database, by their catalog names, such as gold.visits.

    A table that is asked of a second time at one version is held in memory, if it fits; what was not used longest makes room.
    Several threads may ask, each with the connection that it was handed.
    """

    def __init__(self, lake: Lake, most_bytes: int = 512 * 2**20, database_bytes: int | None = None) -> None:
        """`most_bytes` of tables; `database_bytes` of these and of what answers need for a moment, which then spill to disk."""
        self.lake, self.most_bytes, self._database_bytes = lake, most_bytes, database_bytes
        self._database = duck.database(lake, database_bytes)
        self._more = threading.Lock()
        self._seen: dict[str, _Seen] = {}
        self._bytes: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()
        for layer in Layer:
            self._database.execute(f"CREATE SCHEMA {layer}")
        self._database.execute("CREATE SCHEMA held")

    def connection(self, names: Iterable[str]) -> "DuckDBPyConnection":
        """A connection in which these tables are shown as they are now; the caller closes it."""
        with self._lock:
            for name in names:
                self._look(name)
                self._ask(name)
            return self._database.cursor()

    def version(self, name: str) -> int | None:
        """The version of a table that was last shown; None: never written."""
        table = self.table(name)
        return table.version() if table else None

    def stamp(self, name: str) -> tuple[str, int]:
        """Another one for each version of a table that was last shown, also where the table was made anew."""
        return self._seen[name].log

    def stamps(self, names: Iterable[str]) -> list[tuple[str, int]]:
        """Of tables as they are now."""
        return [delta.log_stamp(self.lake, name) for name in names]

    def newest_day(self, name: str) -> date | None:
        """The newest day that a table by days, or of events, has now; None where it has none, or is neither."""
        with self._lock:
            self._look(name)
        return self._seen[name].newest

    def table(self, name: str) -> "DeltaTable | None":
        """A table as it was last shown; None: never written."""
        return self._seen[name].table

    def between(self, name: str, first: date, last: date) -> str:
        """SQL of the rows of a table from `first` to `last`, and perhaps of others, as it was last shown.

        A query of a few of many days is planned sooner where it names no others.
        """
        seen = self._seen[name]
        if name in self._bytes or not seen.days:
            return name
        some = [file for day, files in seen.days.items() if first <= day <= last for file in files]
        return f"({duck.source(self.lake, name, seen.table, some)})"

    @contextmanager
    def more_memory(self) -> Iterator[None]:
        """Four times what the database may take, for what does not do with less even on disk; one thread at a time."""
        import duckdb

        with self._more:
            if self._database_bytes:
                self._database.execute(f"SET memory_limit = '{4 * self._database_bytes}B'")
            try:
                yield
            finally:
                if self._database_bytes:
                    with suppress(
                        duckdb.Error
                    ):  # where others use more now, the next one who asks for more sets it back
                        self._database.execute(f"SET memory_limit = '{self._database_bytes}B'")

    @property
    def held(self) -> dict[str, int]:
        """Tables in memory, and their bytes there."""
        return dict(self._bytes)

    def close(self) -> None:
        self._database.close()

    def _look(self, name: str) -> None:
        """Show the table anew if it moved."""
        log, seen = delta.log_stamp(self.lake, name), self._seen.get(name)
        if seen is None or seen.log != log:
            table = delta.open_table(self.lake, name)
            added = _added(table)
            self._seen[name] = _Seen(log, table, _newest_day(added), _days(added))
            self._view(name, duck.source(self.lake, name, table))
            self._drop(name)

    def _ask(self, name: str) -> None:
        asks = self._seen[name].asks + 1
        self._seen[name] = self._seen[name]._replace(asks=asks)
        if asks == 2:  # where it does not fit, it is not tried again
            self._hold(name)
        if name in self._bytes:
            self._bytes.move_to_end(name)

    def _hold(self, name: str) -> None:
        table = self._seen[name].table
        if table is None or delta.size(table) * _PACKED > self.most_bytes:
            return
        before = self._used()
        self._database.execute(f'CREATE TABLE held."{name}" AS {duck.source(self.lake, name, table)}')
        self._view(name, f'FROM held."{name}"')
        self._bytes[name] = self._used() - before
        while sum(self._bytes.values()) > self.most_bytes:
            oldest = next(iter(self._bytes))
            self._view(oldest, duck.source(self.lake, oldest, self._seen[oldest].table))
            self._drop(oldest)

    def _drop(self, name: str) -> None:
        if self._bytes.pop(name, None) is not None:
            self._database.execute(f'DROP TABLE held."{name}"')

    def _view(self, name: str, query: str) -> None:
        self._database.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")

    def _used(self) -> int:
        query = "SELECT sum(memory_usage_bytes) FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'"
        return int(self._database.execute(query).fetchall()[0][0] or 0)


def _added(table: "DeltaTable | None") -> "pa.Table":
    import pyarrow as pa

    return delta.added(table) if table else pa.table({})


def _days(added: "pa.Table") -> dict[date, list[str]]:
    days: dict[date, list[str]] = {}
    if "partition.date" in added.column_names:
        for day, path in zip(added["partition.date"].to_pylist(), added["path"].to_pylist(), strict=True):
            days.setdefault(day, []).append(path)
    return days


def _newest_day(added: "pa.Table") -> date | None:
    """By the log alone: the days of its folders, else those of its files' bounds, or in UTC those of its events."""
    import pyarrow.compute as pc

    names = [name for name in ("partition.date", "max.date", "max.occurred_at") if name in added.column_names]
    newest: date | None = pc.max(added[names[0]]).as_py() if names else None
    return newest.date() if isinstance(newest, datetime) else newest

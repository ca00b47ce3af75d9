"""Who came on which days, as numbers: what counts of people need, without their ids and their table's columns.

Each visitor of a table by days has a number. In files of this machine lie the visitors with theirs, and of each day the numbers of who
came, beside an index of the data files that these were made of. Data files never change, so where the index names those of a day, its
numbers are exact; else that day is numbered anew.
"""

import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from nextclick.errors import LakeError, TableBusy
from nextclick.lake import duck, files, locks
from nextclick.lake.day_changes import days_of
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

Numbers = NDArray[np.uint32]
_EPOCH: Final = date(1970, 1, 1)
NEVER: Final = 2**31
"""A day behind all that there are."""
_BITS: Final = 32
"""Of a number."""
_INDEX: Final = "index.json"
AT_ONCE: Final = 31
"""Days that are numbered in one query."""
_MOST_PARTS: Final = 16
"""Files of visitors: then they become one, without those who are on no day any more."""
_NOBODY: Final = "(SELECT NULL::VARCHAR AS site, NULL::VARCHAR AS visitor_id, NULL::UINTEGER AS number WHERE false)"
_HERE: Final = "CREATE OR REPLACE TEMP TABLE here AS SELECT date, site, visitor_id FROM ({rows})"
_FRESH: Final = """
CREATE OR REPLACE TEMP TABLE fresh AS
SELECT site, visitor_id, CAST({count} + row_number() OVER () - 1 AS UINTEGER) AS number
FROM (SELECT DISTINCT site, visitor_id FROM here) ANTI JOIN {known} USING (site, visitor_id)
"""
_NUMBERED: Final = """
SELECT CAST(date - DATE '1970-01-01' AS BIGINT) << {bits} | number
FROM here JOIN (FROM {known} UNION ALL FROM fresh) USING (site, visitor_id)
"""


@dataclass(frozen=True)
class VisitorDays:
    """Of one version of a table. Days are days since 1970-01-01; `site_of` has each visitor's place in `sites`."""

    sites: Sequence[str]
    site_of: Numbers
    days: Sequence[int]
    """Those that somebody came on, in order."""
    read: Callable[[int], Numbers]
    """Who came on one of them, each once."""

    def between(self, first: int, last: int) -> Iterator[tuple[int, Numbers]]:
        """Each day from `first` to `last` that somebody came on, and who."""
        return ((day, self.read(day)) for day in self.days if first <= day <= last)

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """The first day ever of each visitor; NEVER of who is on no day any more."""
        first = np.full(len(self.site_of), NEVER, np.int64)
        for day in reversed(self.days):
            first[self.read(day)] = day
        return first


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


class _Day(msgspec.Struct, frozen=True):
    """Where the numbers of a day lie: so many from the one at `start` on."""

    made_of: frozenset[str]
    file: str
    start: int
    count: int


class _Index(msgspec.Struct, frozen=True):
    days: dict[int, _Day] = {}
    visitors: tuple[str, ...] = ()
    """Files of site, visitor_id and number."""
    sites: tuple[str, ...] = ()
    site_of: str = ""
    """The file of each visitor's place in `sites`."""
    count: int = 0
    """Numbers that were given."""

    def missing(self, made_of: Mapping[int, frozenset[str]]) -> list[int]:
        """Days, in order, that it does not have of these data files."""
        return sorted(day for day, those in made_of.items() if day not in self.days or self.days[day].made_of != those)

    @property
    def made_of(self) -> dict[int, frozenset[str]]:
        """The data files of its days."""
        return {day: there.made_of for day, there in self.days.items()}

    @property
    def names(self) -> set[str]:
        """Its files."""
        return {*self.visitors, *([self.site_of] if self.site_of else []), *(day.file for day in self.days.values())}


class NumberedVisitors:
    """The numbers of one table's visitors; several threads may ask."""

    def __init__(self, lake: Lake, name: str) -> None:
        self.lake, self.name = lake, name
        self._folder = Path(lake.state, "visitor_days", name)
        self._lock = threading.Lock()
        self._table: DeltaTable | None = None
        self._days: VisitorDays | None = None
        """Of that version."""

    def at(
        self, database: "DuckDBPyConnection", table: "DeltaTable | None", most_days: int | None = None
    ) -> VisitorDays | None:
        """Of a version of the table, of which at most so many days are numbered for it.

        None where that is too few, or it was never written, or this machine cannot keep files of it, or another process does.
        """
        import duckdb

        if table is None:
            return None
        with self._lock:
            if self._table is not table:
                try:
                    index = self._current(database, table, most_days)
                except (TableBusy, LakeError, OSError, duckdb.Error):
                    return None
                if index is None:
                    return None
                self._days, self._table = self._of(index), table
            return self._days

    def _of(self, index: _Index) -> VisitorDays:
        site_of = np.fromfile(self._folder / index.site_of, np.uint32) if index.site_of else np.zeros(0, np.uint32)

        def read(day: int) -> Numbers:
            there = index.days[day]
            return np.fromfile(self._folder / there.file, np.uint32, there.count, offset=4 * there.start)

        return VisitorDays(index.sites, site_of, sorted(index.days), read)

    def _current(self, database: "DuckDBPyConnection", table: "DeltaTable", most_days: int | None) -> _Index | None:
        """The index of this version, made by who comes first; None where more days had to be numbered."""
        made_of, there = self._files(table), self._read()
        if there.made_of == made_of:
            return there
        if most_days is not None and len(there.missing(made_of)) > most_days:
            return None
        with locks.hold(self.lake.own_locks, f"visitor_days.{self.name}", purpose="the numbers of visitors"):
            return self._update(database, table, made_of, self._read())

    def _update(
        self, database: "DuckDBPyConnection", table: "DeltaTable", made_of: Mapping[int, frozenset[str]], before: _Index
    ) -> _Index:
        """The files of `before` stay until the next, since somebody may be reading them."""
        self._folder.mkdir(parents=True, exist_ok=True)
        index = self._numbered(database, table, made_of, before)
        if len(index.visitors) > _MOST_PARTS:
            used = np.flatnonzero(self._of(index).first != NEVER)
            is_sparse = 2 * len(used) < index.count
            index = (
                self._numbered(database, table, made_of, _Index()) if is_sparse else self._merged(database, index, used)
            )
        files.write(str(self._folder / _INDEX), msgspec.json.encode(index))
        for name in {*files.names(str(self._folder))} - {_INDEX} - before.names - index.names:
            files.remove(str(self._folder / name))
        return index

    def _numbered(
        self, database: "DuckDBPyConnection", table: "DeltaTable", made_of: Mapping[int, frozenset[str]], index: _Index
    ) -> _Index:
        """With the days of `made_of`, those of other data files numbered anew."""
        missing = index.missing(made_of)
        same = {day: index.days[day] for day in made_of.keys() - {*missing}}
        index = msgspec.structs.replace(index, days=same)
        for start in range(0, len(missing), AT_ONCE):
            days = missing[start : start + AT_ONCE]
            rows = duck.source(self.lake, self.name, table, frozenset().union(*(made_of[day] for day in days)))
            database.execute(_HERE.format(rows=rows))
            database.execute(_FRESH.format(count=index.count, known=self._known(index)))
            [keys] = duck.arrow(database, _NUMBERED.format(bits=_BITS, known=self._known(index)), {}).columns
            index = self._with_days(
                self._with_fresh(database, index), {day: made_of[day] for day in days}, keys.to_numpy()
            )
        return index

    def _known(self, index: _Index) -> str:
        paths = ", ".join(duck.text(str(self._folder / name)) for name in index.visitors)
        return f"read_parquet([{paths}])" if paths else _NOBODY

    def _with_fresh(self, database: "DuckDBPyConnection", index: _Index) -> _Index:
        """With the visitors of `fresh`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        fresh = duck.arrow(database, "SELECT site, number FROM fresh", {})
        sites = (*index.sites, *sorted({*pc.unique(fresh["site"]).to_pylist()} - {*index.sites}))
        site_of = np.concatenate([self._of(index).site_of, np.zeros(len(fresh), np.uint32)])
        site_of[fresh["number"].to_numpy()] = pc.index_in(
            fresh["site"], value_set=pa.array(sites, pa.string())
        ).to_numpy()
        return msgspec.structs.replace(
            index,
            visitors=(*index.visitors, *([self._copied(database, "FROM fresh")] if len(fresh) else [])),
            sites=sites,
            site_of=self._written(site_of),
            count=len(site_of),
        )

    def _with_days(self, index: _Index, made_of: Mapping[int, frozenset[str]], keys: NDArray[np.int64]) -> _Index:
        """With these days, of whose rows `keys` has the day, and below it the visitor's number."""
        keys = np.unique(keys)  # which puts them in order
        file = self._written(keys)
        new = dict[int, _Day]()
        for day, those in made_of.items():
            start, end = np.searchsorted(keys, [day << _BITS, day + 1 << _BITS]).tolist()
            new[day] = _Day(those, file, start, end - start)
        return msgspec.structs.replace(index, days=index.days | new)

    def _merged(self, database: "DuckDBPyConnection", index: _Index, used: NDArray[np.int64]) -> _Index:
        """With one file of visitors, those of whom `used` has the number."""
        database.execute("CREATE OR REPLACE TEMP TABLE used AS SELECT unnest($1) AS number", [used.tolist()])
        rows = f"FROM {self._known(index)} SEMI JOIN used USING (number)"
        return msgspec.structs.replace(index, visitors=(self._copied(database, rows),))

    def _copied(self, database: "DuckDBPyConnection", rows: str) -> str:
        name = f"{secrets.token_hex(4)}.parquet"
        database.execute(f"COPY ({rows}) TO {duck.text(str(self._folder / name))} (FORMAT parquet)")
        return name

    def _written(self, numbers: NDArray[Any]) -> str:
        name = f"{secrets.token_hex(4)}.u4"
        files.write(str(self._folder / name), numbers.astype("<u4").tobytes())
        return name

    def _files(self, table: "DeltaTable") -> dict[int, frozenset[str]]:
        """The data files of each day."""
        made_of = defaultdict[int, set[str]](set)
        for file in duck.files(table):
            [day] = days_of(self.name, frozenset({file}))
            made_of[day_number(day)].add(file)
        return {day: frozenset(those) for day, those in made_of.items()}

    def _read(self) -> _Index:
        """What another process may have made; nothing where that is damaged, or its files are gone."""
        with suppress(OSError, msgspec.DecodeError):
            index = msgspec.json.decode(files.read(str(self._folder / _INDEX)) or b"{}", type=_Index)
            if index.names <= {*files.names(str(self._folder))}:
                return index
        return _Index()

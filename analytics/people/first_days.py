"""The first day ever of each visitor of a table by days, without reading all of its days at each question.

They lie in files of this machine, one a month, beside an index of the data files that they were made of. Those never change, so where
the index names the files of a table's version, what it says is exact; else only the visitors of the days that changed are looked at.
"""

import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from nextclick.errors import LakeError, TableBusy
from nextclick.lake import duck, files, locks
from nextclick.lake.day_changes import days_of
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

_INDEX: Final = "index.json"
_NOBODY: Final = "(SELECT NULL::VARCHAR AS site, NULL::VARCHAR AS visitor_id, NULL::DATE AS first_date WHERE false)"
_MOVED: Final = """
CREATE OR REPLACE TEMP TABLE here AS
SELECT site, visitor_id, min(date) AS here_date FROM ({changed}) GROUP BY site, visitor_id;
CREATE OR REPLACE TEMP TABLE looked_at AS
SELECT site, visitor_id, first_date AS old_date, here_date,
       first_date IN ({days}) AND (here_date IS NULL OR here_date > first_date) AS is_gone
FROM {known} FULL JOIN here USING (site, visitor_id) WHERE here_date IS NOT NULL OR first_date IN ({days});
CREATE OR REPLACE TEMP TABLE moved AS
SELECT * FROM (
    SELECT site, visitor_id, CASE WHEN is_gone THEN ever_date ELSE least(old_date, here_date) END AS first_date, old_date
    FROM looked_at LEFT JOIN (
        SELECT site, visitor_id, min(date) AS ever_date
        FROM ({whole}) SEMI JOIN (FROM looked_at WHERE is_gone) USING (site, visitor_id) GROUP BY site, visitor_id
    ) USING (site, visitor_id)
) WHERE first_date IS DISTINCT FROM old_date
"""
"""Visitors who are on days that changed, or first were. Only whose first day is gone has all days searched."""
_TOUCHED: Final = """
SELECT DISTINCT strftime(date, '%Y-%m') FROM (SELECT unnest([first_date, old_date]) AS date FROM moved) WHERE date IS NOT NULL
"""
_OF_MONTH: Final = """
SELECT site, visitor_id, first_date FROM {stayed} ANTI JOIN moved USING (site, visitor_id)
UNION ALL SELECT site, visitor_id, first_date FROM moved WHERE strftime(first_date, '%Y-%m') = '{month}'
ORDER BY first_date
"""


def plain(table: str) -> str:
    """SQL of site, visitor_id and first_date, of all rows of `table`."""
    return f"(SELECT site, visitor_id, min(date) AS first_date FROM {table} GROUP BY site, visitor_id)"


class _Index(msgspec.Struct):
    made_of: frozenset[str] = frozenset()
    """Data files of the table."""
    months: dict[str, str] = {}
    """Month, such as 2026-01 → file of the visitors who first came in it."""


class FirstDays:
    """Of one table; several threads may ask."""

    def __init__(self, lake: Lake, name: str) -> None:
        self.lake, self.name = lake, name
        self._folder = f"{lake.state}/first_days/{name}"
        self._lock = threading.Lock()
        self._index = _Index()
        self._table: DeltaTable | None = None
        """Of which version the index is."""

    def between(self, database: "DuckDBPyConnection", table: "DeltaTable | None", first: date, last: date) -> str:
        """SQL as `plain`, of who came first from `first` to `last`, and perhaps of others, in a version of the table (None: never written).

        Where this machine may not keep files, or another process is making them, it is `plain` itself.
        """
        if table is None:
            return plain(self.name)
        with self._lock:
            try:
                if self._table is not table:
                    self._index, self._table = self._current(database, table), table
            except (TableBusy, LakeError, OSError):
                return plain(self.name)
            since, until = first.isoformat()[:7], last.isoformat()[:7]
            return self._rows(name for month, name in self._index.months.items() if since <= month <= until)

    def _rows(self, names: Iterable[str]) -> str:
        paths = ", ".join(duck.text(f"{self._folder}/{name}") for name in sorted(names))
        return f"read_parquet([{paths}])" if paths else _NOBODY

    def _read(self) -> _Index:
        """What another process may have made; nothing where that is damaged, or its files are gone."""
        with suppress(OSError, msgspec.DecodeError):
            index = msgspec.json.decode(files.read(f"{self._folder}/{_INDEX}") or b"{}", type=_Index)
            if {*index.months.values()} <= {*files.names(self._folder)}:
                return index
        return _Index()

    def _current(self, database: "DuckDBPyConnection", table: "DeltaTable") -> _Index:
        """The index of this version, made by who comes first."""
        made_of = duck.files(table)
        if (before := self._read()).made_of == made_of:
            return before
        with locks.hold(self.lake.own_locks, f"first_days.{self.name}", purpose="the first days of visitors"):
            return self._update(database, table, made_of, self._read())

    def _update(
        self, database: "DuckDBPyConnection", table: "DeltaTable", made_of: frozenset[str], before: _Index
    ) -> _Index:
        """The files of `before` stay until the next, since somebody may be reading them."""
        days = days_of(self.name, before.made_of ^ made_of) if before.made_of else None
        some = {file for file in made_of if days_of(self.name, frozenset({file})) <= days} if days else made_of
        database.execute(
            _MOVED.format(
                whole=duck.source(self.lake, self.name, table),
                changed=duck.source(self.lake, self.name, table, some),
                known=self._rows(before.months.values()),
                days=", ".join(f"DATE '{day}'" for day in sorted(days or [date.min])),
            )
        )
        written = dict(self._write(database, before.months))
        months = {month: name for month, name in (before.months | written).items() if name}
        files.write(f"{self._folder}/{_INDEX}", msgspec.json.encode(_Index(made_of, months)))
        for name in {*files.names(self._folder)} - {_INDEX, *before.months.values(), *months.values()}:
            files.remove(f"{self._folder}/{name}")
        return _Index(made_of, months)

    def _write(self, database: "DuckDBPyConnection", before: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Months that visitors of `moved` came to or left, each with its new file; with none where nobody is left."""
        Path(self._folder).mkdir(parents=True, exist_ok=True)
        touched = database.execute(_TOUCHED).fetchall()
        for (month,) in touched:
            name = f"{month}-{secrets.token_hex(4)}.parquet"
            stayed = self._rows([before[month]] if month in before else [])
            rows = _OF_MONTH.format(stayed=stayed, month=month)
            target = duck.text(f"{self._folder}/{name}")
            [(count,)] = database.execute(f"COPY ({rows}) TO {target} (FORMAT parquet)").fetchall()
            yield month, name if count else ""

"""Which rows of a table differ from those of a former copy, by the files of its tables where these tell, else by digests of its days."""

import re
from collections.abc import Mapping, Set
from datetime import date
from functools import cache
from typing import Final, NamedTuple

from analytics.copies.contents import Copied, Origin, PinnedLake, lies_by_days
from nextclick.contracts import catalog

_WORD: Final = re.compile(r"\w+")
Parts = Mapping[str, str]
"""Day, or nothing for rows of none → digest, as `parts` of Origin."""


class Changed(NamedTuple):
    """What has to be written of a table."""

    rows: str
    """A query; it stands until the next table is asked for."""
    days: Set[date | None] | None
    """The days that they are of; None: all that there are."""
    parts: Parts
    """For `Origin`."""


class Changes:
    """Of one copy: tables are read once for all that look at all of their days, which is mostly the opening of files."""

    def __init__(self, lake: PinnedLake) -> None:
        self._lake, self._database = lake, lake.database

    def since(self, table: Copied, last: Origin | None) -> Changed:
        """The rows of days that differ from a copy that was made of `last`, or all."""
        days = self._lake.changed_days(table, last)
        if table.by_day and table.firsts:
            parts = self._parts(self._first_days(table.reads[0], table.firsts), "first_date")
            if last and days is not None:
                days |= _differing(last.parts, parts)
            return Changed(self._rows(table, days), days, parts)
        if table.is_of_days_alone:
            return Changed(self._rows(table, days), days, {})
        return self._by_digests(table, days, last)

    def _by_digests(self, table: Copied, days: Set[date | None] | None, last: Origin | None) -> Changed:
        """No other days than these are looked at, and the rows are counted before it is known which differ."""
        self._database.execute(f"CREATE OR REPLACE TEMP TABLE held AS {self._rows(table, days)}")
        parts = self._parts("held", table.day)
        if last is None:
            return Changed("FROM held", None, parts)
        if days is not None:
            parts = {day: digest for day, digest in last.parts.items() if _day(day) not in days} | parts
        differing = _differing(last.parts, parts)
        return Changed("FROM held", None if differing and table.day is None else differing, parts)

    def _parts(self, rows: str, day: str | None) -> dict[str, str]:
        day = f"coalesce(CAST(\"{day}\" AS VARCHAR), '')" if day else "''"
        query = f"SELECT {day}, concat(count(*), '-', sum(hash({rows}))) FROM {rows} GROUP BY ALL"
        return dict(self._database.execute(query).fetchall())

    def _rows(self, table: Copied, days: Set[date | None] | None) -> str:
        """The query of its rows of these days, or of all, with its tables shown as it needs them."""
        query = table.query
        if table.firsts:
            query = query.replace(table.firsts, self._first_days(table.reads[0], table.firsts))
        for name in table.reads:
            is_read = lies_by_days(name) and not table.by_day
            self._lake.show(name, self._in_memory(name) if is_read else self._lake.source(name, days))
        return f"SELECT * FROM ({query}) WHERE {table.where(days)}"

    @cache  # noqa: B019  it lives as long as the copy is written
    def _first_days(self, name: str, firsts: str) -> str:
        """A temporary table of who came first on which day."""
        self._lake.show(name, self._in_memory(name))
        view = f"first_days_in_{name.replace('.', '_')}"
        self._database.execute(f"CREATE TEMP TABLE {view} AS FROM {firsts}")
        return view

    @cache  # noqa: B019  it lives as long as the copy is written
    def _in_memory(self, name: str) -> str:
        """The query of a table that was read with the columns that are named by who looks at all of its days."""
        looking = (table for table in self._lake.copied if name in table.reads and name != table.name)
        words = {*_WORD.findall(" ".join(table.firsts if table.by_day else table.query for table in looking))}
        columns = ", ".join(f'"{column.name}"' for column in catalog.table(name).columns if column.name in words)
        read = name.replace(".", "_")
        self._database.execute(f"CREATE TEMP TABLE {read} AS SELECT {columns} FROM ({self._lake.source(name)})")
        return f"FROM {read}"


def _differing(former: Parts, parts: Parts) -> frozenset[date | None]:
    return frozenset(_day(day) for day, _ in former.items() ^ parts.items())


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None

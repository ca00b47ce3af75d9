"""What a copy holds: the tables of gold as their contracts have them, and the reports, all of one version of each table."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from analytics import views
from analytics.people.first_days import plain
from analytics.report import Report, earliest_today
from nextclick.contracts import catalog
from nextclick.contracts.duckdb_types import duckdb_type
from nextclick.contracts.table import Column, Layer, Table
from nextclick.errors import LakeError, UsageError
from nextclick.lake import delta, duck
from nextclick.lake.day_changes import DayCursor, cursor_at, days_since, files_of
from nextclick.lake.sql import View
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TYPES: Final = {"VARCHAR": "string", "TIMESTAMP WITH TIME ZONE": "timestamp", "INTEGER": "int", "HUGEINT": "bigint"}
"""Types of DuckDB as contracts name them, where the names differ. A sum of counts is a count."""

SHARED: Final = Table(
    name="report.shared",
    doc="Of which versions of the lake's tables this copy is.",
    columns=(
        Column("table_name", "string", "The table of the copy.", nullable=False),
        Column("version", "bigint", "Delta version of the lake's table of this name; null of a report."),
        Column("at", "timestamp", "When the copy was last brought to what the lake held.", nullable=False),
        Column(
            "origin", "string", "JSON: the versions of the lake's tables that the rows are made of.", nullable=False
        ),
    ),
    key=("table_name",),
    job="share",
)


class Origin(msgspec.Struct, frozen=True):
    """What the rows of a copied table are made of."""

    form: str
    """Another one where its query is another."""
    tables: dict[str, DayCursor]
    """The versions of the lake's tables; one that was never written is not in it."""
    parts: dict[str, str] = {}
    """Where files do not tell which rows changed: of each day (empty: of no day) a digest of its rows, or of who came first on it."""


class Written(NamedTuple):
    """What was done for one table of a copy."""

    table: str
    version: int | None
    """Delta version of the lake's table; None of a report, or where it was never written."""
    rows: int | None
    """Rows that were written; None of a view, which makes them when it is asked."""
    days: int | None = None
    """Days that they are of; None where the whole table was written."""

    @property
    def said(self) -> str:
        """How much was written, in words."""
        if self.rows is None:
            return "a view"
        return f"{self.rows:,} rows" + ("" if self.days is None else f" of {self.days:,} changed days")


@dataclass(frozen=True)
class Copied:
    """A table of a copy."""

    name: str
    doc: str
    query: str
    """What its rows are, in the SQL of `PinnedLake.database`."""
    reads: tuple[str, ...]
    by_day: bool
    """Its rows of a day follow from the rows of that day in those of its tables that lie by days, and from all rows of the others."""
    describe: Callable[[], tuple[Column, ...]]
    firsts: str = ""
    """SQL in the query of who came first on which day: its rows of a day follow also from those of that day."""

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Looked up where they are wanted: a query is bound for it, and of most tables nothing has changed."""
        return self.describe()

    @property
    def day(self) -> str | None:
        """The column of a day, by which it may be written in parts."""
        return next((column.name for column in self.columns if column.type == "date"), None)

    @property
    def is_of_days_alone(self) -> bool:
        """Nothing but a day's rows says what its rows of that day are."""
        return self.by_day and all(map(lies_by_days, self.reads))

    @property
    def form(self) -> str:
        """Another one where its query is another."""
        return hashlib.sha256(self.query.encode()).hexdigest()[:16]

    def where(self, days: Collection[date | None] | None) -> str:
        """The condition of rows of these days (None among them: of no day), or of all; DuckDB and PostgreSQL take the same text."""
        if days is None:
            return "true"
        listed = ", ".join(f"DATE '{day}'" for day in sorted(filter(None, days)))
        terms = [f'"{self.day}" IN ({listed})'] * bool(listed) + [f'"{self.day}" IS NULL'] * (None in days)
        return " OR ".join(terms) or "false"


@contextmanager
def pinned(settings: Settings) -> Iterator["PinnedLake"]:
    """The lake as it is now, for one copy; LakeError where a table cannot be read."""
    import duckdb

    try:
        with duck.database(settings.lake) as database:
            yield PinnedLake(settings, database)
    except duckdb.Error as error:
        raise LakeError(
            f"The copy cannot be made: {error}. The former one is as it was. Tables are checked by `nextclick check`; "
            "see docs/jobs/recovery.md."
        ) from error


class PinnedLake:
    """The tables of a lake at their newest versions, as these were when it was opened, as views of a database once they are shown."""

    def __init__(self, settings: Settings, database: "DuckDBPyConnection") -> None:
        self.lake, self.database, self._settings = settings.lake, database, settings.analytics
        gold = [table.name for table in catalog.TABLES if table.layer is Layer.GOLD]
        names = dict.fromkeys([*gold, *(name for report in views.views() for name in report.reads)])
        self._tables = {name: delta.open_table(self.lake, name) for name in names}
        for layer in Layer:
            database.execute(f"CREATE SCHEMA {layer}")
        self._shown = dict[str, str]()
        self.copied = (*map(_of_gold, gold), *map(self._of_report, views.views()))

    def like(self, patterns: Sequence[str]) -> list[Copied]:
        """The tables of a copy whose names are like one of the patterns; UsageError where a pattern names none."""
        for pattern in patterns:
            if not any(fnmatchcase(table.name, pattern) for table in self.copied):
                names = ", ".join(table.name for table in self.copied)
                raise UsageError(f"No table that can be shared is called {pattern!r}. There are: {names}.")
        return [table for table in self.copied if any(fnmatchcase(table.name, pattern) for pattern in patterns)]

    def origin(self, table: Copied) -> Origin:
        """What its rows are made of now."""
        tables = {name: cursor_at(source) for name in table.reads if (source := self._tables[name])}
        return Origin(table.form, tables)

    def version(self, table: Copied) -> int | None:
        """The version of the lake's table of the same name, if there is one."""
        source = self._tables.get(table.name)
        return source.version() if source else None

    def shared(self, table: Copied, origin: Origin) -> dict[str, Any]:
        """The row of SHARED for a table."""
        said = msgspec.json.encode(origin).decode()
        return {"table_name": table.name, "version": self.version(table), "at": datetime.now(UTC), "origin": said}

    def changed_days(self, table: Copied, last: Origin | None) -> Set[date | None] | None:
        """Days on which rows of its tables changed since a copy that was made of `last`; None where any row of its own may have."""
        if last is None or last.form != table.form or not table.by_day:
            return None
        changed = [self._days_since(name, last.tables.get(name)) for name in table.reads]
        return None if None in changed else frozenset[date | None]().union(*filter(None, changed))

    def show_whole(self) -> None:
        """Show all rows of all tables, for who asks the queries as they are."""
        for name in self._tables:
            self.show(name, self.source(name))

    def show(self, name: str, query: str) -> None:
        """Make a table the view of such a query."""
        if self._shown.get(name) != query:
            self.database.execute(f"CREATE OR REPLACE VIEW {name} AS {query}")
            self._shown[name] = query

    def source(self, name: str, days: Set[date | None] | None = None) -> str:
        """Its rows, and of a table by days no file of others than these: a query of few files is planned sooner."""
        source = self._tables[name]
        if source is None or days is None or not lies_by_days(name):
            return duck.source(self.lake, name, source)
        return duck.source(self.lake, name, source, files_of(duck.files(source), days))

    @cache  # noqa: B019  one copy's alone
    def _days_since(self, name: str, last: DayCursor | None) -> Set[date] | None:
        """None: any, or it lies by no days and has changed."""
        source = self._tables[name]
        if source is None:
            return None if last else frozenset()
        if lies_by_days(name):
            return days_since(self.lake, name, source, last)
        return frozenset[date]() if last == cursor_at(source) else None

    @cached_property
    def _without_rows(self) -> "DuckDBPyConnection":
        """The tables with no file that a query would be bound to."""
        database = duck.database(self.lake)
        for layer in Layer:
            database.execute(f"CREATE SCHEMA {layer}")
        for name in self._tables:
            database.execute(f"CREATE VIEW {name} AS {duck.source(self.lake, name, None)}")
        return database

    def _of_report(self, report: Report) -> Copied:
        view = views.of_report(self._settings, report, earliest_today(self._settings, datetime.now(UTC)))
        firsts = plain(report.reads[0]) if "{firsts}" in report.rows else ""
        described = partial(self._described, view)
        return Copied(view.name, report.doc, view.query, report.reads, _follows_days(report), described, firsts)

    def _described(self, view: View) -> tuple[Column, ...]:
        described = self._without_rows.execute(f"DESCRIBE {view.query}").fetchall()
        return tuple(Column(name, _contract_type(kind), view.comments.get(name, "")) for name, kind, *_ in described)


def _of_gold(name: str) -> Copied:
    table = catalog.table(name)
    listed = ", ".join(f'"{column.name}"::{duckdb_type(column.type)} AS "{column.name}"' for column in table.columns)
    query = f"SELECT {listed} FROM {name}"
    return Copied(name, table.doc, query, (name,), lies_by_days(name), lambda: table.columns)


def _follows_days(report: Report) -> bool:
    """Whether its rows of a day look at no other day of its tables by days."""
    of_its_day = report.date == "date" and report.around == 0 and not (report.looks_back or report.onwards)
    return of_its_day and any(map(lies_by_days, report.reads))


def lies_by_days(name: str) -> bool:
    return catalog.table(name).partitioned_by == ("date",)


def _contract_type(kind: str) -> str:
    """A type of DuckDB's in the words of contracts."""
    return _TYPES.get(kind, kind.lower())

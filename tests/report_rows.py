"""Reports over rows that lie in memory: what a test writes is what the tables hold."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any, cast

import duckdb

from analytics.answers import Answer, Reports
from analytics.catalog import report
from nextclick.contracts import catalog
from nextclick.contracts.table import Column
from nextclick.lake import duck
from nextclick.lake.memory import TableMemory
from nextclick.lake.paths import lake_at
from nextclick.settings import AnalyticsSettings, load
from tests.table_rows import arrow

TODAY = date(2026, 2, 1)
Rows = Mapping[str, Iterable[Mapping[str, Any]]]
SETTINGS = load("/nowhere", environ={}).analytics


_loaded: list[tuple["_Tables", tuple[str, ...]]] = []
"""Whose rows the database holds."""


@cache
def _database() -> duckdb.DuckDBPyConnection:
    return duck.database(_Tables.lake)


class _Tables:
    """As nextclick.lake.memory.TableMemory shows them."""

    lake = lake_at("/nowhere")

    def __init__(self, tables: Rows) -> None:
        self.tables = {name: arrow(name, rows) for name, rows in tables.items()}

    def connection(self, names: Iterable[str]) -> duckdb.DuckDBPyConnection:
        database, wanted = _database().cursor(), (self, tuple(names))
        if _loaded == [wanted]:
            return database
        _loaded[:] = [wanted]
        for name in wanted[1]:
            rows = self.tables[name] if name in self.tables else arrow(name, [])
            database.register("rows", rows)
            database.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
            database.execute(f"CREATE OR REPLACE TABLE {name} AS FROM rows")
        return database

    def version(self, name: str) -> int:
        return 0

    def stamp(self, name: str) -> tuple[str, int]:
        return name, 0

    def table(self, name: str) -> None:
        return None

    def between(self, name: str, first: date, last: date) -> str:
        return name

    def newest_day(self, name: str) -> date | None:
        rows = self.tables.get(name)
        return max(rows["date"].to_pylist(), default=None) if rows and "date" in rows.column_names else None


def reports(
    tables: Rows, today: date = TODAY, settings: AnalyticsSettings = SETTINGS, leave_out_suspects: bool = False
) -> Reports:
    noon = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    return Reports(cast(TableMemory, _Tables(tables)), settings, noon, leave_out_suspects=leave_out_suspects)


def answer(name: str, tables: Rows, today: date = TODAY, **asked: Any) -> Answer:
    """Of the whole of 2026 up to yesterday, where nobody says another range."""
    return answer_of(reports(tables, today), name, **asked)


def answer_of(there: Reports, name: str, **asked: Any) -> Answer:
    year = {"first": "2026-01-01", "last": "yesterday"} if report(name).is_of_days else {}
    return there.answer(there.question(report(name), **year | asked))


def rows(answer: Answer) -> list[dict[str, Any]]:
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def figures(answer: Answer, *names: str) -> dict[Any, Any]:
    """What the rows are of → the figures of these names; one name: its figure."""
    groups = len(answer.question.by)
    at = [answer.columns.index(name) for name in names]
    keys = (row[:groups] if groups > 1 else row[0] for row in answer.rows)
    return {
        key: row[at[0]] if len(at) == 1 else tuple(row[i] for i in at)
        for key, row in zip(keys, answer.rows, strict=True)
    }


_WORDS: Mapping[str, Sequence[Any]] = {
    "event_id": range(1000),
    "session_id": range(1000),
    "started_at": (datetime(2026, 1, 1, tzinfo=UTC),),
    "ended_at": (datetime(2026, 1, 9, tzinfo=UTC), datetime(2026, 1, 21, tzinfo=UTC)),
    "event": ("click", "request", "play", "level_start", "level_complete", "search", "view_item"),
    "user_agent": ("a", None),
}
_PROPERTIES = ("label", "target", "level", "percent", "value", "error", "app_version")


def drawn(name: str, seed: int, number: int = 30) -> list[dict[str, Any]]:
    """Rows of a table with few values a column, so that they meet in groups; each key once."""
    random, table = Random(f"{name} {seed}"), catalog.table(name)
    unique = [{column.name: _drawn(column, random) for column in table.columns} for _ in range(number)]
    return list({tuple(str(row[column]) for column in table.key): row for row in unique}.values())


def _drawn(column: Column, random: Random) -> Any:
    if column.nullable and random.random() < 0.2:
        return None
    if choices := column.one_of or _WORDS.get(column.name):
        choice = random.choice(choices)
        return str(choice) if isinstance(choice, int) else choice
    match column.type:
        case "string":
            return random.choice(["a", "b", "c"])
        case "bigint" | "int":
            return random.randint(int(column.minimum or 0), 9)
        case "double" | "float":
            return random.randint(0, 100) / 4
        case "boolean":
            return random.random() < 0.5
        case "date":
            return date(2026, 1, random.randint(1, 20))
        case "timestamp":
            return datetime(2026, 1, random.randint(1, 20), random.randint(0, 23), tzinfo=UTC)
    if column.type.startswith("map<string,string"):
        return [(name, random.choice(["static", "50", ""])) for name in _PROPERTIES if random.random() < 0.7]
    if column.type.startswith("map<string,double"):
        return [("ctr", random.random())]
    if column.type.startswith("map"):
        return [(key, random.randint(1, 9)) for key in random.sample(["EUR", "USD"], random.randint(0, 2))]
    if column.type.startswith("decimal"):
        return Decimal(random.randint(0, 400)) / 4
    return [] if column.type.startswith("array") else None

"""DuckDB's view of a table: the contract's columns, whatever its files hold, and no file opened that a query does not need."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from nextclick.contracts import catalog
from nextclick.contracts.duckdb_types import duckdb_type
from nextclick.lake import duck, sql
from nextclick.lake.delta import require
from nextclick.lake.memory import TableMemory
from nextclick.lake.paths import Lake, lake_at
from tests.table_rows import arrow_type, write

TRAFFIC, EVENTS = "gold.traffic_daily", "silver.events"
DAYS = [date(2026, 1, day) for day in range(1, 6)]
CONTRACTS = {table.name: table for table in catalog.TABLES}


@pytest.fixture(params=["lake", "what? *#1 ä'x"])
def lake(tmp_path: Path, request: pytest.FixtureRequest) -> Lake:
    return lake_at(tmp_path / request.param)


def asked_of_duckdb(lake: Lake, query: str) -> list[tuple[object, ...]]:
    with duck.connect(lake) as database:
        duck.show(database, "traffic", lake, TRAFFIC, require(lake, TRAFFIC))
        return database.execute(query.format("traffic")).fetchall()


def asked_of_sql(lake: Lake, query: str) -> list[tuple[object, ...]]:
    return sql.ask(lake, query.format(TRAFFIC))[1]


@pytest.mark.parametrize("ask", [asked_of_duckdb, asked_of_sql])
def test_a_query_of_one_day_opens_the_files_of_that_day_alone(
    lake: Lake, ask: Callable[[Lake, str], list[tuple[object, ...]]]
) -> None:
    write(lake, TRAFFIC, [{"date": day, "sessions": day.day} for day in DAYS])
    for file in Path(lake.table(TRAFFIC)).glob("date=*/*.parquet"):
        if "date=2026-01-03" not in file.parts:
            file.write_bytes(b"not a Parquet file")
    for where in (
        "date = '2026-01-03'",
        "date BETWEEN '2026-01-03' AND '2026-01-03'",
        "date > '2026-01-02' AND date < '2026-01-04'",
    ):
        assert ask(lake, f"SELECT date, sum(sessions) FROM {{0}} WHERE {where} GROUP BY date") == [(DAYS[2], 3)]


def test_a_view_is_made_without_opening_a_file(lake: Lake) -> None:
    write(lake, TRAFFIC, [{"date": DAYS[0]}])
    for file in Path(lake.table(TRAFFIC)).glob("date=*/*.parquet"):
        file.write_bytes(b"not a Parquet file")
    described = asked_of_duckdb(lake, "DESCRIBE {0}")
    assert [row[0] for row in described] == list(catalog.table(TRAFFIC).column_names)


def test_a_table_by_days_is_read_also_where_it_was_written_without_folders(lake: Lake) -> None:
    write(lake, TRAFFIC, [{"date": day, "sessions": day.day} for day in DAYS], partition_by=None)
    assert asked_of_duckdb(lake, "SELECT date, sessions FROM {0} WHERE date > '2026-01-03' ORDER BY 1") == [
        (DAYS[3], 4),
        (DAYS[4], 5),
    ]
    assert TableMemory(lake).newest_day(TRAFFIC) == DAYS[-1]


def test_files_older_than_a_column_have_nulls_there(lake: Lake) -> None:
    newer = [{"date": DAYS[1], "revenue": [("EUR", Decimal(2))]}]
    columns = [column for column in catalog.table(TRAFFIC).columns if column.name not in ("revenue", "views")]
    older = pa.schema([(column.name, arrow_type(column.type)) for column in columns])
    values = {"date": DAYS[0], "site": "s", "channel": "direct", "sessions": 7}
    row = pa.Table.from_pylist([values], older)
    write_deltalake(lake.table(TRAFFIC), row, partition_by=["date"])
    write(lake, TRAFFIC, newer, schema_mode="merge")
    query = "SELECT sessions, views, revenue FROM {0} ORDER BY date"
    assert asked_of_duckdb(lake, query) == [(7, None, None), (1, 1, {"EUR": Decimal(2)})]


def test_a_table_that_was_never_written_is_there_and_empty() -> None:
    with duck.connect(lake_at("/nowhere")) as database:
        for contract in CONTRACTS.values():
            types = [(column.name, arrow_type(column.type)) for column in contract.columns]
            database.register("expected", pa.schema(types).empty_table())
            nothing = duck.source(lake_at("/nowhere"), contract.name, None)
            assert (
                database.execute(f"DESCRIBE {nothing}").fetchall() == database.execute("DESCRIBE expected").fetchall()
            )
            assert database.execute(nothing).fetchall() == []


def test_types_within_types_are_written_as_duckdb_writes_them() -> None:
    assert duckdb_type("timestamp") == "TIMESTAMPTZ"
    assert duckdb_type("map<string,decimal(38,4)>") == "MAP(VARCHAR, decimal(38,4))"
    assert duckdb_type("array<struct<at:timestamp,first:struct<id:string>>>") == (
        'STRUCT("at" TIMESTAMPTZ, "first" STRUCT("id" VARCHAR))[]'
    )


def test_of_a_table_by_arrival_files_are_left_out_by_what_the_log_says_of_them(lake: Lake) -> None:
    for day in DAYS:
        write(
            lake,
            EVENTS,
            [{"occurred_at": datetime(day.year, day.month, day.day, hour, tzinfo=UTC)} for hour in (0, 23)],
        )
    table = require(lake, EVENTS)
    within = duck.within(table, "occurred_at", datetime(2026, 1, 2, 23, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC))
    assert len(duck.files(table)) == 5
    with duck.connect(lake) as database:
        duck.show(database, "events", lake, EVENTS, table, within)
        assert database.execute("SELECT DISTINCT occurred_at::date FROM events ORDER BY 1").fetchall() == [
            (day,) for day in DAYS[1:4]
        ]


def test_connections_of_a_process_see_nothing_of_each_other(tmp_path: Path) -> None:
    with duck.connect(lake_at(tmp_path / "one")) as one, duck.connect(lake_at(tmp_path / "other")) as other:
        one.execute("CREATE TEMP TABLE mine AS SELECT 1")
        with pytest.raises(duckdb.CatalogException, match="mine"):
            other.execute("FROM mine")
        other.register("mine", pa.table({"number": [2]}))
        assert (one.sql("FROM mine").fetchall(), other.sql("FROM mine").fetchall()) == ([(1,)], [(2,)])

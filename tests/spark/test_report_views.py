"""report.* views: DuckDB and Spark give equal rows from one text."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from analytics import views
from analytics.catalog import report
from nextclick.lake import duck
from nextclick.lake.paths import lake_at
from nextclick.settings import load
from tests.report_rows import drawn
from tests.table_rows import arrow

pytestmark = [pytest.mark.spark, pytest.mark.slow]

ZONES = load("/nowhere", environ={"NEXTCLICK_ANALYTICS__TIMEZONES": '{"a": "Europe/Berlin"}'}).analytics
TODAY = date(2026, 1, 18)


FORMS = ("revenue", "active", "retention_week", "files", "campaigns", "quality")
"""Views that have what is translated, each in one form at least; the others come with `make stress`."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same rows in both engines."""
    folder = tmp_path_factory.mktemp("views")
    with duck.database(lake_at(folder)) as database:
        for name in {name: None for report in views.views() for name in report.reads}:
            rows, file = arrow(name, drawn(name, seed=1, number=120)), folder / f"{flat(name)}.parquet"
            pq.write_table(rows, file)
            database.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
            database.execute(f"CREATE TABLE {name} AS FROM read_parquet('{file}')")
            spark.read.parquet(str(file)).createOrReplaceTempView(flat(name))
        yield database


@pytest.mark.parametrize(
    "name",
    [*FORMS, *(pytest.param(each.name, marks=pytest.mark.stress) for each in views.views() if each.name not in FORMS)],
)
def test_both_engines_give_the_same_rows(name: str, database: duckdb.DuckDBPyConnection, spark: SparkSession) -> None:
    query = views.query(report(name), views.view_values(ZONES, report(name), TODAY))
    expected = database.execute(query).fetchall()
    seen = [tuple(row) for row in spark.sql(flat(views.in_spark(query))).collect()]
    assert expected
    assert alike(seen) == alike(expected)


def flat(text: str) -> str:
    """Spark's temporary views have no schema."""
    return text.replace("gold.", "gold_").replace("silver.", "silver_")


def alike(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted((tuple(map(plain, row)) for row in rows), key=str)


def plain(value: Any) -> Any:
    match value:
        case float() | Decimal():
            return float(f"{value:.9g}") if math.isfinite(value) else None
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
    return value

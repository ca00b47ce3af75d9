"""`nextclick sql`: what it answers, and that it reaches nothing but the lake's tables."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from analytics.views import of_lake
from cli.main import cli
from nextclick.errors import QueryError
from nextclick.lake.paths import Lake, lake_at
from nextclick.lake.sql import ask
from tests.report_rows import SETTINGS
from tests.table_rows import write


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """silver.sessions with two rows, silver.items with one; nothing else was ever written."""
    lake = lake_at(tmp_path)
    revenue = pa.map_(pa.string(), pa.decimal128(18, 4))
    sessions = pa.table(
        {
            "session_id": ["a", "b"],
            "events": [2, 3],
            "started_at": pa.array([datetime(2026, 1, 2, 23, 30, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC")),
            "revenue": pa.array([[("EUR", Decimal("1.5000"))], []], revenue),
        }
    )
    write_deltalake(lake.table("silver.sessions"), sessions)
    write_deltalake(lake.table("silver.items"), pa.table({"item_id": ["i"]}))
    return lake


def answer(lake: Lake, query: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(cli, ["--lake", str(lake.root), "sql", query, "--json"], catch_exceptions=False)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_json_is_an_array_of_row_objects(lake: Lake) -> None:
    assert answer(lake, "select count(*) as n from silver.sessions") == [{"n": 2}]


def test_money_and_times_are_text_and_maps_are_objects(lake: Lake) -> None:
    [row] = answer(
        lake, "select revenue, started_at, started_at::date as day from silver.sessions where session_id = 'a'"
    )
    assert row == {"revenue": {"EUR": "1.5000"}, "started_at": "2026-01-02T23:30:00+00:00", "day": "2026-01-02"}


def test_whole_numbers_stay_numbers_and_nan_is_null(lake: Lake) -> None:
    query = "select sum(events) as n, 'nan'::double as x, null as y from silver.sessions"
    assert answer(lake, query) == [{"n": 5, "x": None, "y": None}]


def test_a_column_named_twice_keeps_both_values(lake: Lake) -> None:
    assert answer(lake, "select 1 as a, 2 as a, 3 as a_1") == [{"a": 1, "a_1": 2, "a_1_1": 3}]


def test_names_may_be_quoted_and_of_any_case(lake: Lake) -> None:
    query = 'select count(*) as n from "silver"."sessions" as s join SILVER.ITEMS as i on true'
    assert answer(lake, query) == [{"n": 2}]


def test_tables_that_no_query_names_are_listed(lake: Lake) -> None:
    listed = answer(
        lake,
        "select table_schema || '.' || table_name as name from information_schema.tables where table_type = 'VIEW'",
    )
    assert {"silver.sessions", "silver.items"} <= {row["name"] for row in listed}


def test_a_table_that_was_never_written_is_empty(lake: Lake) -> None:
    assert answer(lake, "select count(*) as n from gold.recommendation_performance where date > '2026-01-01'") == [
        {"n": 0}
    ]


def test_a_data_file_of_a_table_cannot_be_overwritten(lake: Lake) -> None:
    [file] = Path(lake.table("silver.sessions")).glob("*.parquet")
    with pytest.raises(QueryError):
        ask(
            lake,
            f"with a as (copy (select 1) to '{file}' (format parquet, use_tmp_file false)) from a, silver.sessions",
        )
    assert answer(lake, "select count(*) as n from silver.sessions") == [{"n": 2}]


def test_unknown_table_is_answered_with_the_tables_there_are(lake: Lake) -> None:
    with pytest.raises(QueryError, match=r"silver\.sessions.*gold\.recommendations"):
        ask(lake, "select * from silver.session")


def test_text_of_an_answer_is_readable_narrow_and_wide(lake: Lake) -> None:
    narrow = CliRunner().invoke(cli, ["--lake", str(lake.root), "sql", "select 'x[b]' as value"]).stdout
    wide = CliRunner().invoke(cli, ["--lake", str(lake.root), "sql", f"select '{'y' * 200}' as value"]).stdout
    assert "│ x[b]  │" in narrow
    assert f"value  {'y' * 200}\n" in wide


def test_a_visitors_text_cannot_steer_the_terminal(lake: Lake) -> None:
    shown = CliRunner().invoke(cli, ["--lake", str(lake.root), "sql", "select chr(27) || '[2J' as value"]).stdout
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_text('{secret}')",
        "select * from '{secret}'",
        "copy (select 1) to '{secret}'",
        "attach '{secret}.db'",
        "install httpfs",
        "set enable_external_access = true",
        "select * from written",
        "with a as (copy (select 1) to '{secret}' (use_tmp_file false)) from a",
        "explain analyze copy (select 1) to '{secret}' (use_tmp_file false)",
        "insert into silver.sessions (session_id) values ('c')",
    ],
)
def test_nothing_but_the_tables_can_be_reached_or_changed(lake: Lake, tmp_path: Path, query: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("k\n1\n")
    with pytest.raises(QueryError):
        ask(lake, query.format(secret=secret))
    assert secret.read_text() == "k\n1\n"
    assert answer(lake, "select count(*) as n from silver.sessions") == [{"n": 2}]


def test_a_view_reads_its_tables_and_says_what_its_columns_mean(lake: Lake) -> None:
    write(lake, "gold.visits", [{"site": "s", "session_id": "a"}, {"site": "s", "session_id": "b"}])
    assert answer(lake, "select site, sum(visits) as n from report.traffic group by all") == [{"site": "s", "n": 2}]
    [row] = answer(
        lake, "select comment from duckdb_columns() where table_name = 'traffic' and column_name = 'bounces'"
    )
    assert row["comment"] == "Visits with at most one act. Adds up."
    columns = {row["column_name"] for row in answer(lake, "describe report.traffic")}
    assert "bounces" in columns
    assert not columns & {"bounce_rate", "visitors"}  # what a tool would sum, or average


def test_all_tables_and_views_answer_in_a_lake_of_before_them(lake: Lake) -> None:
    listed = "select table_schema || '.' || table_name as name from information_schema.tables where table_type = 'VIEW'"
    names = [row["name"] for row in answer(lake, listed)]
    assert {"report.traffic", "gold.visits"} <= {*names}
    every = " union all ".join(f"select '{name}', count(*) from {name}" for name in names)
    counts = dict(ask(lake, every, of_lake(SETTINGS))[1])
    assert {name for name, count in counts.items() if count and "__" not in name} == {"silver.sessions", "silver.items"}

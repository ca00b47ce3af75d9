"""`nextclick report`: a table, JSON, CSV, and what it says where there is nothing."""

import csv
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from analytics.catalog import REPORTS
from cli.main import cli
from cli.parts.report_output import line
from nextclick.errors import AudienceError, UsageError
from nextclick.lake.paths import Lake, lake_at
from tests.table_rows import write


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = lake_at(tmp_path)
    visits = [(1, "email", "a"), (2, "email", "a"), (2, "\x1b[2J", "b"), (4, "email", "a"), (4, "direct", "b")]
    fields = ("date", "channel", "visitor_id", "session_id")
    rows = ((date(2026, 1, day), channel, visitor, f"{day}{visitor}") for day, channel, visitor in visits)
    write(lake, "gold.visits", [dict(zip(fields, row, strict=True)) for row in rows])
    return lake


def said(lake: Lake, *words: str) -> str:
    return CliRunner().invoke(cli, ["--lake", str(lake.root), "report", *words], catch_exceptions=False).stdout


def test_a_table_has_a_line_the_rows_the_whole_and_what_has_to_be_known(lake: Lake) -> None:
    text = said(lake, "traffic", "--by", "channel", "--figures", "visits,visitors")
    assert "2025-12-08 to 2026-01-04" in text
    assert "visits ▅█ █" in text
    assert "email          3          1" in text
    assert "all            5          2" in text
    assert "rows do not sum to it" in text


def test_a_week_that_the_range_cuts_and_a_day_that_is_not_over_say_so(lake: Lake) -> None:
    text = said(lake, "traffic", "--by", "week", "--from", "2026-01-01", "--figures", "visits")
    assert "2025-12-29 (in part)" in text
    today = datetime.now(UTC).date()
    write(lake, "gold.visits", [{"date": today}])
    text = said(lake, "traffic", "--from", "today", "--to", "today", "--figures", "visits")
    assert f"{today} (unfinished)" in text
    assert "is not over: its figures will grow" in text


def test_what_is_of_now_has_no_days(lake: Lake) -> None:
    assert "table_name" in said(lake, "freshness")
    with pytest.raises(UsageError, match="is of now, not of days"):
        said(lake, "freshness", "--from", "7d")
    with pytest.raises(UsageError, match="cannot be compared"):
        said(lake, "quality", "--compare", "previous")


def test_nothing_that_a_visitor_said_steers_the_terminal(lake: Lake) -> None:
    for form in ((), ("--csv",), ("--json",)):
        assert "\x1b" not in said(lake, "traffic", "--by", "channel", *form)


def test_json_has_columns_rows_and_the_whole(lake: Lake) -> None:
    there = json.loads(
        said(lake, "traffic", "--from", "2026-01-03", "--figures", "visits", "--compare", "previous", "--json")
    )
    assert there["rows"] == [{"date": "2026-01-04", "visits": 2}]
    assert there["total"] == {"visits": 2}
    assert there["compared"] == {
        "from": "2026-01-01",
        "to": "2026-01-02",
        "rows": [{"visits": 2}],
        "total": {"visits": 3},
    }
    assert [column["adds_up"] for column in there["columns"]] == [False, True]
    assert there["versions"] == {"gold.visits": 0}


def test_csv_has_a_line_a_row(lake: Lake) -> None:
    text = said(
        lake, "traffic", "--where", "channel=email", "--figures", "visits,visitors", "--compare", "year", "--csv"
    )
    assert list(csv.reader(io.StringIO(text)))[:2] == [
        ["date", "visits", "visitors", "before_visits", "before_visitors"],
        ["2026-01-01", "1", "1", "", ""],
    ]


def test_retention_stands_side_by_side(lake: Lake) -> None:
    write(
        lake,
        "gold.visitor_days",
        [{"date": date(2026, 1, day), "visitor_id": who} for day, who in [(1, "a"), (2, "a"), (1, "b")]],
    )
    lines = [text.split() for text in said(lake, "retention_day").splitlines()]
    assert ["cohort", "n", "0", "1"] in lines
    assert ["2026-01-01", "100.0%", "50.0%"] in lines


def test_without_a_name_the_reports_are_listed(lake: Lake) -> None:
    assert [*json.loads(said(lake, "--json"))] == [report.name for report in REPORTS]
    assert all(report.name in said(lake) for report in REPORTS)


def test_an_empty_lake_says_what_fills_it(tmp_path: Path) -> None:
    assert "gold.visits (never written); `nextclick run` fills them" in said(lake_at(tmp_path), "traffic")
    assert "It expects: Events level_start, level_complete, level_fail" in said(lake_at(tmp_path), "games")


def test_unknown_reports_are_answered_with_those_that_there_are(lake: Lake) -> None:
    with pytest.raises(UsageError, match=r"There is no report 'trafic'\. The reports are: traffic, "):
        said(lake, "trafic")


def test_a_line_has_gaps_where_there_is_nothing() -> None:
    assert line([0, 1, None, 4]) == "▁▃ █"
    assert line([None, 0]) == " ▁"


def test_an_audience_that_no_file_defines_is_named_as_unknown(lake: Lake) -> None:
    with pytest.raises(AudienceError, match="nobody"):
        said(lake, "traffic", "--audience", "nobody")


def test_of_an_audience_it_says_so_where_nobody_belongs(lake: Lake) -> None:
    assert "No rows" in said(lake, "traffic", "--audience", "example")
    write(lake, "gold.audience_members", [{"site": "x", "audience": "example", "subject_id": "b"}])
    there = json.loads(
        said(lake, "traffic", "--by", "channel", "--figures", "visits", "--audience", "example", "--json")
    )
    assert there["total"] == {"visits": 2}
    assert "gold.audience_members" in there["notes"][0]

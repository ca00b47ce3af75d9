"""What holds for every report: an empty lake, parts that sum to the whole, figures that nobody may sum."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from analytics import views
from analytics.answers import Answer, Reports
from analytics.catalog import REPORTS
from analytics.report import Report
from nextclick.contracts import catalog
from nextclick.definitions.metric import Metric
from nextclick.lake.memory import TableMemory
from nextclick.lake.paths import lake_at
from tests.report_rows import SETTINGS, TODAY, answer, answer_of, drawn, figures, reports, rows
from tests.table_rows import write

NOON = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)

ALL = pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)


@cache
def drawn_reports(report: Report) -> Reports:
    return reports({name: drawn(name, seed=0, number=200) for name in report.reads})


@cache
def of_drawn_rows(report: Report, by: tuple[str, ...] = ()) -> Answer:
    return answer_of(drawn_reports(report), report.name, by=by, **{"first": "2025-12-01"} if report.is_of_days else {})


@ALL
def test_of_an_empty_lake_it_has_no_rows_and_no_figures(report: Report) -> None:
    there = answer(report.name, {})
    if report.of_states:
        assert {*figures(there, "version").values()} == {None}
        return
    assert there.rows == []
    assert {*there.whole} == {None}


@ALL
def test_it_says_what_it_is_of(report: Report) -> None:
    assert report.doc.endswith(".")
    assert {*report.by} <= {*report.groups}
    assert all(catalog.table(name) for name in report.reads)
    names = [*report.groups, *(metric.name for metric in report.metrics)]
    assert len(names) == len({*names})
    assert all(metric.meaning.endswith(".") for metric in report.metrics)
    assert {name for metric in report.metrics for name in metric.apart} <= {*report.dimensions}


@ALL
def test_what_adds_up_sums_over_every_break_down_to_the_whole(report: Report) -> None:
    """Of what stays apart: for each value of its own."""
    for name in report.dimensions:
        by = tuple(dict.fromkeys((name, *(column for metric in report.metrics for column in metric.apart))))
        parts = of_drawn_rows(report, by=by)
        for metric in report.metrics:
            if metric.adds_up and name not in metric.apart:
                whole = (
                    rows(of_drawn_rows(report, by=metric.apart)) if metric.apart else [whole_of(of_drawn_rows(report))]
                )
                assert summed(rows(parts), metric) == pytest.approx(summed(whole, metric))


@ALL
def test_what_stays_apart_has_no_figure_where_it_would_be_put_together(report: Report) -> None:
    there = of_drawn_rows(report)
    for metric in report.metrics:
        if metric.apart and not report.last_day:
            values = {tuple(row[name] for name in metric.apart) for row in rows(of_drawn_rows(report, by=metric.apart))}
            assert len(values) > 1
            assert whole_of(there)[metric.name] is None


@pytest.mark.parametrize(
    "report", [each for each in REPORTS if each.around is not None], ids=lambda report: report.name
)
def test_of_files_it_says_what_it_says_of_rows_though_it_looks_at_the_days_of_the_range_alone(
    report: Report, tmp_path: Path
) -> None:
    lake, asked = lake_at(tmp_path), {"first": "2026-01-05", "last": "2026-01-12"}
    tables = {name: drawn(name, seed=0, number=80) for name in report.reads}
    for name, there in tables.items():
        write(lake, name, there)
    of_files = answer_of(Reports(TableMemory(lake, most_bytes=0), SETTINGS, NOON), report.name, **asked)
    of_rows = answer_of(reports(tables), report.name, **asked)
    assert of_rows.rows
    assert [*map(rounded, of_files.rows)] == [*map(rounded, of_rows.rows)]
    assert rounded(of_files.whole) == rounded(of_rows.whole)


def test_of_files_days_behind_the_newest_look_back_from_that_one(tmp_path: Path) -> None:
    """Of the 28 days up to the 3rd of January: two of one visitor, one of the other."""
    lake = lake_at(tmp_path)
    days = [("a", 1), ("a", 3), ("b", 3)]
    write(
        lake,
        "gold.visitor_days",
        [{"date": date(2026, 1, day), "site": "shop", "visitor_id": who} for who, day in days],
    )
    asked = {"first": "2026-03-01", "last": "2026-03-02"}
    there = answer_of(
        Reports(TableMemory(lake, most_bytes=0), SETTINGS, datetime(2026, 3, 9, tzinfo=UTC)), "frequency", **asked
    )
    assert there.rows == [(1, 1), (2, 1)]


def rounded(row: tuple[Any, ...]) -> list[Any]:
    """Sums of floats hang on the order in which files are read."""
    return [round(value, 9) if isinstance(value, float) else value for value in row]


def test_each_view_can_be_said_in_spark() -> None:
    """tests/spark/test_report_views.py compares their rows."""
    for report in views.views():
        query = views.query(report, views.view_values(SETTINGS, report, TODAY))
        in_spark = views.in_spark(query)
        assert in_spark.startswith(("SELECT", "WITH"))
        assert "epoch_" not in in_spark.lower()


def whole_of(there: Answer) -> dict[str, Any]:
    return dict(zip((metric.name for metric in there.question.metrics), there.whole, strict=True))


def summed(there: list[dict[str, Any]], metric: Metric) -> dict[tuple[Any, ...], float]:
    sums = defaultdict[tuple[Any, ...], float](float)
    for row in there:
        sums[tuple(row[name] for name in metric.apart)] += float(row[metric.name] or 0)
    return sums


@ALL
def test_rows_alone_are_those_of_the_whole_answer(report: Report) -> None:
    if report.of_states:
        return  # the age of tables is of now
    there, whole = drawn_reports(report), of_drawn_rows(report)
    alone = there.answer(replace(whole.question, rows_alone=True))
    assert [*map(rounded, alone.rows)] == [*map(rounded, whole.rows)]
    assert ({*alone.whole}, alone.days) == ({None}, {})


@pytest.mark.parametrize("report", [each for each in REPORTS if each.without], ids=lambda report: report.name)
def test_figures_that_need_fewer_rows_are_those_of_all_rows(report: Report) -> None:
    [dimension] = report.without
    counts = tuple(metric.name for metric in report.metrics if dimension not in metric.apart)
    others = tuple(name for name in report.dimensions if name != dimension)
    there, whole = drawn_reports(report), of_drawn_rows(report, others)
    few = answer_of(there, report.name, first="2025-12-01", by=others, figures=counts)
    assert 0 < len(counts) < len(report.metrics)
    assert figures(few, *counts) == figures(whole, *counts)
    assert "unnest" in there.sql(whole.question)
    assert "unnest" not in there.sql(few.question)

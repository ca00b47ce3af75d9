"""A report for programs, as JSON and CSV, and its values as text."""

import csv
from collections.abc import Iterable
from datetime import date
from itertools import repeat
from typing import Any, Final, TextIO

from analytics.answers import Answer
from analytics.comparison import Comparison
from nextclick.definitions.metric import Metric, MetricUnit
from nextclick.lake.sql import plain
from nextclick.visible import visible

ABSENT: Final = "–"


def as_json(answer: Answer, comparison: Comparison | None) -> dict[str, Any]:
    """Columns with their meaning, rows as objects, and the figures of the whole."""
    question = answer.question
    columns = [{"name": name, "adds_up": False} for name in question.by]
    columns += [
        {"name": each.name, "meaning": each.meaning, "unit": each.unit, "adds_up": each.adds_up, "apart": each.apart}
        for each in question.metrics
    ]
    said = {
        "report": question.report.name,
        "answers": question.report.doc,
        "from": question.first.isoformat() if question.report.is_of_days else None,
        "to": question.last.isoformat() if question.report.is_of_days else None,
        "unfinished": answer.unfinished and answer.unfinished.isoformat(),
        "versions": answer.versions,
        "notes": answer.notes,
        "columns": columns,
        "rows": [_object(answer.columns, row) for row in answer.rows],
        "total": _figures(answer, answer.whole),
    }
    if comparison:
        before = comparison.before
        said["compared"] = {
            "from": before.question.first.isoformat(),
            "to": before.question.last.isoformat(),
            "rows": [row and _figures(answer, row) for row in comparison.figures(answer.rows)],
            "total": _figures(answer, before.whole),
        }
    return said


def _object(names: Iterable[str], row: Iterable[Any]) -> dict[str, Any]:
    return dict(zip(names, map(plain, row), strict=True))


def _figures(answer: Answer, row: Iterable[Any]) -> dict[str, Any]:
    return _object((metric.name for metric in answer.question.metrics), row)


def write_csv(answer: Answer, comparison: Comparison | None, to: TextIO) -> None:
    """A line a row; absent figures are empty, and those of a comparison are called before_NAME."""
    writer = csv.writer(to, lineterminator="\n")
    figures = [metric.name for metric in answer.question.metrics]
    writer.writerow([*answer.columns, *(f"before_{name}" for name in figures if comparison)])
    befores = comparison.figures(answer.rows) if comparison else repeat(())
    for row, before in zip(answer.rows, befores, strict=False):
        values = (*row, *((None,) * len(figures) if before is None else before))
        writer.writerow("" if value is None else visible(plain(value)) for value in values)


def key_text(answer: Answer, name: str, value: Any) -> str:
    """A value that rows are grouped by; what is not over, or cut by the range, says so."""
    text = visible(ABSENT if value is None else value)
    if isinstance(value, date):
        text += " (unfinished)" * (value == answer.unfinished) + " (in part)" * answer.question.is_part(name, value)
    return text


def figure_text(metric: Metric, value: Any) -> str:
    """A figure in its unit; an absent one is no 0."""
    if value is None:
        return ABSENT
    match metric.unit:
        case MetricUnit.SHARE:
            return f"{value:.1%}"
        case MetricUnit.NUMBER:
            return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return f"{value:,.2f}" if metric.unit is not MetricUnit.SECONDS else f"{value:,.1f}"

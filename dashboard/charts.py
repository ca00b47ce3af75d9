"""What a browser draws of an answer: numbers and names alone; colours and shapes stand in static/dashboard.js."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from markupsafe import Markup

from analytics.answers import Answer
from analytics.comparison import Comparison
from analytics.paths import VisitPaths
from dashboard.texts import label
from nextclick.definitions.metric import Metric

_BELOW: Final = {"dormant"}
"""Of a stack: who is missing, so below the line of nobody."""


def days(answer: Answer) -> list[date]:
    """The days of a line, those without a figure too; where all are Mondays, they stand for weeks."""
    there = list(answer.days)
    if not there:
        return []
    if len(there) > 1 and not any(day.weekday() for day in there):
        return _each(there[0], there[-1], 7)
    return _each(answer.question.first, answer.question.last, 1)


def _each(first: date, last: date, step: int) -> list[date]:
    return [first + timedelta(n) for n in range(0, (last - first).days + 1, step)]


def values(answer: Answer, metric: Metric, of: Iterable[date]) -> list[float | None]:
    """A figure of each of the days."""
    at = answer.question.metrics.index(metric)
    rows = (answer.days.get(day) for day in of)
    return [None if row is None else _float(row[at]) for row in rows]


def lines(answer: Answer, metrics: Sequence[Metric], comparison: Comparison | None, kind: str) -> dict[str, Any]:
    """Figures by day; of a comparison, the day that lies as far from its range's first."""
    there = days(answer)
    shift = answer.question.first - comparison.before.question.first if comparison else timedelta()
    return {
        "kind": kind,
        "days": [day.isoformat() for day in there],
        "unfinished": answer.unfinished.isoformat() if answer.unfinished in there else None,
        "series": [
            {
                "name": label(metric.name),
                "below": metric.name in _BELOW,
                "unit": metric.unit,
                "values": values(answer, metric, there),
                "before": values(comparison.before, metric, (day - shift for day in there)) if comparison else None,
            }
            for metric in metrics
        ],
    }


def columns(answer: Answer, metrics: Sequence[Metric]) -> dict[str, Any]:
    """Figures by what the rows are of, numbers in their order."""
    groups, there = len(answer.question.by), answer.question.metrics
    rows = sorted(answer.rows, key=lambda row: _number_of(row[0]))
    return {
        "kind": "columns",
        "names": ["–" if row[0] is None else str(row[0]) for row in rows],
        "series": [
            {
                "name": label(metric.name),
                "unit": metric.unit,
                "values": [_float(row[groups + there.index(metric)]) for row in rows],
            }
            for metric in metrics
        ],
    }


def _number_of(value: Any) -> float:
    """Where a value stands among others: by the number that it is; others stay last, in their order."""
    text = str(value)
    return float(text) if text.isascii() and text.isdigit() else float("inf")


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def flows(paths: VisitPaths) -> dict[str, Any]:
    """Visits from place to place, each place once a step."""
    links = [
        {"source": f"{link.step - 1} {link.source}", "target": f"{link.step} {link.target}", "value": link.visits}
        for link in paths.links
    ]
    if paths.direction == "before":
        links = [{**link, "source": link["target"], "target": link["source"]} for link in links]
    names = dict.fromkeys(str(link[end]) for link in links for end in ("source", "target"))
    return {
        "kind": "flows",
        "align": "left" if paths.direction == "after" else "right",
        "nodes": [{"name": name} for name in names],
        "links": links,
    }


def sparkline(numbers: Sequence[float | None], width: int = 100, height: int = 24) -> str:
    """A line as an SVG path, with gaps where there is nothing.

    >>> sparkline([0, 4, None, 2], width=3, height=4)
    'M0 4L1 0M3 2'
    """
    top = max((number for number in numbers if number is not None), default=0) or 1
    return "".join(_points(numbers, width / max(len(numbers) - 1, 1), height, top))


def _points(numbers: Sequence[float | None], step: float, height: float, top: float) -> Iterator[str]:
    starts = True
    for at, number in enumerate(numbers):
        if number is not None:
            yield f"{'M' if starts else 'L'}{at * step:g} {height - max(number, 0) / top * height:g}"
        starts = number is None


def in_page(chart: Mapping[str, Any]) -> Markup:
    """A chart as JSON inside of a page, from which nothing leads out."""
    return Markup(json.dumps(chart, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026"))

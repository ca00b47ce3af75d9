"""A panel with its answer, as the templates want it: texts, links, and what a chart draws."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlencode

from analytics.answer_rows import Row
from analytics.answers import Answer, Reports
from analytics.comparison import Comparison
from analytics.output import key_text
from analytics.question import Compared, Question
from dashboard import charts
from dashboard.address import PageAddress
from dashboard.panels import Panel, Shape
from dashboard.texts import change_text, label, shown
from nextclick.definitions.metric import Metric, MetricUnit
from nextclick.errors import LakeError

_DAYS: Final = 400
_ACROSS: Final = 14
Words = tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A value as text; `share` of the column's largest, for a bar or a shade; `change` since the range before."""

    text: str
    share: float | None = None
    change: str = ""
    mood: str = ""
    link: str = ""


@dataclass(frozen=True)
class Tile:
    """A figure of the whole range."""

    name: str
    meaning: str
    text: str
    change: str
    mood: str
    before: str
    line: str = ""
    link: str = ""
    is_chosen: bool = False


@dataclass(frozen=True)
class Answered:
    """A panel and its answer."""

    panel: Panel
    view: PageAddress
    question: Question
    answer: Answer
    comparison: Comparison | None
    reports: Reports

    @property
    def is_lasting(self) -> bool:
        """Whether it looks the same while its answers do; a link that ends can be ended before, and another signed."""
        return self.question.follows_from_tables and not self.view.seal

    @cached_property
    def metrics(self) -> Sequence[Metric]:
        """In the panel's order."""
        names = self.panel.figures
        return sorted(self.question.metrics, key=lambda metric: names.index(metric.name) if names else 0)

    @property
    def sql_text(self) -> str:
        """The query in lines."""
        query = self.reports.sql(self.question).replace(" GROUP BY GROUPING SETS", "\nGROUP BY GROUPING SETS")
        return re.sub(r"\n +", "\n    ", query)

    @property
    def tabs(self) -> Iterator[tuple[str, str, bool]]:
        """Ways of grouping: name, address, whether it is the one."""
        each = [by.split(",") for by in self.panel.by]
        shared = set[str].intersection(*map(set, each)) if len(each) > 1 else set()
        for by, names in zip(self.panel.by, each, strict=True):
            name = " · ".join(label(name) for name in ([name for name in names if name not in shared] or names))
            yield name, self.view.link(**{f"by_{self.panel.stem}": by}), by == self.view.by(self.panel)

    @property
    def choices(self) -> Iterator[tuple[str, str, bool]]:
        """Values of the panel's choice: name, address, whether it is the one."""
        if choice := self.panel.choice:
            for value in choice.values:
                yield label(value), self.view.link(**{choice.dimension: value}), value == self.view.chosen(choice)

    @property
    def heads(self) -> Iterator[tuple[str, str]]:
        """Of the figures: name and meaning."""
        return ((metric.name, metric.meaning) for metric in self.metrics)

    @cached_property
    def rows(self) -> Sequence[tuple[Sequence[Cell], Sequence[Cell]]]:
        """Of each row that is shown the values that it is of, and its figures; the newest day first."""
        groups, places = len(self.question.by), [self._place(metric) for metric in self.metrics]
        is_of_time = self.question.by[:1] in (("date",), ("week",), ("month",), ("year",))
        first_rows = self.answer.rows[: -self._most - 1 : -1] if is_of_time else self.answer.rows[: self._most]
        befores = self._befores(first_rows)
        tops = [max((float(row[at] or 0) for row in first_rows), default=0) for at in places]
        return [
            (
                [self._key(name, value) for name, value in zip(self.question.by, row[:groups], strict=True)],
                [
                    self._cell(metric, row[at], top, before and before[at - groups])
                    for metric, at, top in zip(self.metrics, places, tops, strict=True)
                ],
            )
            for row, before in zip(first_rows, befores, strict=True)
        ]

    def link(self, path: str) -> str:
        """Where programs get the answer, whole: `path` is /csv/ or /api/."""
        days = self.view.days(self.question.report, self.panel.goes_on)
        words = {
            "from": days[0],
            "to": days[1],
            "by": ",".join(self.question.by),
            "figures": ",".join(self.panel.figures),
        }
        words["compare"] = self.view.compared if self.comparison else None
        words["unit"] = "person" if self.question.by_person else None
        where = [("where", condition.text) for condition in self.question.where]
        return self.view.data(
            f"{path}{self.panel.report}?{urlencode([*((name, text) for name, text in words.items() if text), *where])}"
        )

    @property
    def _most(self) -> int:
        """Beside a line all its days."""
        return _DAYS if self.panel.has_line else self.panel.most

    @property
    def left_out(self) -> int:
        """Rows that are not shown."""
        return max(len(self.answer.rows) - self._most, 0)

    @property
    def tiles(self) -> Sequence[Tile]:
        """Of the whole; of a panel of tiles, of each row."""
        if self.panel.shape is Shape.TILES:
            rows = self.answer.rows[: self.panel.most]
            each = zip(rows, self._befores(rows), strict=True)
            return [self._tile_of_row(metric, row, before) for row, before in each for metric in self.metrics]
        return [self._tile(metric) for metric in self.metrics]

    @cached_property
    def chosen(self) -> Metric:
        """The figure of the line."""
        return next((metric for metric in self.metrics if metric.name == self.view.figure), self.metrics[0])

    @property
    def chart(self) -> Mapping[str, Any] | None:
        """What is drawn; None where a table says all, or there is nothing."""
        if self.panel.shape is Shape.COLUMNS and self.answer.rows:
            drawn = [metric for metric in self.metrics if metric.name in self.panel.draws]
            return charts.columns(self.answer, drawn or [self.chosen])
        if not self.answer.days or not self.panel.has_line:
            return None
        if self.panel.shape is Shape.SERIES:
            return charts.lines(self.answer, [self.chosen], self.comparison, "line")
        return charts.lines(self.answer, self.metrics, None, "stack" if self.panel.shape is Shape.STACK else "line")

    @property
    def across(self) -> str:
        """What lies across a HEAT."""
        return self.panel.across or str(self.question.report.across)

    @property
    def heat(self) -> tuple[Sequence[Any], Mapping[Words, tuple[str, Mapping[Any, Cell]]]]:
        """Columns, and by group its first figure, empty where that is the only one, and its cells: the last figure of each."""
        by, last, first = self.question.by, self.metrics[-1], self.metrics[0]
        at = by.index(self.across)
        rows, others = list(self.answer.rows), [i for i in range(len(by)) if i != at]
        of_first, of_last = self._place(first), self._place(last)
        heads = sorted({row[at] for row in rows})[:_ACROSS]
        largest = max((float(row[of_last] or 0) for row in rows), default=0) or 1
        whole = 1 if last.unit is MetricUnit.SHARE else largest
        keys = list(dict.fromkeys(tuple(row[i] for i in others) for row in rows))
        kept = keys[-self.panel.most :] if self.question.report.across else keys[: self.panel.most]
        texts = {
            key: tuple(key_text(self.answer, by[i], value) for i, value in zip(others, key, strict=True))
            for key in kept
        }
        groups: dict[Words, tuple[str, dict[Any, Cell]]] = {}
        for row in rows:
            if (key := texts.get(tuple(row[i] for i in others))) is None:
                continue
            if key not in groups:
                groups[key] = shown(first, row[of_first]) if first is not last else "", {}
            if row[at] in heads:
                value = row[of_last]
                groups[key][1][row[at]] = Cell(shown(last, value), None if value is None else float(value) / whole)
        return heads, groups

    @property
    def lack(self) -> Iterator[str]:
        """Why there are no rows."""
        report = self.question.report
        if missing := [name for name, version in self.answer.versions.items() if version is None]:
            yield f"{' and '.join(missing)} {'was' if len(missing) == 1 else 'were'} never written; `nextclick run` does."
        else:
            yield "No rows in these days." if report.is_of_days else "No rows."
        if report.expects:
            yield f"It needs: {report.expects}"

    @property
    def notes(self) -> Iterator[str]:
        """What has to be known of the figures."""
        yield from self.answer.notes
        if self.answer.unfinished:
            yield f"{self.answer.unfinished} is not over: its figures will grow."
        if ignored := self.view.unfiltered(self.panel):
            yield f"Not filtered by {', '.join(ignored)}: the report {self.question.report.name} knows no such value."
        at = len(self.question.by)
        absent = {
            name
            for place, metric in enumerate(self.question.metrics, at)
            if self.answer.rows.lacks(place) or (self.panel.has_line and self.answer.whole[place - at] is None)
            for name in metric.apart
        } - {
            *self.question.by,
            *(each.dimension for each in self.question.where if len(each.values) == 1 and not each.negated),
        }
        if absent and self.answer.rows:
            yield f"– where several values of {', '.join(sorted(absent))} meet: they are never put together."

    def _place(self, metric: Metric) -> int:
        return len(self.question.by) + self.question.metrics.index(metric)

    def _befores(self, rows: Sequence[Row]) -> Sequence[Row | None]:
        return self.comparison.figures(rows) if self.comparison else [None] * len(rows)

    def _key(self, name: str, value: Any) -> Cell:
        is_filter = name in self.question.report.dimensions and self.panel.shape is Shape.BARS
        text = f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else key_text(self.answer, name, value)
        return Cell(text.removeprefix("https://"), link=self.view.filtered(name, value) if is_filter else "")

    def _cell(self, metric: Metric, value: Any, top: float, before: Any) -> Cell:
        share = float(value) / top if value is not None and top > 0 else None
        return Cell(shown(metric, value), share, *change_text(metric, value, before))

    def _tile(self, metric: Metric) -> Tile:
        at = self.question.metrics.index(metric)
        before = self.comparison.before.whole[at] if self.comparison else None
        return Tile(
            metric.name,
            metric.meaning,
            shown(metric, self.answer.whole[at]),
            *change_text(metric, self.answer.whole[at], before),
            "" if before is None else shown(metric, before),
            charts.sparkline(charts.values(self.answer, metric, charts.days(self.answer))),
            self.view.link(figure=metric.name),
            metric == self.chosen,
        )

    def _tile_of_row(self, metric: Metric, row: Row, before: Row | None) -> Tile:
        groups = len(self.question.by)
        value = row[self._place(metric)]
        then = before and before[self.question.metrics.index(metric)]
        names = " · ".join(key_text(self.answer, *each) for each in zip(self.question.by, row[:groups], strict=True))
        return Tile(
            f"{metric.name} {names}",
            metric.meaning,
            shown(metric, value),
            *change_text(metric, value, then),
            "" if then is None else shown(metric, then),
        )


class Answers:
    """Answers the panels of one request; a question that two of them share is asked once."""

    def __init__(self, reports: Reports, view: PageAddress, panels: Iterable[Panel]) -> None:
        self._reports, self._view = reports, view
        self._there = reports.prepare(self._questions(panels))

    def _questions(self, panels: Iterable[Panel]) -> Iterator[Question]:
        """All that the panels ask."""
        for panel in panels:
            yield (question := self._view.question(self._reports, panel))
            if to := self._comparison(panel, question):
                yield question.compared(to)

    def __call__(self, panel: Panel) -> "Answered | str":
        """A text where a table cannot be read: the page shows the rest."""
        question = self._view.question(self._reports, panel)
        try:
            answer = self._answer(question)
            before = self._compared(panel, answer)
        except LakeError as error:
            return str(error)
        return Answered(panel, self._view, question, answer, before, self._reports)

    def _compared(self, panel: Panel, answer: Answer) -> Comparison | None:
        to = self._comparison(panel, answer.question)
        return Comparison(answer, self._answer(answer.question.compared(to))) if to else None

    def _comparison(self, panel: Panel, question: Question) -> Compared | None:
        """To what a panel is compared, if it is."""
        shows = question.report.is_of_days and panel.shape not in (Shape.HEAT, Shape.LINES, Shape.STACK)
        return self._view.compared if shows else None

    def _answer(self, question: Question) -> Answer:
        if question not in self._there:
            self._there[question] = self._reports.answer(question)
        return self._there[question]

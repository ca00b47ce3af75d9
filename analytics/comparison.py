"""A report beside the same report of an earlier range."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from analytics.answer_rows import Row
from analytics.answers import Answer, Reports
from analytics.question import Compared
from nextclick.errors import UsageError


@dataclass(frozen=True)
class Comparison:
    """What the figures of an answer were in the range before."""

    answer: Answer
    before: Answer

    def figures(self, rows: Sequence[Row]) -> list[Row | None]:
        """The earlier figures of rows of the answer; None where the earlier range has no such row.

        Days are put beside the days that lie the same distance from the range's first.
        """
        groups = len(self.answer.question.by)
        shift = self.answer.question.first - self.before.question.first
        keys = [tuple(_earlier(value, shift) for value in row[:groups]) for row in rows]
        there = {row[:groups]: row[groups:] for row in self.before.rows.beginning(keys)}
        return [there.get(key) for key in keys]


def compare(reports: Reports, answer: Answer, to: Compared) -> Comparison:
    """An answer beside that of the earlier range."""
    question = answer.question
    if not question.report.is_of_days:
        raise UsageError(f"The report {question.report.name} is of now: it cannot be compared to an earlier range.")
    return Comparison(answer, reports.answer(question.compared(to)))


def _earlier(value: Any, shift: timedelta) -> Any:
    return value - shift if isinstance(value, date) else value


def change(now: float | None, before: float | None) -> float | None:
    """By which share a figure grew; None where either is absent, or there was nothing."""
    return None if now is None or not before else float(now) / float(before) - 1

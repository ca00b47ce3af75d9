"""A report beside the same report of an earlier range."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from analytics.answers import Answer, Reports
from analytics.passes import Row
from analytics.question import Compared
from nextclick.errors import UsageError


@dataclass(frozen=True)
class Comparison:
    """What the figures of an answer were in the range before."""

    before: Answer
    rows: Sequence[Row | None]
    """The earlier figures of each row of the answer; None where the earlier range has no such row."""


def compare(reports: Reports, answer: Answer, to: Compared) -> Comparison:
    """An answer beside that of the earlier range."""
    question = answer.question
    if not question.report.is_of_days:
        raise UsageError(f"The report {question.report.name} is of now: it cannot be compared to an earlier range.")
    return beside(answer, reports.answer(question.compared(to)))


def beside(answer: Answer, before: Answer) -> Comparison:
    """Days are put beside the days that lie the same distance from the range's first."""
    groups, shift = len(answer.question.by), answer.question.first - before.question.first
    if any(isinstance(key, date) for row in before.rows for key in row[:groups]):
        earlier = {tuple(_later(key, shift) for key in row[:groups]): row[groups:] for row in before.rows}
    else:
        earlier = {row[:groups]: row[groups:] for row in before.rows}
    return Comparison(before, [earlier.get(row[:groups]) for row in answer.rows])


def _later(key: Any, shift: timedelta) -> Any:
    return key + shift if isinstance(key, date) else key


def change(now: float | None, before: float | None) -> float | None:
    """By which share a figure grew; None where either is absent, or there was nothing."""
    return None if now is None or not before else float(now) / float(before) - 1

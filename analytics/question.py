"""What is asked of a report: a range of days, a grouping, conditions, and with what it is compared."""

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from analytics.report import Report
from nextclick.definitions.metric import Metric
from nextclick.errors import UsageError

DAYS: Final = 28
"""Days of a range of which nobody says the first: whole weeks, so that each weekday counts alike."""
_CONDITION: Final = re.compile(r"\s*(\w+)\s*(!?=)(.*)", re.DOTALL)


class Compared(StrEnum):
    """The range before, as long as this one; the nearest such with the same weekdays; the same weekdays a year before."""

    PREVIOUS = "previous"
    WEEKDAY = "weekday"
    YEAR = "year"


@dataclass(frozen=True)
class Condition:
    """A dimension that is one of the values, or none of them; an empty value is the absent one."""

    dimension: str
    values: tuple[str, ...]
    negated: bool = False

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.dimension}{'!' * self.negated}={','.join(self.values)}"

    @property
    def sql(self) -> str:
        return f"coalesce(CAST(\"{self.dimension}\" AS VARCHAR), '') {'NOT ' * self.negated}IN (SELECT unnest(${self.dimension}))"


@dataclass(frozen=True)
class Question:
    """A question of a report; `first` and `last` are days, both included."""

    report: Report
    first: date
    last: date
    by: tuple[str, ...]
    where: tuple[Condition, ...] = ()
    figures: tuple[str, ...] = ()
    """The metrics that are wanted; none named: all."""
    by_person: bool = False
    """Persons are counted in place of visitors."""
    audience: str = ""
    """Only who belongs to it is counted; empty: everybody."""
    rows_alone: bool = False
    """Neither the figures of all rows together nor those of each day are wanted, which cost as much again."""

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise UsageError(
                f"The range begins on {self.first}, after its end on {self.last}: turn --from and --to round."
            )
        for name in self.by:
            self._require(name, self.report.groups, "grouped by")
        for condition in self.where:
            self._require(condition.dimension, self.report.dimensions, "filtered by")
        for name in self.figures:
            self._require(name, (metric.name for metric in self.report.metrics), "asked for")

    def _require(self, name: str, there: Iterable[str], purpose: str) -> None:
        names = tuple(there)
        if name not in names:
            raise UsageError(f"The report {self.report.name} cannot be {purpose} {name!r}. It can: {', '.join(names)}.")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that are wanted, in the report's order."""
        return tuple(metric for metric in self.report.metrics if metric.name in self.figures or not self.figures)

    def is_part(self, name: str, start: date) -> bool:
        """Whether a week, month or year that the rows are grouped by reaches beyond the range."""
        ends = {"week": start + timedelta(6), "month": start.replace(day=monthrange(start.year, start.month)[1])}
        end = ends | {"year": date(start.year, 12, 31)}
        return name in end and not self.first <= start <= end[name] <= self.last

    @property
    def asks_who(self) -> bool:
        """Whether other tables than the report's say whose rows count."""
        return self.by_person or bool(self.audience)

    @property
    def follows_from_tables(self) -> bool:
        """Whether the answer stays the same on a day while the report's own tables stand still."""
        return not (self.report.of_states or self.asks_who)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def around(self, days: int, newest: date | None = None) -> tuple[date, date]:
        """The range, or `newest` where that is before it, with so many days before and behind, as far as there are days."""
        room = timedelta(days)
        return max(min(self.first, newest or self.first), date.min + room) - room, min(
            self.last, date.max - room
        ) + room

    def compared(self, to: Compared) -> "Question":
        """The same question of the range that this one is compared to."""
        back = timedelta(self.shift(to))
        if self.first - date.min < back:
            raise UsageError(
                f"Before {self.first} lie fewer days than from there to {self.last}: compare a shorter range."
            )
        return replace(self, first=self.first - back, last=self.last - back)

    def shift(self, to: Compared) -> int:
        """Days between the range and the one that it is compared to."""
        match to:
            case Compared.PREVIOUS:
                return self.days
            case Compared.WEEKDAY:
                return -(-self.days // 7) * 7
        return -(-max(self.days, 364) // 364) * 364


def conditions(texts: Iterable[str]) -> tuple[Condition, ...]:
    """`channel=email,direct`, `country!=AT` → conditions. UsageError where one is none, or two are of one dimension."""
    parsed = [_condition(text) for text in texts]
    if len({condition.dimension for condition in parsed}) < len(parsed):
        raise UsageError(
            "--where names a dimension twice: put its values into one, such as --where channel=email,direct."
        )
    return tuple(parsed)


def _condition(text: str) -> Condition:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--where {text!r} is no condition. Say it as channel=email, channel=email,direct or country!=AT."
        )
    return Condition(match[1], tuple(value.strip() for value in match[3].split(",")), match[2] == "!=")


def day(text: str, today: date) -> date:
    """`2026-01-31`, `today`, `yesterday` or `30d` (so many days before today); UsageError for another text."""
    if before := re.fullmatch(r"(\d{1,5})d", text):
        return today - timedelta(int(before[1]))
    named: Mapping[str, date] = {"today": today, "yesterday": today - timedelta(1)}
    try:
        return named.get(text) or date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no day. Say it as 2026-01-31, today, yesterday or 30d (days before today)."
        ) from None

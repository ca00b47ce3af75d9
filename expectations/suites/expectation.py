"""One thing that a table must hold, as plain data: nothing here knows Great Expectations or Spark."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """What a failure does."""

    STOP = "stop"
    """Downstream work is refused until a newer version passes or a person overrides it by name."""
    WARN = "warn"
    """It is recorded and shown."""


class Of(StrEnum):
    """What is looked at."""

    ROWS = "rows"
    """Each new row."""
    NEW = "new"
    """A fact: one number measured over the new rows (expectations/measures/facts.py), the column of a one-row frame."""
    TABLE = "table"
    """A fact measured over the whole table, or over several."""


@dataclass(frozen=True)
class Expectation:
    """One check of one table; `name` is unique within the table and is its asset check in Dagster."""

    table: str
    name: str
    meaning: str
    """What it says, with its limits. A changed meaning makes the whole table be checked again."""
    severity: Severity
    of: Of
    judge: str
    """The class of great_expectations.expectations that judges it."""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> frozenset[str]:
        """What it looks at."""
        return frozenset(value for name, value in self.arguments.items() if name.startswith("column"))


def rows(
    table: str, name: str, meaning: str, judge: str, severity: Severity = Severity.STOP, **arguments: Any
) -> Expectation:
    """An expectation of every row."""
    return Expectation(table, name, meaning, severity, Of.ROWS, judge, arguments)


def fact(
    table: str,
    name: str,
    meaning: str,
    severity: Severity = Severity.STOP,
    at_least: float | None = None,
    at_most: float | None = None,
    of: Of = Of.TABLE,
) -> Expectation:
    """An expectation of the fact of the same name; a fact that cannot be told yet (None) passes."""
    arguments = {"column": name, "min_value": at_least, "max_value": at_most}
    return Expectation(table, name, meaning, severity, of, "ExpectColumnValuesToBeBetween", arguments)


def none_of(table: str, name: str, meaning: str, severity: Severity = Severity.STOP, of: Of = Of.TABLE) -> Expectation:
    """The fact of the same name counts what must not be: it is 0."""
    return fact(table, name, meaning, severity, at_most=0, of=of)

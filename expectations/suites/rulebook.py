"""How rules are written by hand, and what several of them say."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from expectations.suites.expectation import Expectation, Severity, rows
from nextclick.contracts.table import Table
from nextclick.settings import Settings

WARN: Final = Severity.WARN

Rules = Callable[[str, Settings], tuple[Expectation, ...]]
"""What is expected of the table of that name."""
Rulebook = dict[str, Callable[[Settings], tuple[Expectation, ...]]]
"""Rules written by hand, by the name of their table."""


def of(book: Rulebook, table: Table) -> Callable[[Rules], Rules]:
    """A decorator: these rules are those of a table."""

    def add(rules: Rules) -> Rules:
        book[table.name] = partial(rules, table.name)
        return rules

    return add


def ordered(table: str, low: str, high: str) -> Expectation:
    """`low` is at most `high` in every row that has both."""
    return rows(
        table,
        f"{low}_at_most_{high}",
        f"{low} is at most {high}.",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        column_A=high,
        column_B=low,
        or_equal=True,
        ignore_row_if="either_value_is_missing",
    )


def finite(table: str, column: str, positive: bool = False) -> Expectation:
    """Neither NaN, which Spark sorts above everything, nor infinite."""
    return rows(
        table,
        f"{column}_finite",
        f"{column} is finite{' and above 0' if positive else ''}.",
        "ExpectColumnValuesToBeBetween",
        column=column,
        min_value=0 if positive else -sys.float_info.max,
        max_value=sys.float_info.max,
        strict_min=positive,
    )

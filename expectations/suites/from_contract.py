"""What a contract (nextclick/contracts) says by itself: not-null, sets, ranges, types, keys."""

from collections.abc import Iterator

from expectations.suites.expectation import Expectation, Of, none_of, rows
from nextclick.contracts.table import Column, Table


def from_contract(table: Table) -> tuple[Expectation, ...]:
    """The expectations that follow from the table's columns and key; each of them stops."""
    columns = (expectation for column in table.columns for expectation in _of_column(table.name, column))
    return (
        none_of(table.name, "types", "Every column is there, with its type, and no other."),
        none_of(table.name, "key_unique", f"No two rows have the same ({', '.join(table.key)}).", of=Of.NEW),
        *columns,
    )


def _of_column(table: str, column: Column) -> Iterator[Expectation]:
    name = column.name
    if not column.nullable:
        yield rows(table, f"{name}_not_null", f"{name} is never null.", "ExpectColumnValuesToNotBeNull", column=name)
    if column.one_of:
        meaning = f"{name} is one of {', '.join(column.one_of)}."
        yield rows(
            table, f"{name}_in_set", meaning, "ExpectColumnValuesToBeInSet", column=name, value_set=column.one_of
        )
    if column.minimum is not None or column.maximum is not None:
        low, high = column.minimum, column.maximum
        meaning = f"{name} is {_between(low, high)}."
        yield rows(
            table,
            f"{name}_in_range",
            meaning,
            "ExpectColumnValuesToBeBetween",
            column=name,
            min_value=low,
            max_value=high,
        )


def _between(low: float | None, high: float | None) -> str:
    limits = (None if low is None else f"at least {low:g}", None if high is None else f"at most {high:g}")
    return " and ".join(limit for limit in limits if limit)

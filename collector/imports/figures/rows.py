"""A row of a file of figures → a row of its table (collector.imports.mapping.FIGURES)."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from collector.imports.cells import Row, text
from collector.imports.files import named
from collector.imports.mapping import FIGURES, UNSAID, FieldRule, Mapping, fields_of
from collector.request import numbers
from collector.request.errors import Unmappable
from collector.request.times import parser
from nextclick.contracts.silver import AMOUNT
from nextclick.contracts.table import Column
from nextclick.settings import Settings

_CENTS: Final = Decimal("0.0001")
"""What silver holds of money; half of it goes to the even neighbour."""
_MOST: Final = Decimal(10) ** 12
"""Of one figure: a million rows of it add up within each column's type."""


class FigureMapper:
    """Turns the rows of a file into rows of the table; one that cannot be one raises `Unmappable`.

    `columns` are those of the file; None where each row has its own.
    """

    def __init__(
        self, settings: Settings, mapping: Mapping, kind: str, site: str, columns: Sequence[str] | None
    ) -> None:
        figures = mapping.figures(kind)
        self._max_chars = settings.events.max_id_chars
        self._oldest = date.fromisoformat(settings.events.oldest[:10])
        self._unsaid = UNSAID | {"site": site}
        self._nothing = frozenset(("", *mapping.null_marks))
        self._read_number = mapping.amount or numbers.money
        self._read_time, self._zone = parser(figures.day.unit, figures.day.zone), ZoneInfo(figures.day.zone)
        self._sums = figures.sums
        self._day, self._until = _there(figures.day.columns, columns), _there(figures.last_day, columns)
        self._rules: dict[str, tuple[FieldRule, list[str]]] = {}
        for field in figures.fields:
            if rule := figures.rule(field):
                self._rules[field] = rule, _there(rule.columns, columns)
        self._columns = [column for column in fields_of(FIGURES[kind]) if column.name != "currency"]
        self._has_currency = len(self._columns) < len(fields_of(FIGURES[kind]))
        self._currency = _in_header(self._rules)

    def __call__(self, row: Row | Unmappable) -> Row | None:
        """The columns of the table that a file fills; None for a row that sums up others."""
        if isinstance(row, Unmappable):
            raise row
        row = {name: value.strip() if isinstance(value, str) else value for name, value in row.items()}
        row = {name: value for name, value in row.items() if value is not None and value not in self._nothing}
        if self._sums and self._is_sum(row):
            return None
        figure: Row = {"date": self._one_day(row)} | {column.name: self._value(column, row) for column in self._columns}
        return figure | {"currency": self._currency_of(row)} if self._has_currency else figure

    def _is_sum(self, row: Row) -> bool:
        day, campaign = _first(row, self._day), self._rules.get("campaign")
        lacks_campaign = campaign and campaign[1] and _first(row, campaign[1]) is None
        return day is None or bool(lacks_campaign) or text(day).startswith(self._sums)

    def _one_day(self, row: Row) -> date:
        first, last = (self._date(row, columns) for columns in (self._day, self._until or self._day))
        if first != last:
            raise Unmappable("several_days", f"the row is of {first} to {last}: export one row a day")
        if first < self._oldest:
            raise Unmappable("impossible_time", f"the row is of {first}, before events.oldest")
        if first > datetime.fromtimestamp(time.time(), UTC).date() + timedelta(days=1):
            raise Unmappable("future_time", f"the row is of {first}, which is still to come")
        return first

    def _date(self, row: Row, columns: list[str]) -> date:
        value = _first(row, columns)
        if value is None:
            raise Unmappable("missing_time", f"column {' or '.join(columns)} is empty")
        try:
            milliseconds = self._read_time(value)
            return datetime.fromtimestamp(milliseconds / 1000, self._zone).date()
        except (ValueError, TypeError, ArithmeticError, OSError):
            raise Unmappable("bad_time", f"column {' or '.join(columns)} is {_short(value)}: no such day") from None

    def _value(self, column: Column, row: Row) -> Any:
        rule, columns = self._rules.get(column.name, (FieldRule(), []))
        value = _first(row, columns) if rule.value is None else rule.value
        if value is None:
            if column.nullable or column.name in self._unsaid:
                return self._unsaid.get(column.name)
            raise Unmappable("missing_value", f"{_where(column.name, columns)} is empty")
        if column.type == "string":
            return self._word(column.name, rule.values.get(text(value), text(value)))
        number = self._number(_where(column.name, columns), value)
        if column.minimum is not None and number < column.minimum:
            raise Unmappable("out_of_range", f"{_where(column.name, columns)} is {number}, below {column.minimum:g}")
        return _READ[column.type](_where(column.name, columns), number)

    def _word(self, name: str, word: str) -> str:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise Unmappable("undecodable", f"the text {_short(word)} is not in the file's encoding") from None
        if len(word) > self._max_chars or not word.isprintable():
            raise Unmappable(
                "bad_value", f"{name} is {_short(word)}: more than {self._max_chars} signs, or one that is none"
            )
        return word

    def _number(self, where: str, value: Any) -> Decimal:
        try:
            number = Decimal(self._read_number(value if isinstance(value, str) else str(numbers.number(value))).amount)
        except (ValueError, ArithmeticError):
            raise Unmappable(
                "bad_value", f"{where} is {_short(value)}: no number as the mapping's signs write it"
            ) from None
        if abs(number) > _MOST:
            raise Unmappable("out_of_range", f"{where} is {_short(value)}, more than {_MOST:f}")
        return number

    def _currency_of(self, row: Row) -> str:
        """As the row says it, else its header, else the sign beside its money."""
        rule, columns = self._rules.get("currency", (FieldRule(), []))
        said = _first(row, columns) or rule.value or self._currency or self._beside(row)
        try:
            return numbers.currency(rule.values.get(text(said), text(said)))
        except ValueError:
            raise Unmappable("missing_currency", f"no currency stands in {_where('currency', columns)}") from None

    def _beside(self, row: Row) -> str | None:
        written = _first(row, self._rules["cost"][1])
        return self._read_number(written).currency if isinstance(written, str) else None


def _whole(where: str, number: Decimal) -> int:
    if number != number.to_integral_value():
        raise Unmappable("bad_value", f"{where} is {number}: no whole number")
    return int(number)


_READ: Final[dict[str, Callable[[str, Decimal], Any]]] = {
    "bigint": _whole,
    "double": lambda where, number: float(number),
    AMOUNT: lambda where, number: number.quantize(_CENTS, ROUND_HALF_EVEN),
}


def _there(columns: Iterable[str], present: Sequence[str] | None) -> list[str]:
    if present is None:
        return [column.removesuffix("?") for column in columns]
    return [name for column in columns if (name := named(column, present))]


def _first(row: Row, columns: Iterable[str]) -> Any:
    return next((row[column] for column in columns if column in row), None)


def _in_header(rules: dict[str, tuple[FieldRule, list[str]]]) -> str | None:
    """What stands in the header in the place of `*`."""
    for rule, present in rules.values():
        for column in (column for column in rule.columns if "*" in column):
            before, _, behind = column.removesuffix("?").partition("*")
            if name := next((name for name in present if named(column, [name])), None):
                return name[len(before) : len(name) - len(behind)]
    return None


def _where(field: str, columns: list[str]) -> str:
    return f"column {' or '.join(columns)}" if columns else field


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"

"""The cells of a row: what JSON, Parquet and delimited text hold, as text, names and times."""

from collections.abc import Callable, Collection, Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from collector.dialects.shared.readers import Unread, identifier
from nextclick.contracts.events import MILLIS

Row = dict[str, Any]
"""Column → value as the file has it; None, "" and the null marks of a mapping mean that there is none."""
_EXCEL: Final = (30_000, 60_000)
"""Days since 1900 of the years 1982 to 2064, as Excel counts them."""
_EXACT: Final = 1 << 53
"""Above it a float is not the number that was meant."""


def text(value: Any) -> str:
    """A value of JSON or Parquet as the text that a CSV file would have."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return _encode_any(value).decode() if isinstance(value, (list, dict)) else str(value)


_encode_any: Final = msgspec.json.Encoder(enc_hook=text).encode
"""JSON of what Parquet holds, too: a time in nanoseconds is pandas' own."""


def find(row: Row, columns: Iterable[str]) -> tuple[str, Any]:
    """The first of the columns that has a value, and the value; ("", None) if none has."""
    for column in columns:
        if (value := row.get(column)) is not None:
            return column, value
    return "", None


def is_there(value: Any) -> bool:
    """Whether a cell of Parquet or JSON has a value; NaN is how pandas writes that there is none."""
    return value is not None and value == value


def column_there(row: Collection[str], columns: Iterable[str]) -> str:
    """The first of the columns that a row has; "" if it has none."""
    return next((column for column in columns if column in row), "")


def below(row: Iterable[str], columns: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Name and column of what an object was flattened to, the columns `column.…` (formats/json_lines.py)."""
    for column in columns:
        prefix = f"{column}."
        if inside := tuple((name.removeprefix(prefix), name) for name in row if name.startswith(prefix)):
            return inside
    return ()


def as_json(value: Any, is_name: bool) -> Any:
    """A value of Parquet as a tracker would have sent it; a name that a table holds as a float or decimal is the whole number."""
    if isinstance(value, Decimal):
        return int(value) if is_name and value == value.to_integral_value() else str(value)
    if isinstance(value, float) and is_name and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, timedelta):
        return value / timedelta(milliseconds=1)
    if isinstance(value, (list, dict)):
        return msgspec.json.decode(text(value))
    return value if isinstance(value, (bool, int, float)) else text(value)


def word(value: Any) -> str:
    """A value that names something, as text: a whole number that came as a float is the whole number."""
    name = value if type(value) is str else identifier(as_json(value, is_name=True))
    return name if isinstance(name, str) else text(value)


def time_of(read: Callable[[Any], int], value: Any) -> Any:
    """Milliseconds since 1970 as `read` reads them; Unread where it cannot, or where they lie outside of what silver holds."""
    try:
        time = read(value)
    except (ValueError, TypeError, ArithmeticError):
        return Unread(text(value))
    return time if MILLIS[0] <= time <= MILLIS[1] else Unread(text(value))


def is_excels(value: Any) -> bool:
    """Whether a number may be a day as Excel counts them."""
    try:
        return not isinstance(value, date) and _EXCEL[0] < float(str(value).replace(",", ".")) < _EXCEL[1]
    except ValueError:
        return False


def bare(columns: Iterable[str]) -> tuple[str, ...]:
    """Names of columns without the `?` of those that may be empty."""
    return tuple(column.removesuffix("?") for column in columns)


def short(value: Any) -> str:
    """The value as a message shows it."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"

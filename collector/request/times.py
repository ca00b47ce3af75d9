"""Times as files write them → integer milliseconds since 1970-01-01 UTC."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MILLISECONDS: Final = {"s": Decimal(1000), "ms": Decimal(1), "us": Decimal("0.001")}
_LONGEST: Final = 64
"""Characters of a written number that are looked at; a time that is precise to the attosecond has half of them."""
_LARGEST: Final = 18
"""Decimal places before the point: 1e18 µs is the year 33,658. Arithmetic on larger ones costs without bound."""
_SECONDS_END, _MILLISECONDS_END = 10**11, 10**14  # for "auto": 1e11 s is the year 5138, 1e11 ms is 1973

TimeParser = Callable[[Any], int]
"""Raises ValueError, TypeError or OverflowError for what is no such time."""


def parser(unit: str, zone: str = "UTC") -> TimeParser:
    """The parser for a unit of a mapping file: s, ms, us, iso8601, auto or a strptime format.

    `zone` is where a written time that names no zone was written. What Parquet holds as a time is one in any unit.
    """
    where = UTC if zone == "UTC" else ZoneInfo(zone)
    if unit in _MILLISECONDS:
        return lambda value: _counted(value, unit, where)
    if unit == "auto":
        return lambda value: _auto(value, where)
    read = datetime.fromisoformat if unit == "iso8601" else lambda written: datetime.strptime(written, unit)
    return lambda value: _moment(value if isinstance(value, date) else read(str(value).strip()), where)


def _counted(value: Any, unit: str, zone: tzinfo) -> int:
    if isinstance(value, date):
        return _moment(value, zone)
    if unit == "ms" and type(value) is str and len(value) <= _LARGEST and value.isdecimal():
        return int(value)
    return int(_decimal(value) * _MILLISECONDS[unit])


def _decimal(value: Any) -> Decimal:
    """The number, if it is one that a time can be. What it costs does not depend on its exponent: "1e999999" is refused unread."""
    written = str(value)
    if len(written) > _LONGEST:
        raise ValueError("a number of too many characters")
    try:
        number = Decimal(written)
    except InvalidOperation:
        raise ValueError(written) from None
    if not number.is_finite() or not -_LONGEST < number.adjusted() < _LARGEST:
        raise OverflowError(written)
    return number


def _auto(value: Any, zone: tzinfo) -> int:
    try:
        size = abs(float(value))
    except (TypeError, ValueError):
        return _moment(value if isinstance(value, date) else datetime.fromisoformat(str(value).strip()), zone)
    return _counted(value, "s" if size < _SECONDS_END else "ms" if size < _MILLISECONDS_END else "us", zone)


def _moment(written: date, zone: tzinfo) -> int:
    moment = written if isinstance(written, datetime) else datetime.combine(written, time())
    return ((moment if moment.tzinfo else moment.replace(tzinfo=zone)) - _EPOCH) // _MILLISECOND

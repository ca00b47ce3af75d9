"""Times as files write them → integer milliseconds since 1970-01-01 UTC."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_PER_MS = {"s": 0.001, "ms": 1.0, "us": 1000.0}
_SECONDS_END, _MILLIS_END = 10**11, 10**14  # "auto": 1e11 s is the year 5138, 1e11 ms is 1973

TimeParser = Callable[[Any], int]
"""Raises ValueError (or OverflowError) for what is no such time."""


def parser(unit: str, zone: str = "UTC") -> TimeParser:
    """The parser for a unit of a mapping file: s, ms, us, iso8601, auto or a strptime format."""
    where = UTC if zone == "UTC" else ZoneInfo(zone)
    if unit in _PER_MS:
        return _number(unit)
    if unit == "iso8601":
        return lambda value: _written(value, datetime.fromisoformat, where)
    if unit == "auto":
        return lambda value: _auto(value, where)
    return lambda value: _written(value, lambda text: datetime.strptime(text, unit), where)


def _number(unit: str) -> TimeParser:
    per_ms = _PER_MS[unit]

    def parse(value: Any) -> int:
        if isinstance(value, date):
            return _milliseconds(value, UTC)
        try:
            whole = int(value) if isinstance(value, (str, int)) else None
        except ValueError:
            whole = None
        if whole is None:
            number = float(value)
            return math.floor(round(number / per_ms, 3))
        return whole if per_ms == 1.0 else whole * 1000 if per_ms < 1 else whole // 1000

    return parse


_SECONDS, _MILLIS, _MICROS = _number("s"), _number("ms"), _number("us")


def _auto(value: Any, zone: tzinfo) -> int:
    try:
        size = abs(float(value))
    except (TypeError, ValueError):
        return _written(value, datetime.fromisoformat, zone)
    return (_SECONDS if size < _SECONDS_END else _MILLIS if size < _MILLIS_END else _MICROS)(value)


def _written(value: Any, read: Callable[[str], datetime], zone: tzinfo) -> int:
    return _milliseconds(value if isinstance(value, date) else read(str(value).strip()), zone)


def _milliseconds(moment: date, zone: tzinfo) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // _MILLISECOND

"""Times as files and trackers write them → integer milliseconds since 1970-01-01 UTC; one reader for all doors."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from collector.request.numbers import number

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SECOND: Final = timedelta(seconds=1)
_MILLISECONDS: Final = {"s": Decimal(1000), "ms": Decimal(1), "us": Decimal("0.001"), "ns": Decimal("0.000001")}
_WHOLE: Final = {"s": 1000, "ms": 1}
_LONGEST: Final = 100
"""Characters of a written time that are looked at: JavaScript's have the name of their zone behind them."""
_UNITS_END: Final = (("s", 10**11), ("ms", 10**14), ("us", 10**17))
"""For "auto": 1e11 s is the year 5138, and 1e11 ms, 1e14 µs and 1e17 ns are 1973."""
_DAY: Final = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\.0+)?")
_TICKS: Final = re.compile(r"\\?/Date\((-?\d{1,15})([+-]\d{4})?\)\\?/")  # .NET's; its offset does not move the time
_ZONED: Final = re.compile(
    r"(?P<when>.*?\d)\s?(?:(?P<offset>[+-]\d\d:?\d\d)(?: [A-Z]{3,5})?|(?P<utc>[zZ]|UTC|GMT))(?:\[[\w/+-]+\])?"
)
_LEAP: Final = re.compile(r"(.*\d\d:\d\d:)60(|\D.*)")
_BROWSERS: Final = re.compile(r"(.*\d\d:\d\d:\d\d )(?:GMT|UTC)([+-]\d{4})(?: \([^()]*\))?")
_ZONE_NAME: Final = re.compile(
    r"(?i)\b(?!mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]+"
)

TimeParser = Callable[[Any], int]
"""Raises ValueError, TypeError or OverflowError for what is no such time."""


class AmbiguousTime(ValueError):
    """A time that may be read in two ways; its message says which, and what to write."""


def parser(unit: str, zone: str = "UTC") -> TimeParser:
    """The parser for a unit of a mapping file: s, ms, us, ns, iso8601, auto or a strptime format.

    `zone` is where a written time that names no zone was written. What Parquet holds as a time is one in any unit.
    """
    where = UTC if zone == "UTC" else ZoneInfo(zone)
    if unit in _MILLISECONDS:
        return lambda value: _counted(value, unit, where)
    if unit == "auto":
        return lambda value: _auto(value, where)
    if unit == "iso8601":
        return lambda value: _moment(value if isinstance(value, date) else _written(str(value)), where)
    return lambda value: _moment(
        value if isinstance(value, date) else datetime.strptime(str(value).strip(), unit), where
    )


def _counted(value: Any, unit: str, zone: tzinfo) -> int:
    if type(value) is str and len(value) < 16 and value.isdecimal() and unit in _WHOLE:
        return int(value) * _WHOLE[unit]
    if isinstance(value, date):
        return _moment(value, zone)
    return int(number(value) * _MILLISECONDS[unit])


def _auto(value: Any, zone: tzinfo) -> int:
    if isinstance(value, date):
        return _moment(value, zone)
    if type(value) is str and value[4:5] == "-" and value[:4].isdecimal():  # a date, and no number
        return _moment(_written(value), zone)
    try:
        size = abs(float(value))
    except (TypeError, ValueError):
        return _moment(_written(str(value)), zone)
    if 19e6 < size < 21e6 and _DAY.fullmatch(str(value).strip()):
        raise AmbiguousTime("eight digits are a date, or seconds of 1970: write 2026-11-28")
    return _counted(value, next((unit for unit, end in _UNITS_END if size < end), "ns"), zone)


def _written(text: str) -> datetime:
    """ISO 8601, and what Ruby, Go, Java, .NET, JavaScript and the headers of HTTP make of a time."""
    text = text.strip()
    if len(text) > _LONGEST:
        raise ValueError("a time of too many characters")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if leap := _LEAP.fullmatch(text):
        return _written(f"{leap[1]}59{leap[2]}") + _SECOND
    if ticks := _TICKS.fullmatch(text):
        return _EPOCH + int(ticks[1]) * _MILLISECOND
    if zoned := _ZONED.fullmatch(text):
        with suppress(ValueError):
            return datetime.fromisoformat(zoned["when"] + (zoned["offset"] or "+00:00"))
    return _spelled(text)


def _spelled(text: str) -> datetime:
    """`Sat, 28 Nov 2026 10:00:00 GMT` (RFC 1123) and its relatives; a zone that is only a name is none that is known."""
    if browsers := _BROWSERS.fullmatch(text):
        text = browsers[1] + browsers[2]
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, IndexError):
        raise ValueError(f"{text} is no time") from None
    if moment.tzinfo is None and _ZONE_NAME.search(text):
        raise ValueError(f"{text} names a zone that is not known")
    return moment


def has_zone(value: Any) -> bool:
    """Whether a time, which can be read, is one wherever it was written: a number, or a text with its zone."""
    return not isinstance(value, str) or value.endswith(("Z", "z")) or _auto(value, UTC) == _auto(value, _ELSEWHERE)


_ELSEWHERE: Final = ZoneInfo("Etc/GMT+12")


def _moment(written: date, zone: tzinfo) -> int:
    moment = written if isinstance(written, datetime) else datetime.combine(written, time())
    return ((moment if moment.tzinfo else moment.replace(tzinfo=zone)) - _EPOCH) // _MILLISECOND

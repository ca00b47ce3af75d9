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
_COMPACT: Final = re.compile(
    r"((?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))((?:[01]\d|2[0-3])[0-5]\d[0-5]\d)(\d{3})?(?:\.0+)?"
)
"""A date and its time in digits alone; as a number they would be of the year 2570 and later, whatever the unit."""
_NET_TICKS: Final = (6.2e17, 6.6e17)
"""Tenths of microseconds since the year 1, as .NET counts them, from 1965 to 2092; as nanoseconds they would be of 1990."""
_NET_EPOCH: Final = 621_355_968_000_000_000
_ZERO: Final = re.compile(r"000[01]-0[01]-0[01](?:[T ]00:00(?::00(?:\.0{1,9})?)?(?:Z|\s?\+00:?00)?)?(?: UTC)?")
"""The zero of Go's and .NET's times, and MySQL's."""
_TICKS: Final = re.compile(r"\\?/Date\((-?\d{1,15})([+-]\d{4})?\)\\?/")  # .NET's; its offset does not move the time
_ZONED: Final = re.compile(
    r"(?P<when>.*?\d)\s?(?:(?P<offset>[+-]\d\d:?\d\d)(?: [A-Z]{3,5})?|(?P<utc>[zZ]|UTC|GMT))(?:\[[\w/+-]+\])?"
)
_LEAP: Final = re.compile(r"(.*\d\d:\d\d:)60(|\D.*)")
_MONOTONIC: Final = re.compile(r"(.*) m=[+-]\d{1,20}\.\d{1,9}")  # Go's time.Now, printed
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
    if (1.9e13 < size < 2.1e13 or 1.9e16 < size < 2.1e16) and (compact := _COMPACT.fullmatch(str(number(value)))):
        return _moment(datetime.fromisoformat(f"{compact[1]}T{compact[2]}.{compact[3] or '000'}"), zone)
    if _NET_TICKS[0] < size < _NET_TICKS[1]:
        return (int(number(value)) - _NET_EPOCH) // 10_000
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
    if monotonic := _MONOTONIC.fullmatch(text):
        return _written(monotonic[1])
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


def is_zero(value: Any) -> bool:
    """Whether a time is what programs hold where they have none.

    >>> is_zero(0), is_zero("0001-01-01T00:00:00Z"), is_zero("0000-00-00 00:00:00"), is_zero("2026-01-01")
    (True, True, True, False)
    """
    if isinstance(value, str):
        return value[:1] == "0" and (value == "0" or _ZERO.fullmatch(value) is not None)
    return type(value) in (int, float) and value == 0


def has_zone(value: Any) -> bool:
    """Whether a time, which can be read, is one wherever it was written: a number, or a text with its zone."""
    return not isinstance(value, str) or value.endswith(("Z", "z")) or _auto(value, UTC) == _auto(value, _ELSEWHERE)


_ELSEWHERE: Final = ZoneInfo("Etc/GMT+12")


def _moment(written: date, zone: tzinfo) -> int:
    moment = written if isinstance(written, datetime) else datetime.combine(written, time())
    return ((moment if moment.tzinfo else moment.replace(tzinfo=zone)) - _EPOCH) // _MILLISECOND

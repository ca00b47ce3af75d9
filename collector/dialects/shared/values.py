"""The values of tracker payloads → fields of an event; shared by the dialects."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from collector.dialects.shared.json_text import json_of
from collector.dialects.shared.readers import (
    Json,
    Unread,
    text,
)
from collector.request.errors import Unmappable
from collector.request.model import Refused, Request, RequestLimits
from collector.request.times import AmbiguousTime, has_zone, is_zero, parser
from nextclick.address import truncated
from nextclick.contracts.events import MILLIS

_time: Final = parser("auto")
PLAIN_MILLIS: Final = (10**11, 19 * 10**12)
"""Whole numbers that are milliseconds by their size: the years 1973 to 2572, before what may be a date in digits alone."""
_MOST_PARAMETERS: Final = 1000
_ZONELESS_SKEW: Final = 15 * 60_000
"""Milliseconds that a time of sending without a zone may be off, before it is another zone's."""
_INNER_DEPTH: Final = 32


def decode(body: bytes, limits: RequestLimits) -> Any:
    """The body as JSON, mended where its meaning is plain (json_text); Refused 400 where it is none or nested too deeply."""
    try:
        value = json_of(body, limits.json_depth)
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):  # JSON that was written as a text once more
            value = json_of(value.encode("utf-8", "replace"), limits.json_depth)
        return value
    except RecursionError:
        raise Refused(400, "too_deep", _too_deep(limits)) from None
    except ValueError as error:
        raise Refused(400, "malformed_json", f"The body is not JSON: {error}.") from None


def _too_deep(limits: RequestLimits) -> str:
    return f"The JSON is nested more than {limits.json_depth} levels deep (collector.json_depth)."


def objects(values: Any, limits: RequestLimits) -> list[Any]:
    """`values` if it is a list that is not too long, else Refused; an object whose names are places is PHP's list with gaps.

    Any other object is the only one of a list that was left out.
    """
    if isinstance(values, dict) and values:
        values = list(values.values()) if all(name.isdecimal() for name in values) else [values]
    if not isinstance(values, list):
        raise Refused(400, "malformed_batch", "The events are not a list.")
    if len(values) > limits.batch_events:
        raise Refused(
            413,
            "batch_too_large",
            f"{len(values):,} events are more than collector.batch_events = {limits.batch_events:,}.",
        )
    return values


def record(value: Any, name: str) -> Json:
    """`value` if it is an object that says anything; Unmappable if it is something else."""
    if not isinstance(value, dict):
        raise Unmappable("bad_type", f"{name} is not an object")
    return value


def mapping(value: Any, name: str) -> Json:
    """`value` as an object, also where it is JSON in text; {} for null, "" and PHP's [].

    What is no object becomes the value of `name`: it is kept, and costs nothing else.

    >>> mapping({"a": 1}, "p"), mapping([], "p"), mapping('{"a": 1}', "p"), mapping("free", "p")
    ({'a': 1}, {}, {'a': 1}, {'p': 'free'})
    """
    if isinstance(value, dict):
        return value
    if value is None or value == "" or value == []:
        return {}
    inside = inner_json(value) if isinstance(value, str) and value.lstrip().startswith("{") else None
    return inside if isinstance(inside, dict) else {name: value}


def inner_json(written: str) -> Any:
    """JSON that stands in a text; None where it is none."""
    try:
        return json_of(written.encode("utf-8", "replace"), _INNER_DEPTH)
    except (ValueError, RecursionError):
        return None


def query(request: Request) -> dict[str, str]:
    """The address's parameters, decoded; of equal names the last."""
    return form(request.query)


def form(text: str, charset: str = "utf-8") -> dict[str, str]:
    """The parameters of an address or of a form, decoded; of equal names the last. Refused 400 if they are too many.

    `&amp;` stands between them where an address was written for HTML and never read as such: in a value `&` is escaped.
    """
    text = text.replace("&amp;", "&")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS, encoding=charset))
    except ValueError:
        raise Refused(400, "malformed_form", f"There are more than {_MOST_PARAMETERS:,} parameters.") from None


def base64_text(text: str) -> bytes:
    """Base64 of either alphabet, with or without padding; ValueError if it is none."""
    plain = text.strip().replace("-", "+").replace("_", "/").replace(" ", "+").rstrip("=")
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except NotBase64 as error:
        raise ValueError(str(error)) from None


def first(values: Mapping[str, Any], *names: str) -> Any:
    """The value of the first of `names` that has one."""
    for name in names:
        if (value := values.get(name)) not in (None, ""):
            return value
    return None


class Zoneless(int):
    """A time whose text names no zone: read as if written in UTC."""


def millis(value: Any, name: str) -> int | None:
    """When the client says it happened, in milliseconds; None where it says nothing, Unmappable where it cannot be read.

    ISO 8601 and its relatives, or seconds, milliseconds, microseconds or nanoseconds by their size.
    """
    read: int | Unread | None = moment(value)
    if not isinstance(read, Unread):
        return read
    try:
        _time(value)
        reason = "which lies outside the years 1 to 9999"
    except AmbiguousTime as error:
        reason = str(error)
    except (ValueError, TypeError, OverflowError):
        reason = "which is no time"
    raise Unmappable("bad_time", f"{name} is {str(value)[:60]!r}, {reason}")


def moment(value: Any) -> Any:
    """A time that an event can do without: milliseconds, None where there is none, Unread where it cannot be read."""
    if value is None or value == "":
        return None
    if type(value) is int and PLAIN_MILLIS[0] <= value < PLAIN_MILLIS[1]:
        return value
    if is_zero(value):
        return None
    try:
        time = _time(value)
        if isinstance(value, bool) or not MILLIS[0] <= time <= MILLIS[1]:
            return Unread(value)
        return time if has_zone(value) else Zoneless(time)
    except (ValueError, TypeError, OverflowError):
        return Unread(value)


def properties(*parts: Mapping[str, Any], without: Iterable[str] = ()) -> dict[str, str] | None:
    """Everything that no field took, as text; of equal names the first part's wins."""
    left_out = frozenset(without)
    kept: dict[str, str] = {}
    for part in parts:
        for name, value in part.items():
            if name not in left_out and name not in kept and (written := text(value)) is not None:
                kept[name] = written
    return kept or None


def without(values: Json, names: Iterable[str]) -> Json:
    """`values` but for those of `names`."""
    return {name: value for name, value in values.items() if name not in names}


def corrected(client_time: int | None, sent_at: Any, received_at: int) -> int | None:
    """The time by the door's clock: as long before arrival as the client says it was before sending.

    None (as client_time) where the client did not say when it sent, or says that it sent before it happened, or
    where only the time of sending names no zone, and is so far off that it must be another's than UTC.
    """
    if client_time is None or not isinstance(sent_at, int) or sent_at < client_time:
        return None
    is_alone = isinstance(sent_at, Zoneless) and not isinstance(client_time, Zoneless)
    if is_alone and abs(received_at - sent_at) > _ZONELESS_SKEW:
        return None
    return received_at - (sent_at - client_time)


def address(value: Any) -> str | None:
    """An address as a payload gives it, truncated; None if it is none."""
    try:
        return truncated(str(value)) if value else None
    except ValueError:
        return None

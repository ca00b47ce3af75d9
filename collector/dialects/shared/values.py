"""The values of tracker payloads → fields of an event; shared by the dialects."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from collector.dialects.shared.json_text import json_of
from collector.dialects.shared.readers import (
    MAY_BE_NEGATIVE,
    Json,
    Unread,
    cut,
    identifier,
    readers,
    text,
)
from collector.request.errors import Unmappable
from collector.request.model import EventLimits, Refused, Request, RequestLimits
from collector.request.numbers import Money
from collector.request.times import AmbiguousTime, has_zone, parser
from nextclick.address import truncated
from nextclick.contracts.availability import is_unread
from nextclick.contracts.events import MILLIS, Consent, Event, Reject, derived_id, encode, payload_id, somebody

_time: Final = parser("auto")
_PLAIN_MILLIS: Final = (10**11, 10**14)
"""Whole numbers that are milliseconds by their size: the years 1973 to 5138."""
_MOST_PARAMETERS: Final = 1000
_MEANT: Final = ("previous_id", "available", "user_signature")
"""Properties that mean something: the last to go where there are too many."""
_ZONELESS_SKEW: Final = 15 * 60_000
"""Milliseconds that a time of sending without a zone may be off, before it is another zone's."""
_INNER_DEPTH: Final = 32
_READERS: Final = readers(Event)


def decode(body: bytes, limits: RequestLimits) -> Any:
    """The body as JSON, mended where its meaning is plain (json_text); Refused 400 where it is none or nested too deeply."""
    try:
        return json_of(body, limits.json_depth)
    except RecursionError:
        raise Refused(400, "too_deep", _too_deep(limits)) from None
    except ValueError as error:
        raise Refused(400, "malformed_json", f"The body is not JSON: {error}.") from None


def _too_deep(limits: RequestLimits) -> str:
    return f"The JSON is nested more than {limits.json_depth} levels deep (collector.json_depth)."


def objects(values: Any, limits: RequestLimits) -> list[Any]:
    """`values` if it is a list that is not too long, else Refused; an object whose names are places is PHP's list with gaps."""
    if isinstance(values, dict) and values and all(name.isdecimal() for name in values):
        values = list(values.values())
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
    """The parameters of an address or of a form, decoded; of equal names the last. Refused 400 if they are too many."""
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
    if type(value) is int and _PLAIN_MILLIS[0] <= value < _PLAIN_MILLIS[1]:
        return value
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


def event(
    request: Request,
    kind: Any,
    *,
    own_id: Any = None,
    client_time: int | None = None,
    occurred_at: Any = None,
    sent_at: Any = None,
    index: int | str = 0,
    part: int | None = None,
    properties: Mapping[str, str] | None = None,
    **fields: Any,
) -> Event:
    """An event of canonical `fields`, each read by its own reader from what the tracker sent; None and "" are left out.

    What cannot be read goes to the properties, and its field to `unread_fields`. The id is `own_id`, with
    `#part` where a record fans out; else it is made of the event where the client stamped a time; else of
    the request's token and `index`, the event's place in the request. Raises Unmappable where the kind, or
    visitor and user, are missing.
    """
    limits = request.limits
    kind = _kind(kind, limits)
    suffix = "" if part is None else f"#{part}"
    known: Json = {}
    unread: Json = {}
    for name, value in (
        ("event_id", _own_id(own_id, suffix, limits)),
        ("occurred_at", occurred_at),
        ("sent_at", sent_at),
    ):
        if isinstance(value, Unread):
            unread[name] = value.value
        elif value is not None:
            known[name] = int(value) if isinstance(value, Zoneless) else value
    for name, value in fields.items():
        if value is not None and value != "":
            read = _READERS[name](value, limits)
            if type(read) is Unread:
                unread[name] = read.value
            elif read is not None:
                known[name] = read
    _settle_amounts(kind, known, unread)
    visitor, user = somebody(known.pop("visitor_id", None), known.pop("user_id", None), request.nobody)
    if visitor is None and user is None and kind != "item_update":
        raise Unmappable("missing_visitor", "neither a visitor's nor a user's id is there")
    known |= {name: who for name, who in (("visitor_id", visitor), ("user_id", user)) if who is not None}
    if request.user_agent and "user_agent" not in known:
        known["user_agent"] = cut(request.user_agent, limits.max_text_chars)
    known.setdefault("ip", request.ip)
    if (browsers := consent_of(request)) is not None:
        known["consent"] = _with_browsers(known.get("consent"), browsers)
    if kind == "alias" and properties and "previous_id" in properties:
        previous_id(properties["previous_id"], limits)
    kept = _properties(properties or {}, unread, limits)
    unread_fields = [*unread, *(["properties"] if len(kept) < len(properties or {}) + len(unread) else [])]
    if kind == "item_update" and is_unread(kept.get("available", "")):
        unread_fields.append("available")
    identity = known.pop("event_id", "") or ("" if client_time is not None else derived_id(request.token, index))
    result = Event(
        event=kind,
        event_id=identity + suffix if identity else "",
        client_time=request.received_at if client_time is None else int(client_time),
        unread_fields=unread_fields or None,
        properties=kept or None,
        **known,
    )
    if identity:
        return result
    return msgspec.structs.replace(result, event_id=payload_id(result) + suffix)


def consent_of(request: Request) -> Consent | None:
    """What the browser says for its visitor on every page: Global Privacy Control, or Do Not Track."""
    headers = request.headers
    if "sec-gpc" not in headers and "dnt" not in headers:
        return None
    is_no = headers.get("sec-gpc", "").strip() == "1" or headers.get("dnt", "").strip() == "1"
    return Consent(personalization=False, advertising=False) if is_no else None


def _with_browsers(own: Consent | None, browsers: Consent) -> Consent:
    """What the event itself says of a purpose counts, else what the browser says."""
    own = own or Consent()
    said = {name: getattr(own, name) for name in Consent.__struct_fields__}
    return Consent(**{name: getattr(browsers, name) if own is None else own for name, own in said.items()})


def _kind(value: Any, limits: EventLimits) -> str:
    kind = identifier(value)
    if kind is None:
        raise Unmappable("missing_event", "there is no kind of event")
    if isinstance(kind, Unread):
        raise Unmappable("bad_type", f"the kind of event is {str(text(value))[:60]!r}, which is no name")
    if len(kind) > limits.max_id_chars:
        most = limits.max_id_chars
        raise Unmappable(
            "too_long", f"the kind of event has {len(kind):,} characters, above events.max_id_chars = {most}"
        )
    return str(kind)


def _own_id(value: Any, suffix: str, limits: EventLimits) -> Any:
    read = identifier(value)
    return Unread(value) if isinstance(read, str) and len(read) + len(suffix) > limits.max_id_chars else read


def _settle_amounts(kind: str, known: Json, unread: Json) -> None:
    """Give the currency that a price names to its event, and say of amounts below 0 what they are in an event of this kind."""
    if isinstance(price := known.get("price"), Money):
        known["price"] = price.amount
        if price.currency and "currency" not in known:
            known["currency"] = price.currency
    for name in MAY_BE_NEGATIVE:
        if name in known and kind != "purchase" and str(known[name]).startswith("-"):
            if kind == "refund":  # its kind says the minus already
                known[name] = _positive(known[name])
            else:
                unread[name] = known.pop(name)


def _positive(value: str | int) -> str | int:
    return value.removeprefix("-") if isinstance(value, str) else -value


def _properties(properties: Mapping[str, str], unread: Json, limits: EventLimits) -> dict[str, str]:
    """The properties and what no field could read, as many as are allowed, and each no longer than is allowed."""
    kept = {name: text(value) or "" for name, value in unread.items()}
    kept |= {f"unread.{name}" if name in unread else name: value for name, value in properties.items()}
    if len(kept) > limits.max_properties:
        first = [*unread, *(name for name in _MEANT if name in kept)]
        names = dict.fromkeys((*first, *kept))
        kept = {name: kept[name] for name in [*names][: limits.max_properties]}
    return {cut(name, limits.max_id_chars): cut(value, limits.max_text_chars) for name, value in kept.items()}


def previous_id(value: Any, limits: EventLimits) -> str:
    """The id that an alias merges into its user; Unmappable where it cannot be read, since the alias says nothing else."""
    merged = identifier(value)
    if not isinstance(merged, str) or len(merged) > limits.max_id_chars:
        raise Unmappable("missing_visitor", "the alias does not name two ids that can be read")
    return merged


def reject(request: Request, problem: Unmappable, payload: Any) -> Reject:
    """A reject of one record; `payload` is a body that holds that record alone, so that a replay can send it again."""
    return Reject(
        reason=problem.reason,
        message=f"{problem}.",
        payload=payload if isinstance(payload, str) else encode(payload).decode(),
        request=envelope(request),
    )


def envelope(request: Request) -> dict[str, str]:
    """What a replay needs beside the body."""
    kept = {name: request.headers[name] for name in ("user-agent", "content-type") if name in request.headers}
    values = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "ip": request.ip,
        "anonymous_id": request.anonymous_id,
    }
    return kept | {name: value for name, value in values.items() if value}

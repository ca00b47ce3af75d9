"""The plain event of nextclick: `POST /v1/events` with one JSON object, an array, NDJSON, or the page tag's beacon.

An event names canonical fields (nextclick/contracts/events.py) or their aliases; what no field takes goes to
`properties`. The beacon is `{"key", "sent_at", "cookieless", "events": […]}`, also as text/plain, which
browsers send without asking first; where it is cookieless, an event without a visitor gets the anonymous id of the request.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from collector.dialects import plain_fast
from collector.dialects.shared.user_agent import of_visitor
from collector.dialects.shared.values import (
    Json,
    consent,
    corrected,
    decode,
    event,
    first,
    mapping,
    millis,
    money,
    objects,
    properties,
    reject,
    text,
    whole,
)
from collector.request.cookieless import visitor_id
from collector.request.errors import Unmappable
from collector.request.model import HttpAnswer, Parsed, Refused, Request, RequestLimits, problem
from nextclick.contracts.events import ALIASES, Consent, Event

ROUTES: Final = {"/v1/events": ("POST",)}

_TIMES: Final = ("client_time", "timestamp")
_RENAMED: Final = {"session_id": "session_hint"} | {
    name: field for name, field in ALIASES.items() if field in Event.__struct_fields__
}
_OWN: Final = (
    "event",
    "event_id",
    "client_time",
    "occurred_at",
    "sent_at",
    "properties",
    "price",
    "ip",
    "unread_fields",
)
"""Fields with a way of their own; of the others the type says how they are read."""


Reader = Callable[[Any, str], Any]
"""The value of a field of that name; Unmappable if it is none."""


def _text(value: Any, name: str) -> str | None:
    return text(value)


def _number(value: Any, name: str) -> float | None:
    if value in (None, ""):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise Unmappable("bad_type", f"{name} is {str(value)[:60]!r}, which is no number") from None


def _consent(value: Any, name: str) -> Consent | None:
    return consent(value)


_READER_OF_TYPE: Final[dict[Any, Reader]] = {str: _text, int: whole, float: _number, Consent: _consent}


def readers(kind: type[Event]) -> dict[str, Reader]:
    """How each field is read, by its type, as `canonical` does."""
    fields = [field for field in msgspec.structs.fields(kind) if field.name not in _OWN]
    return {field.name: _READER_OF_TYPE[plain_fast.type_of(field)] for field in fields}


_READERS: Final = readers(Event)


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """Each object of the body is an event; the answer counts the accepted and names what was rejected."""
    request = of_visitor(request)
    if (as_it_stands := plain_fast.parse(request, limits)) is not None:
        quick = Parsed(events=as_it_stands, answer=HttpAnswer(), key=request.headers.get("x-write-key"))
        quick.answer = answer(quick)
        return quick
    entries, shared = records(request.body, limits)
    key = text(shared.get("key"))
    parsed = Parsed(answer=HttpAnswer(), key=key or request.headers.get("x-write-key"))
    beacon = {"sent_at": text(shared.get("sent_at")), "visitor_id": _visitor(request, shared, parsed.key)}
    around = {name: value for name, value in {"key": key, **beacon}.items() if value}
    for index, values in enumerate(entries):
        try:
            parsed.events.append(_event(request, readable(values), beacon, index))
        except Unmappable as error:
            parsed.rejects.append(reject(request, error, alone(values, around)))
    parsed.answer = answer(parsed)
    return parsed


def refuse(request: Request, refused: Refused) -> HttpAnswer:
    return problem(refused.status, refused.reason, str(refused))


class Unreadable(msgspec.Struct, frozen=True):
    """A line of NDJSON that is no JSON; the others go on."""

    line: str
    reason: str
    message: str


def records(body: bytes, limits: RequestLimits) -> tuple[list[Any], Json]:
    """The events of a body, and what a beacon says of all of them."""
    try:
        value = decode(body, limits)
    except Refused:
        lines = [_line(line, limits) for line in objects(body.split(b"\n"), limits) if line.strip()]
        if len(lines) < 2 or not any(isinstance(line, dict) for line in lines):
            raise
        return lines, {}
    if isinstance(value, dict) and isinstance(value.get("events"), list):
        return objects(value["events"], limits), value
    return objects(value, limits) if isinstance(value, list) else [value], {}


def readable(value: Any) -> Json:
    """The value if it is an object; Unmappable if it is something else, or a line that is no JSON."""
    if isinstance(value, Unreadable):
        raise Unmappable(value.reason, value.message)
    return mapping(value, "the record")


def alone(value: Any, around: Json | None = None) -> Any:
    """A body that holds this record and nothing else but what the beacon says `around` it."""
    if isinstance(value, Unreadable):
        return value.line
    return {**around, "events": [value]} if around else [value]


def _line(line: bytes, limits: RequestLimits) -> Any:
    try:
        return decode(line, limits)
    except Refused as error:
        return Unreadable(line.decode("utf-8", "replace"), error.reason, f"the line: {error}".rstrip("."))


def _visitor(request: Request, shared: Json, key: str | None) -> str | None:
    """Whose the events of a beacon are that name nobody."""
    if shared.get("cookieless") is True and request.anonymous_id is not None:
        return visitor_id(request.anonymous_id, key or "")
    return text(shared.get("visitor_id"))


def _event(request: Request, values: Json, beacon: Json, index: int) -> Event:
    values = {_RENAMED.get(name, name): value for name, value in values.items()}
    metadata = mapping(values.pop("metadata", None), "metadata")
    for name, read in _READERS.items():
        if read is _text and name in metadata and name not in values:
            values[name] = metadata.pop(name)
    client_time = millis(first(values, *_TIMES), "timestamp")
    sent = millis(first(values, "sent_at") or beacon["sent_at"], "sent_at")
    known = {*Event.__struct_fields__, *_TIMES} - {"unread_fields"}  # that is the door's own, and a sender's a property
    rest = {name: value for name, value in values.items() if name not in known}
    fields: Json = {
        **{name: read(values.get(name), name) for name, read in _READERS.items()},
        "occurred_at": millis(values.get("occurred_at"), "occurred_at")
        or corrected(client_time, sent, request.received_at),
        "sent_at": sent,
        "visitor_id": text(values.get("visitor_id")) or beacon["visitor_id"],
        "price": money(values.get("price")),
        "properties": properties(mapping(values.get("properties"), "properties"), metadata, rest),
    }
    kind = text(values.get("event")) or ""
    kind = ALIASES.get(kind, kind)
    return event(request, kind, own_id=values.get("event_id"), client_time=client_time, index=index, **fields)


def answer(parsed: Parsed) -> HttpAnswer:
    body = {
        "accepted": len(parsed.events),
        "rejected": [{"error": r.reason, "message": r.message} for r in parsed.rejects],
    }
    return HttpAnswer(status=200 if parsed.events or not parsed.rejects else 400, body=msgspec.json.encode(body))

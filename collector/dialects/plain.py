"""The plain event of nextclick: `POST /v1/events` with one JSON object, an array, NDJSON, or the page tag's beacon.

An event names canonical fields (nextclick/contracts/events.py) or their aliases; what no field takes goes to
`properties`. The beacon is `{"key", "sent_at", "cookieless", "events": […]}`, also as text/plain, which
browsers send without asking first; where it is cookieless, an event without a visitor gets the anonymous id of the request.
"""

from typing import Any, Final

import msgspec

from collector.dialects import plain_fast
from collector.dialects.shared.events import event, reject
from collector.dialects.shared.json_text import utf8
from collector.dialects.shared.readers import Json, identifier, text, type_of
from collector.dialects.shared.user_agent import of_visitor
from collector.dialects.shared.values import (
    corrected,
    decode,
    first,
    mapping,
    millis,
    moment,
    objects,
    properties,
    record,
)
from collector.request.cookieless import visitor_id
from collector.request.errors import Unmappable
from collector.request.model import HttpAnswer, Parsed, Refused, Request, RequestLimits, problem
from nextclick.contracts.events import ALIASES, Event

ROUTES: Final = {"/v1/events": ("POST",)}

_TIMES: Final = ("client_time", "timestamp")
_RENAMED: Final = {"session_id": "session_hint"} | {
    name: field for name, field in ALIASES.items() if field in Event.__struct_fields__
}
_TEXTS: Final = tuple(field.name for field in msgspec.structs.fields(Event) if type_of(field) is str)
_OWN: Final = ("event", "event_id", "client_time", "occurred_at", "sent_at", "ip", "properties", "unread_fields")
"""Fields with a way of their own; the others are read by their readers."""
_FIELDS: Final = frozenset(Event.__struct_fields__) - {*_OWN}
_KNOWN: Final = {*Event.__struct_fields__, *_TIMES} - {"unread_fields"}
"""Names that are no property; `unread_fields` is the door's own, and a sender's is one."""


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """Each object of the body is an event; the answer counts the accepted and names what was rejected."""
    request = of_visitor(request)
    if (as_it_stands := plain_fast.parse(request, limits)) is not None:
        whole = HttpAnswer(body=b'{"accepted":%d,"rejected":[]}' % len(as_it_stands))
        return Parsed(events=as_it_stands, answer=whole, key=request.headers.get("x-write-key"))
    entries, shared = records(utf8(request), limits)
    key = text(shared.get("key"))
    parsed = Parsed(answer=HttpAnswer(), key=key or request.headers.get("x-write-key"))
    beacon = {"sent_at": shared.get("sent_at"), "visitor_id": _visitor(request, shared, parsed.key)}
    around = {name: value for name, value in {"key": key, **beacon}.items() if value}
    for index, values in enumerate(entries):
        try:
            parsed.events.append(_event(request, readable(values), beacon, index))
        except Unmappable as error:
            parsed.rejects.append(reject(request, error, alone(values, around)))
    parsed.answer = answer(parsed)
    return parsed


def outer_key(request: Request) -> str | None:
    return request.headers.get("x-write-key")


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
        written = [line.rstrip(b", \t\r") for line in body.split(b"\n") if line.strip()]
        lines = [_line(line, limits) for line in objects(written, limits)]
        if len(lines) < 2 or not any(isinstance(line, dict) for line in lines):
            raise
        return lines, {}
    if isinstance(value, dict) and isinstance(value.get("events"), (list, dict)):
        return objects(value["events"], limits), value
    return objects(value, limits) if isinstance(value, list) else [value], {}


def readable(value: Any) -> Json:
    """The value if it is an object; Unmappable if it is something else, or a line that is no JSON."""
    if isinstance(value, Unreadable):
        raise Unmappable(value.reason, value.message)
    return record(value, "the record")


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
    visitor = identifier(shared.get("visitor_id"))
    return visitor if isinstance(visitor, str) else None


def _event(request: Request, values: Json, beacon: Json, index: int) -> Event:
    values = {_RENAMED.get(name, name): value for name, value in values.items()}
    metadata = dict(mapping(values.pop("metadata", None), "metadata"))
    for name in [name for name in metadata if name in _TEXTS and name not in values]:
        values[name] = metadata.pop(name)
    client_time = millis(first(values, *_TIMES), "timestamp")
    sent = moment(first(values, "sent_at") or beacon["sent_at"])
    happened = moment(values.get("occurred_at"))
    fields: Json = {}
    rest: Json = {}
    for name, value in values.items():
        if name in _FIELDS:
            fields[name] = value
        elif name not in _KNOWN:
            rest[name] = value
    if identifier(fields.get("visitor_id")) is None:
        fields["visitor_id"] = beacon["visitor_id"]
    kind = identifier(values.get("event"))
    return event(
        request,
        ALIASES.get(kind, kind) if isinstance(kind, str) else values.get("event"),
        own_id=values.get("event_id"),
        client_time=client_time,
        occurred_at=corrected(client_time, sent, request.received_at) if happened is None else happened,
        sent_at=sent,
        index=index,
        properties=properties(mapping(values.get("properties"), "properties"), metadata, rest),
        **fields,
    )


def answer(parsed: Parsed) -> HttpAnswer:
    body = {
        "accepted": len(parsed.events),
        "rejected": [{"error": r.reason, "message": r.message} for r in parsed.rejects],
    }
    return HttpAnswer(status=200 if parsed.events or not parsed.rejects else 400, body=msgspec.json.encode(body))

"""Plain events that name canonical fields only, with their exact types: read in one pass, several times as quick.

Whatever differs in the least (an alias, a time as text, a number as text, an empty text, an unknown field, a
beacon) is left to `plain`, which gives the same event; a test holds the two equal.
"""

from types import NoneType
from typing import Annotated, Any, Final, get_args

import msgspec
from msgspec.structs import force_setattr

from collector.dialects.shared.values import corrected
from collector.request.model import Request, RequestLimits
from nextclick.contracts.events import ALIASES, Consent, Event, payload_id, somebody

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Whole = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]
_Time = Annotated[int, msgspec.Meta(ge=10**11, lt=10**14)]
"""What `plain` takes for milliseconds too: from 1973 to the year 5138."""
_TIMES: Final = ("client_time", "occurred_at", "sent_at")
_EXACT: Final = {
    "price": Annotated[str, msgspec.Meta(pattern=r"^[+-]?\d{1,14}(\.\d+)?$")] | None,
    "unread_fields": None,
    "properties": Annotated[dict[_Text, _Text], msgspec.Meta(min_length=1)] | None,
}
_KINDS_OF_TYPE: Final[dict[Any, Any]] = {str: _Text, int: _Whole, float: float, Consent: Consent}


def type_of(field: msgspec.structs.FieldInfo) -> Any:
    """What a field holds where it is not None."""
    [kind] = [part for part in get_args(field.type) if part is not NoneType] or [field.type]
    return kind


def _field(field: msgspec.structs.FieldInfo) -> tuple[str, Any] | tuple[str, Any, Any]:
    if field.name in _EXACT:
        return field.name, _EXACT[field.name], None
    exact = _Time if field.name in _TIMES else _KINDS_OF_TYPE[type_of(field)]
    return (field.name, exact) if field.required else (field.name, exact | None, None)


_WITH_DEFAULTS: Final[list[Any]] = [
    ("event_id", _Text | None, None),
    ("client_time", _Time | None, None),
    ("timestamp", _Time | None, None),
]


def exact(kind: type[Event]) -> Any:
    """The event as a struct that takes nothing but fields of their exact types."""
    fields = [field for field in msgspec.structs.fields(kind) if field.name not in ("event_id", "client_time")]
    return msgspec.defstruct(
        "Canonical",
        [*map(_field, fields), *_WITH_DEFAULTS],
        bases=(kind,),
        frozen=True,
        kw_only=True,
        omit_defaults=True,
        forbid_unknown_fields=True,
    )


Canonical: Any = exact(Event)
_NOTHING_SAID: Final = Consent()
_one: Final = msgspec.json.Decoder(Canonical)
_many: Final = msgspec.json.Decoder(list[Canonical])


def parse(request: Request, limits: RequestLimits) -> list[Event] | None:
    """The events of an object or an array; None where one of them is not canonical to the letter."""
    try:
        events = [_one.decode(request.body)] if request.body[:1] == b"{" else _many.decode(request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not 0 < len(events) <= limits.batch_events:
        return None
    agent, ip, received_at = request.user_agent, request.ip, request.received_at
    for event in events:
        who = event.visitor_id, event.user_id
        if event.ip is not None or event.consent == _NOTHING_SAID or who == (None, None) or somebody(*who) != who:
            return None
        if event.client_time is None:
            if event.timestamp is None:
                return None
            force_setattr(event, "client_time", event.timestamp)
        if event.timestamp is not None:
            force_setattr(event, "timestamp", None)
        if event.user_agent is None and agent:
            force_setattr(event, "user_agent", agent)
        if ip:
            force_setattr(event, "ip", ip)
        if event.sent_at is not None and event.occurred_at is None:
            force_setattr(event, "occurred_at", corrected(event.client_time, event.sent_at, received_at))
        if event.event in ALIASES:
            force_setattr(event, "event", ALIASES[event.event])
        if event.event_id is None:
            force_setattr(event, "event_id", payload_id(event))
    return events

"""Plain events that name canonical fields only, with their exact types: read in one pass, several times as quick.

Whatever differs in the least (an alias, a time as text, a number as text, an empty text, one that is too long or holds
a control character, an unknown field, a beacon) is left to `plain`, which gives the same event; a test holds the two equal.
"""

import re
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
from msgspec.structs import force_setattr

from collector.dialects.shared.events import consent_of
from collector.dialects.shared.readers import IANA, Json, cut, limits_of, type_of
from collector.dialects.shared.values import PLAIN_MILLIS, corrected
from collector.request.model import EventLimits, Request, RequestLimits
from collector.request.numbers import PLAIN_MONEY, is_code
from nextclick.contracts.events import ALIASES, IDS, NO_ITEM, UNFILLED, Consent, Event, payload_id

_Time = Annotated[int, msgspec.Meta(ge=PLAIN_MILLIS[0], lt=PLAIN_MILLIS[1])]
"""What `plain` takes for milliseconds too."""
_TIMES: Final = ("client_time", "occurred_at", "sent_at")
_Timezone = Annotated[str, msgspec.Meta(pattern=f"^({IANA.pattern})$")]
_ODD: Final = re.compile(
    rb"\\[bfnrt]|\\u(?:00[01789]|20[06]|[fF](?:[fF]{2}[dD]|[eE][fF]{2}))|\x7f|\xc2[\x80-\x9f]|\xef\xbf\xbd|\xe2\x80[\x8b-\x8d]|\xe2\x81\xa0|\xef\xbb\xbf"
)
"""A control character, U+FFFD, or a blank of no width, as they stand in JSON."""
_BLANK, _BACKSLASH, _DELETE = b" \\\x7f"


def _field(field: msgspec.structs.FieldInfo, exact: Json) -> tuple[str, Any] | tuple[str, Any, Any]:
    name, kind = field.name, type_of(field)
    low, high = limits_of(name)
    if name in exact:
        return name, exact[name], None
    if name in _TIMES:
        held: Any = _Time
    elif kind is str:
        held = exact["id" if name in IDS else "text"]
    elif kind is Consent:
        held = Consent
    else:
        held = Annotated[
            kind, msgspec.Meta(ge=-(1 << 62) if low is None else low, le=1 << 62 if high is None else high)
        ]
    return (name, held) if field.required else (name, held | None, None)


def canonical(kind: type[Event], limits: EventLimits) -> Any:
    """The event as a struct that takes nothing but fields of their exact types, within their limits."""
    id_ = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.max_id_chars)]
    text = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.max_text_chars)]
    exact = {
        "id": id_,
        "text": text,
        "price": Annotated[str, msgspec.Meta(pattern=f"^{PLAIN_MONEY}$")] | None,
        "timezone": _Timezone | None,
        "unread_fields": None,
        "properties": Annotated[dict[id_, text], msgspec.Meta(min_length=1, max_length=limits.max_properties)] | None,
    }
    fields = [field for field in msgspec.structs.fields(kind) if field.name not in ("event_id", "client_time")]
    with_defaults: list[Any] = [
        ("event_id", id_ | None, None),
        ("client_time", _Time | None, None),
        ("timestamp", _Time | None, None),
    ]
    return msgspec.defstruct(
        "Canonical",
        [*(_field(field, exact) for field in fields), *with_defaults],
        bases=(kind,),
        frozen=True,
        kw_only=True,
        omit_defaults=True,
        forbid_unknown_fields=True,
    )


_REMEMBERED: Final = 1 << 14
_known_items: Final[set[str]] = set()
_known_people: Final[dict[frozenset[str], set[str]]] = {}
"""Names that were looked at and are none of the words: most come again, and are known sooner than looked at."""
_NOTHING_SAID: Final = Consent()
_ids: Final = attrgetter(*IDS)


@lru_cache(8)
def decoders(limits: EventLimits, kind: type[Event] = Event) -> tuple[Any, Any]:
    """A decoder of one event, and one of a list."""
    struct = canonical(kind, limits)
    return msgspec.json.Decoder(struct), msgspec.json.Decoder(list[struct])  # type: ignore[valid-type]


def _is_name(name: str, words: frozenset[str], known: set[str]) -> bool:
    """Whether it is a name and no word for nobody, nor a placeholder; if so it is `known` from then on."""
    if name.lower() in words or name[0] in UNFILLED:
        return False
    if len(known) >= _REMEMBERED:
        known.clear()
    known.add(name)
    return True


def parse(request: Request, limits: RequestLimits) -> list[Event] | None:
    """The events of an object or an array; None where one of them is not canonical to the letter."""
    body = request.body
    # Bytes are looked for one by one, as numbers: texts of two take a hundred times as long.
    is_plain = body.isascii() and _BACKSLASH not in body and _DELETE not in body
    if not is_plain and _ODD.search(body):
        return None
    one, many = decoders(request.limits)
    try:
        events = [one.decode(body)] if body[:1] == b"{" else many.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not 0 < len(events) <= limits.batch_events or consent_of(request) is not None:
        return None
    may_have_blanks = not is_plain or _BLANK in body
    agent = cut(request.user_agent or "", request.limits.max_text_chars)
    ip, nobody, received_at = request.ip, request.nobody, request.received_at
    items = _known_items
    people = _known_people.get(nobody) or _known_people.setdefault(nobody, set())
    for event in events:
        if may_have_blanks and any(name is not None and name != name.strip() for name in _ids(event)):
            return None
        kind, visitor, user, item = event.event, event.visitor_id, event.user_id, event.item_id
        if (
            (visitor is None and user is None)
            or (visitor is not None and visitor not in people and not _is_name(visitor, nobody, people))
            or (user is not None and user not in people and not _is_name(user, nobody, people))
            or (item is not None and item not in items and not _is_name(item, NO_ITEM, items))
            or event.ip is not None
            or kind == "alias"
            or (event.consent is not None and event.consent == _NOTHING_SAID)
        ):
            return None
        if event.currency is not None and not is_code(event.currency):
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
        if kind in ALIASES:
            force_setattr(event, "event", ALIASES[kind])
        if event.event_id is None:
            force_setattr(event, "event_id", payload_id(event))
    return events

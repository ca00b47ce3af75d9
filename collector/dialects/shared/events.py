"""What a dialect read of a record → an event, each field by its own reader; or a reject that a replay can send again."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from collector.dialects.shared.readers import (
    MAY_BE_NEGATIVE,
    Json,
    Unread,
    cut,
    identifier,
    readers,
    text,
)
from collector.dialects.shared.values import Zoneless
from collector.request.errors import Unmappable
from collector.request.model import EventLimits, Request
from collector.request.numbers import Money
from nextclick.contracts.availability import is_unread
from nextclick.contracts.events import (
    IN_NO_ID,
    Consent,
    Event,
    Reject,
    derived_id,
    encode,
    is_unfilled,
    payload_id,
    somebody,
)

_IN_NO_NAME: Final = re.compile(f"[{IN_NO_ID}]")
_MEANT: Final = ("previous_id", "available", "user_signature")
"""Properties that mean something: the last to go where there are too many."""
_READERS: Final = readers(Event)


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
    if isinstance(kind, Unread) and isinstance(
        value, str
    ):  # it names what happened, not who or what: a damaged one is mended
        kind = " ".join(_IN_NO_NAME.sub(" ", value).split()) or None
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
    if not isinstance(merged, str) or len(merged) > limits.max_id_chars or is_unfilled(merged):
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

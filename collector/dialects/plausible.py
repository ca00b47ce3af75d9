"""Plausible: `POST /api/event`, as its script and its API's users send it, JSON also where it says text/plain.

The tracker keeps no id of the visitor: one is made of their agent, address and day. Reference:
https://plausible.io/docs/events-api.
"""

from typing import Final

from collector.dialects.shared.consents import consent
from collector.dialects.shared.ecommerce import is_order, to_drafts
from collector.dialects.shared.events import reject
from collector.dialects.shared.fan_out import FanOutBudget, to_events
from collector.dialects.shared.json_text import utf8
from collector.dialects.shared.payload import anonymous_visitor, take_timezone
from collector.dialects.shared.readers import Json, text
from collector.dialects.shared.values import decode, first, mapping
from collector.request.errors import Unmappable
from collector.request.model import HttpAnswer, Parsed, Refused, Request, RequestLimits
from nextclick.contracts.events import Event

ROUTES: Final = {"/api/event": ("POST",)}

_KINDS: Final = {"pageview": "page_view", "Outbound Link: Click": "click"}
_READ: Final = (
    "n", "name", "u", "url", "d", "domain", "r", "referrer", "p", "props", "m", "meta", "$", "revenue", "e", "sd",
)  # fmt: skip
_TAKEN: Final = HttpAnswer(status=202, body=b"ok", content_type="text/plain")
_DROPPED: Final = HttpAnswer(status=202, body=b"ok", content_type="text/plain", headers=(("x-plausible-dropped", "1"),))


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """The body is one event; 202 also where it goes to quarantine, which a header says."""
    body = decode(utf8(request), limits)
    if not isinstance(body, dict):
        raise Refused(400, "malformed_event", "The body is not an object.")
    key = text(first(body, "d", "domain"))
    try:
        return Parsed(events=_events(request, body, FanOutBudget(limits)), answer=_TAKEN, key=key)
    except Unmappable as error:
        return Parsed(rejects=[reject(request, error, body)], answer=_DROPPED, key=key)


def refuse(request: Request, refused: Refused) -> HttpAnswer:
    if refused.status in (400, 413):
        return _DROPPED
    return HttpAnswer(status=refused.status, body=str(refused).encode(), content_type="text/plain")


def _events(request: Request, body: Json, budget: FanOutBudget) -> list[Event]:
    name = first(body, "n", "name")
    props = dict(mapping(first(body, "m", "meta", "p", "props"), "props"))
    paid = mapping(first(body, "$", "revenue"), "revenue")
    domain = text(first(body, "d", "domain"))
    own: Json = {
        "visitor_id": anonymous_visitor(request, domain),
        "page_url": first(body, "u", "url"),
        "referrer": first(body, "r", "referrer"),
        "price": paid.get("amount"),
        "currency": paid.get("currency"),
        "dwell_ms": body.get("e"),
        "scroll_pct": body.get("sd"),
    }
    rest = {key: value for key, value in body.items() if key not in _READ}
    rest |= {} if own["price"] is not None else {f"revenue.{key}": value for key, value in paid.items()}
    own |= {"timezone": take_timezone(props, "timezone"), "consent": consent(props.get("consent"))}
    kind = _KINDS.get(name, name) if isinstance(name, str) else name
    if is_order(kind) and own["price"] is not None:  # it is the order's total, whatever the props say of its items
        props["revenue"] = own.pop("price")
    return to_events(request, to_drafts(kind, props, budget, own, rest), own, rest)

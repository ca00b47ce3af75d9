"""Amplitude's HTTP V2 and batch APIs, as amplitude-analytics for Python, -node and -browser ask for them.

`{api_key, events: […], options, client_upload_time}`; an event names its user, its device, or both. Reference:
https://amplitude.com/docs/apis/analytics/http-v2.
"""

from typing import Any, Final

import msgspec

from collector.dialects.shared.consents import consent
from collector.dialects.shared.ecommerce import is_order, to_drafts
from collector.dialects.shared.events import reject
from collector.dialects.shared.fan_out import FanOutBudget, to_events
from collector.dialects.shared.json_text import utf8
from collector.dialects.shared.payload import fields, first_record, short, take, take_timezone
from collector.dialects.shared.readers import Json, text
from collector.dialects.shared.user_agent import of_visitor
from collector.dialects.shared.values import address, corrected, decode, mapping, millis, moment, objects, record
from collector.request.errors import Unmappable
from collector.request.model import HttpAnswer, Parsed, Refused, Request, RequestLimits
from nextclick.contracts.events import Event

ROUTES: Final = dict.fromkeys(("/2/httpapi", "/batch", "/2/batch"), ("POST",))

_KINDS: Final = {
    "$identify": "identify",
    "$groupidentify": "identify",
    "revenue_amount": "purchase",
    "[Amplitude] Page Viewed": "page_view",
    "[Amplitude] Element Clicked": "click",
    "[Amplitude] Screen Viewed": "page_view",
}
_FIELDS: Final = {
    "page_url": ("[Amplitude] Page Location", "[Amplitude] Page URL"),
    "referrer": ("referrer",),
    **{name: (name,) for name in ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")},
}
_REVENUE: Final = {f"${name}": name for name in ("price", "quantity", "currency", "revenue")} | {
    "$productId": "product_id"
}
_OF_ORDER: Final = {name: name for name in ("price", "quantity", "revenue")} | {"productId": "product_id"}
"""Fields of any event that, in one of revenue, are the order's."""
_REMOTE: Final = "$remote"
_NO_SESSION: Final = "-1"


def claims(request: Request) -> bool:
    """Whether a body at `/batch`, which PostHog has too, is Amplitude's."""
    return "events" in first_record(request)


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """Each object of `events` is an event. The answer counts them, those too that went to quarantine beside others."""
    body = decode(utf8(request), limits)
    if not isinstance(body, dict) or "events" not in body:
        raise Refused(400, "malformed_batch", "The body is not an object with `events`.")
    records, sent = objects(body["events"], limits), moment(body.get("client_upload_time"))
    parsed, budget = Parsed(answer=HttpAnswer(), key=text(body.get("api_key"))), FanOutBudget(limits)
    invalid: dict[str, list[int]] = {}
    for index, values in enumerate(records):
        try:
            parsed.events += _events(request, dict(record(values, "the event")), sent, index, budget)
        except Unmappable as error:
            alone = {
                "api_key": short(parsed.key),
                "client_upload_time": body.get("client_upload_time"),
                "events": [values],
            }
            parsed.rejects.append(reject(request, error, alone))
            invalid.setdefault(error.reason, []).append(index)
    parsed.answer = _answer(request, parsed, len(records), invalid)
    return parsed


def refuse(request: Request, refused: Refused) -> HttpAnswer:
    """The SDKs send again what is refused, except where a field is missing: so that is said of what never can be taken."""
    body: Json = {"code": refused.status, "error": str(refused)}
    if refused.status == 400:
        body["missing_field"] = "events"
    return HttpAnswer(status=refused.status, body=msgspec.json.encode(body))


def _answer(request: Request, parsed: Parsed, count: int, invalid: dict[str, list[int]]) -> HttpAnswer:
    if invalid and not parsed.events:
        body: Json = {"code": 400, "error": parsed.rejects[0].message, "events_with_invalid_fields": invalid}
    else:
        taken = count - sum(map(len, invalid.values()))
        body = {"code": 200, "events_ingested": taken, "payload_size_bytes": len(request.body)}
        body |= {"events_with_invalid_fields": invalid} if invalid else {}
    return HttpAnswer(status=body["code"], body=msgspec.json.encode(body | {"server_upload_time": request.received_at}))


def _events(request: Request, values: Json, sent: Any, index: int, budget: FanOutBudget) -> list[Event]:
    name = values.pop("event_type", None)
    inside = dict(mapping(values.pop("event_properties", None), "event_properties"))
    if name in ("$identify", "$groupidentify"):
        inside = dict(mapping(values.pop("user_properties", None), "user_properties"))
    elif name == "revenue_amount":
        inside = {_REVENUE.get(key, key): value for key, value in inside.items()}
    kind = _KINDS.get(name, name) if isinstance(name, str) else name
    if is_order(kind):
        inside = {plain: values.pop(key) for key, plain in _OF_ORDER.items() if values.get(key) is not None} | inside
        kind = "refund" if _is_refund(inside) else kind
    own = _own(request, values, sent) | fields(inside, _FIELDS)
    own |= {"timezone": take_timezone(inside, "timezone"), "consent": consent(inside.get("consent"))}
    drafts = to_drafts(kind, inside, budget, own, values)
    return to_events(of_visitor(request), drafts, own | {"index": index}, values)


def _is_refund(order: Json) -> bool:
    """So Amplitude is told of one: "You can use negative values to indicate refunds"."""
    return str(order.get("revenue" if order.get("price") is None else "price")).lstrip().startswith("-")


def _own(request: Request, values: Json, sent: Any) -> Json:
    """The event's own fields, taken out of `values`."""
    client_time = millis(values.pop("time", None), "time")
    session, ip = values.pop("session_id", None), values.pop("ip", None)
    return {
        "own_id": values.pop("insert_id", None),
        "client_time": client_time,
        "occurred_at": corrected(client_time, sent, request.received_at),
        "sent_at": sent,
        "visitor_id": values.pop("device_id", None),
        "user_id": values.pop("user_id", None),
        "session_hint": session if str(session) != _NO_SESSION else None,
        "item_id": take(values, "productId", "product_id"),
        "price": values.pop("price", None),
        "quantity": values.pop("quantity", None),
        "currency": values.pop("currency", None),
        "country": values.pop("country", None),
        "device": values.pop("device_model", None),
        "user_agent": values.pop("user_agent", None),
        "ip": request.ip if ip == _REMOTE else address(ip),
    }

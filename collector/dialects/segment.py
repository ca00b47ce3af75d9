"""Segment: analytics.js, its libraries for servers and apps, and RudderStack's and Jitsu's, which speak the same.

A message is `track`, `page`, `screen`, `identify`, `group` or `alias`, alone (analytics.js's paths are one
letter long) or in a batch. Events of the e-commerce specification, of both versions, become canonical kinds.
"""

import re
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec

from collector.dialects.shared.consents import consent
from collector.dialects.shared.ecommerce import to_drafts
from collector.dialects.shared.events import previous_id, reject
from collector.dialects.shared.fan_out import FANS_OUT, EventDraft, FanOutBudget, beside, to_events
from collector.dialects.shared.json_text import utf8
from collector.dialects.shared.payload import PIXEL, payload
from collector.dialects.shared.readers import Json, text, timezone
from collector.dialects.shared.user_agent import of_visitor
from collector.dialects.shared.values import (
    address,
    base64_text,
    corrected,
    decode,
    first,
    mapping,
    millis,
    moment,
    objects,
    query,
    record,
    without,
)
from collector.request.errors import Unmappable
from collector.request.model import EventLimits, HttpAnswer, Parsed, Refused, Request, RequestLimits
from nextclick.contracts.events import Consent, Event

_TYPES: Final = ("track", "page", "screen", "identify", "group", "alias")
_PATHS: Final = {name[0]: name for name in _TYPES} | {name: name for name in _TYPES}
_JITSU: Final = ("/api/s", "/api/s/s2s")
_PIXELS: Final = ("/pixel/v1", "/v1/pixel", "/api/px")
"""RudderStack's, Segment's and Jitsu's own."""
ROUTES: Final = {
    **{f"/v1/{name}": ("POST",) for name in (*_PATHS, "b", "batch")},
    **{f"{at}/{name}": ("POST",) for at in _JITSU for name in (*_TYPES, "batch")},
    "/beacon/v1/batch": ("POST",),
    **{f"{at}/{name}": ("GET",) for at in _PIXELS for name in _TYPES},
    "/v1/projects/*/settings": ("GET",),
    "/sourceConfig": ("GET",),
}

_CAMPAIGN: Final = {"name": "campaign"} | {name: name for name in ("source", "medium", "term", "content")}
_SHARED: Final = ("context", "sentAt", "writeKey")
_READ: Final = (
    "type", "messageId", "anonymousId", "userId", "previousId", "groupId", "event", "properties", "traits",
    "context", "timestamp", "originalTimestamp", "receivedAt", "sentAt", "writeKey",
)  # fmt: skip
_TAKEN: Final = HttpAnswer(body=b'{"success":true}')
_SEEN: Final = HttpAnswer(body=PIXEL, content_type="image/gif", headers=(("cache-control", "no-store"),))
_PRIVATE: Final = (("cache-control", "private, no-store"),)


class _Part(NamedTuple):
    """One event of a message: its own fields, and what is left of the properties."""

    fields: Json
    rest: Json


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """Each message of the body is an event, and one an item where it lists items."""
    if request.path.endswith("/settings"):
        return _project(request)
    if request.path == "/sourceConfig":
        return _source(request)
    is_pixel = request.method == "GET"
    body = _pixel(request, limits) if is_pixel else decode(utf8(request), limits)
    if not isinstance(body, dict):
        raise Refused(400, "malformed_batch", "The body is not an object.")
    kind = _PATHS.get(request.path.rpartition("/")[2])
    shared = {} if kind else {name: body[name] for name in _SHARED if name in body}
    messages = [body] if kind else objects(body.get("batch"), limits)
    budget = _growth(shared, len(messages), limits)
    parsed = Parsed(answer=_SEEN if is_pixel else _TAKEN, key=_key(request, body))
    for index, message in enumerate(messages):
        try:
            parsed.events += _events(of_visitor(request), kind, record(message, "the message"), shared, index, budget)
        except Unmappable as error:
            alone = request.query if is_pixel else message if kind else {**shared, "batch": [message]}
            parsed.rejects.append(reject(request, error, alone))
    return parsed


def refuse(request: Request, refused: Refused) -> HttpAnswer:
    """As Segment says no: 400 also for what is too large; its libraries drop that and try the others again."""
    status = 400 if refused.status == 413 else refused.status
    body = {"success": False, "code": refused.reason, "message": str(refused)}
    return HttpAnswer(status=status, body=msgspec.json.encode(body))


def _project(request: Request) -> Parsed:
    """What analytics.js asks for before it sends: where to, and that no other destination is loaded."""
    key, host = unquote(request.path.split("/")[-2]), request.headers.get("host", "")
    local = re.fullmatch(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", host)
    destination = {
        "apiKey": key,
        "apiHost": f"{host}/v1",
        "protocol": "http" if local else "https",
        "addBundledMetadata": False,
    }
    settings = {
        "integrations": {"Segment.io": destination},
        "plan": {},
        "metrics": {"sampleRate": 0},
        "analyticsNextEnabled": True,
    }
    return Parsed(
        key=key,
        answer=HttpAnswer(body=msgspec.json.encode(settings), headers=_PRIVATE),
    )


def _source(request: Request) -> Parsed:
    """What RudderStack's libraries for browsers ask for before they send: that the source is there, with no destination."""
    key = _key(request, {})
    source: Json = {
        "id": key, "name": "nextclick", "writeKey": key, "enabled": True, "workspaceId": "nextclick",
        "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
        "destinations": [], "connections": [], "dataplanes": {},
    }  # fmt: skip
    return Parsed(key=key, answer=HttpAnswer(body=msgspec.json.encode({"source": source}), headers=_PRIVATE))


def _pixel(request: Request, limits: RequestLimits) -> Any:
    """The message of an image's address: base64 in `data`, else parameters, whose names say by dots what lies in what."""
    params = query(request)
    if "data" in params:
        return payload(request, limits)[0]
    message: Json = {}
    for name, value in params.items():
        *around, last = name.split(".", limits.json_depth - 1)
        inner = message
        for part in around:
            if not isinstance(inner.get(part), dict):
                inner[part] = {}
            inner = inner[part]
        inner[last] = value
    return message


def _key(request: Request, body: Json) -> str | None:
    """The write key in the body, the address, Jitsu's header, as the user of Basic authorization, or as a Bearer token."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if key := text(body.get("writeKey")) or query(request).get("writeKey") or request.headers.get("x-write-key"):
        return key
    if scheme.lower() != "basic":
        return credentials.strip() or None
    try:
        return base64_text(credentials).decode("utf-8", "replace").partition(":")[0] or None
    except ValueError:
        return None


def _growth(shared: Json, count: int, limits: RequestLimits) -> FanOutBudget:
    budget = FanOutBudget(limits)
    try:
        budget.allow(shared, count)
    except Unmappable as error:
        raise Refused(413, error.reason, f"{error}.") from None
    return budget


def _events(
    request: Request, kind: str | None, message: Json, shared: Json, index: int, budget: FanOutBudget
) -> list[Event]:
    kind = text(message.get("type")) or kind
    context = mapping(shared.get("context"), "context") | mapping(message.get("context"), "context")
    times, common = _times(request, message, shared), _common(message, context)
    name, parts = _meaning(kind, message, context, budget, request.limits)
    several = len(parts) > 1 or name in FANS_OUT
    rest = _left_over(message, context, kind)
    budget.allow((common, rest), len(parts))
    drafts = (EventDraft(name, i if several else None, part.fields, (part.rest,)) for i, part in enumerate(parts))
    return to_events(request, drafts, {**times, **common, "own_id": message.get("messageId"), "index": index}, rest)


def _times(request: Request, message: Json, shared: Json) -> Json:
    """What the client stamped is `timestamp`, or `originalTimestamp` where somebody corrected it on the way."""
    original, stamped = (moment(message.get(name)) for name in ("originalTimestamp", "timestamp"))
    if not isinstance(original, int):
        original = None if isinstance(stamped, int) else millis(message.get("originalTimestamp"), "originalTimestamp")
    if not isinstance(stamped, int):
        stamped = None if original is not None else millis(message.get("timestamp"), "timestamp")
    sent = moment(first(shared, "sentAt") or message.get("sentAt"))
    client_time = stamped if original is None else original
    forwarded = stamped if original is not None else None
    occurred_at = forwarded or corrected(client_time, sent, request.received_at)
    return {"client_time": client_time, "sent_at": sent, "occurred_at": occurred_at}


def _common(message: Json, context: Json) -> Json:
    page, campaign = mapping(context.get("page"), "page"), mapping(context.get("campaign"), "campaign")
    return {
        "visitor_id": message.get("anonymousId"),
        "user_id": message.get("userId"),
        "session_hint": context.get("sessionId"),
        "page_url": page.get("url"),
        "referrer": page.get("referrer"),
        "user_agent": context.get("userAgent"),
        "ip": address(context.get("ip")),
        "timezone": timezone(context.get("timezone")),
        "consent": _consent(context),
        **{f"utm_{field}": campaign.get(name) for name, field in _CAMPAIGN.items()},
    }


def _consent(context: Json) -> Consent | None:
    """What Segment's `consent`, of categories or in any other form, or RudderStack's `consentManagement`, of lists of them, allows."""
    said = mapping(context.get("consent"), "consent")
    managed = mapping(context.get("consentManagement"), "consentManagement")
    categories = said | mapping(said.get("categoryPreferences"), "categoryPreferences")
    for name, allowed in (("allowedConsentIds", True), ("deniedConsentIds", False)):
        listed = managed.get(name)
        categories |= {text(category) or "": allowed for category in (listed if isinstance(listed, list) else ())}
    return consent(categories) or consent(context.get("consent"))


def _left_over(message: Json, context: Json, kind: str | None) -> Json:
    """What no field takes of the message and its context; that under `context.NAME`."""
    page, campaign = mapping(context.get("page"), "page"), mapping(context.get("campaign"), "campaign")
    url_says = ("url", "path", "search") if page.get("url") else ()
    around = context | {
        "page": without(page, ("referrer", *url_says)),
        "campaign": without(campaign, _CAMPAIGN),
        "traits": None if kind == "identify" else context.get("traits"),
    }
    taken = ("ip", "userAgent", "sessionId", *(("timezone",) if timezone(context.get("timezone")) else ()))
    left = {f"context.{name}": value for name, value in without(around, taken).items()}
    return {name: value for name, value in (without(message, _READ) | left).items() if value not in ({}, [])}


def _meaning(
    kind: str | None, message: Json, context: Json, budget: FanOutBudget, limits: EventLimits
) -> tuple[Any, list[_Part]]:
    """The message's kind of event, and its events."""
    properties = mapping(message.get("properties"), "properties")
    if kind == "track":
        drafts = to_drafts(message.get("event"), properties, budget)
        return drafts[0].kind, [_part(draft) for draft in drafts]
    if kind in ("page", "screen"):
        fields = {"page_url": properties.get("url"), "referrer": properties.get("referrer")}
        taken = {name: value for name, value in fields.items() if value}
        return "page_view", [_Part(taken, without(properties, ("url", "referrer")))]
    if kind not in _TYPES:
        raise Unmappable("unknown_type", f"type is {str(kind)[:60]!r}, not one of {', '.join(_TYPES)}")
    traits = mapping(message.get("traits") or (context.get("traits") if kind == "identify" else None), "traits")
    own = {"group_id": message.get("groupId")} if kind == "group" else {}
    if kind == "alias" and (merged := first(message, "previousId", "anonymousId")) is not None:
        own = {"previous_id": previous_id(merged, limits)}
    return kind, [_Part({}, traits | properties | own)]


def _part(draft: EventDraft) -> _Part:
    item, shared = draft.rest if len(draft.rest) > 1 else (*draft.rest, {})
    return _Part(draft.fields, beside(item, shared, "order" if draft.kind == "purchase" else "list"))

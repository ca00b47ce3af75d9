"""The GA4 Measurement Protocol: `/mp/collect`, and `/debug/mp/collect`, which says what is wrong and keeps nothing.

Reference: https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference.
"""

import re
from typing import Final

import msgspec

from collector.dialects.shared.consents import consent
from collector.dialects.shared.ecommerce import to_drafts
from collector.dialects.shared.events import event, reject
from collector.dialects.shared.fan_out import FanOutBudget
from collector.dialects.shared.json_text import utf8
from collector.dialects.shared.payload import fields, take, take_timezone
from collector.dialects.shared.readers import Json
from collector.dialects.shared.user_agent import of_visitor
from collector.dialects.shared.values import address, decode, first, mapping, millis, objects, properties, query, record
from collector.request.errors import Unmappable
from collector.request.model import HttpAnswer, Parsed, Refused, Request, RequestLimits
from nextclick.contracts.events import Consent, Event

_DEBUG: Final = "/debug/mp/collect"
ROUTES: Final = {"/mp/collect": ("POST",), _DEBUG: ("POST",)}

_KINDS: Final = {"screen_view": "page_view", "user_engagement": "engagement", "video_start": "play"}
_TEXTS: Final = {
    "session_hint": ("session_id", "ga_session_id"),
    "page_url": ("page_location",),
    "referrer": ("page_referrer",),
}
_TITLES: Final = ("page_title", "screen_name", "firebase_screen")
_CAMPAIGN: Final = {
    "utm_source": ("source",),
    "utm_medium": ("medium",),
    "utm_campaign": ("campaign",),
    "utm_term": ("term",),
    "utm_content": ("content",),
}
_AROUND: Final = ("user_properties", "consent", "user_location", "device")
_KEPT: Final = (*_AROUND, "client_id", "app_instance_id", "user_id", "timestamp_micros", "user_agent", "ip_override")
_TAKEN: Final = HttpAnswer(status=204)
_SIGNALS: Final = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
_GCS: Final = re.compile(r"G1([01-])([01-])")
_GCD: Final = re.compile(r"1\d([a-z])\d([a-z])\d([a-z])\d([a-z])")
_LETTERS: Final = dict.fromkeys("trnv", True) | dict.fromkeys("pqmu", False)
"""Granted by default, by an update, or by both; denied so. Any other letter says nothing."""


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """Each object of `events` is an event; the answer is 204 whatever they are worth, or the debugger's messages."""
    if request.path != _DEBUG:
        return _parsed(request, limits)
    try:
        parsed = _parsed(request, limits)
    except Refused as refused:
        return Parsed(answer=_said([(refused.reason, str(refused))]))
    return Parsed(answer=_said([(each.reason, each.message) for each in parsed.rejects]), key=parsed.key)


def outer_key(request: Request) -> str:
    return query(request).get("api_secret", "")


def refuse(request: Request, refused: Refused) -> HttpAnswer:
    """GA4 says 204 to a body that it cannot read; a key or a rate that it may not use is told."""
    return _TAKEN if refused.status in (400, 413) else HttpAnswer(status=refused.status)


def _parsed(request: Request, limits: RequestLimits) -> Parsed:
    body = decode(utf8(request), limits)
    if not isinstance(body, dict):
        raise Refused(400, "malformed_batch", "The body is not an object.")
    parsed = Parsed(answer=_TAKEN, key=outer_key(request))
    around, budget = {name: body[name] for name in _KEPT if name in body}, FanOutBudget(limits)
    records = objects(body.get("events"), limits)
    try:
        budget.allow(around, len(records))
    except Unmappable as error:
        raise Refused(413, error.reason, f"{error}.") from None
    for index, values in enumerate(records):
        try:
            parsed.events += _events(request, around, dict(record(values, "the event")), index, budget)
        except Unmappable as error:
            parsed.rejects.append(reject(request, error, around | {"events": [values]}))
    return parsed


def _said(problems: list[tuple[str, str]]) -> HttpAnswer:
    messages = [
        {"fieldPath": "events", "description": message, "validationCode": reason.upper()}
        for reason, message in problems
    ]
    return HttpAnswer(body=msgspec.json.encode({"validationMessages": messages}))


def _events(request: Request, around: Json, values: Json, index: int, budget: FanOutBudget) -> list[Event]:
    name = values.pop("name", None)
    inside = dict(mapping(values.pop("params", None), "params"))
    stamp = first(values, "timestamp_micros") or around.get("timestamp_micros")
    own = (
        _own(around, inside)
        | fields(inside, _TEXTS)
        | (fields(inside, _CAMPAIGN) if name == "campaign_details" else {})
    )
    own |= {"client_time": millis(stamp, "timestamp_micros"), "index": index}
    kind = _KINDS.get(name, name) if isinstance(name, str) else name
    own |= {"name": take(inside, *_TITLES)} if kind == "page_view" else {}
    own |= {"scroll_pct": take(inside, "percent_scrolled")} if kind == "scroll" else {}
    dwell = take(inside, "engagement_time_msec")
    rest: Json = {name: around[name] for name in _AROUND if name in around}
    events = []
    for draft in to_drafts(kind, inside, budget, own, rest, values):
        more = own | {field: value for field, value in draft.fields.items() if value is not None}
        kept = properties(*draft.rest, values, rest, without=("timestamp_micros",))
        events.append(event(of_visitor(request), draft.kind, part=draft.part, properties=kept, dwell_ms=dwell, **more))
        dwell = None  # the time was spent once, however many items there are
    return events


def _own(around: Json, inside: Json) -> Json:
    place, device = (mapping(around.get(name), name) for name in ("user_location", "device"))
    return {
        "visitor_id": first(around, "client_id", "app_instance_id"),
        "user_id": around.get("user_id"),
        "country": place.get("country_id"),
        "device": device.get("category"),
        "user_agent": around.get("user_agent"),
        "ip": address(around.get("ip_override")),
        "timezone": take_timezone(inside, "timezone"),
        "consent": _consent(around, inside),
    }


def _consent(around: Json, inside: Json) -> Consent | None:
    """The request's `consent`, then `gcd` and `gcs` of the event, as Google's tags write their consent mode into an address.

    `gcs=G101` says no to advertising and yes to analytics; of `gcd`, which has more, each letter is what a signal came to:
    https://developers.google.com/tag-platform/security/concepts/consent-mode
    """
    said = mapping(around.get("consent"), "consent")
    if match := _GCS.fullmatch(str(first(inside, "gcs", "x-ga-gcs"))):
        said = dict(zip(_SIGNALS, match.groups(), strict=False)) | said
    if match := _GCD.match(str(first(inside, "gcd", "x-ga-gcd"))):
        said = {
            name: _LETTERS[letter] for name, letter in zip(_SIGNALS, match.groups(), strict=True) if letter in _LETTERS
        } | said
    return consent(said)

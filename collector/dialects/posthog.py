"""PostHog: `/e`, `/i/v0/e`, `/capture`, `/batch` and their older names, as posthog-js, -python and -node ask for them.

A body is an event, an array of events, or `{api_key, batch, sent_at}`, as JSON, or in the `data` of a form or
of the address as base64 (`compression=base64`) or as base64 of gzip (`gzip-js`). The newer
`/i/v1/analytics/events` answers for each event by its uuid. Reference: https://posthog.com/docs/api/capture.
"""

import re
from typing import Any, Final

import msgspec

from collector.dialects.shared.consents import consent
from collector.dialects.shared.ecommerce import to_drafts
from collector.dialects.shared.events import previous_id, reject
from collector.dialects.shared.fan_out import FanOutBudget, to_events
from collector.dialects.shared.payload import (
    anonymous_visitor,
    fields,
    first_record,
    payload,
    short,
    take,
    take_timezone,
)
from collector.dialects.shared.readers import Json, Unread, identifier, text
from collector.dialects.shared.user_agent import of_visitor
from collector.dialects.shared.values import address, corrected, first, mapping, millis, moment, objects, record
from collector.request import numbers
from collector.request.errors import Unmappable
from collector.request.model import EventLimits, HttpAnswer, Parsed, Refused, Request, RequestLimits
from nextclick.contracts.events import MILLIS, Consent, Event
from nextclick.contracts.silver import DWELL_MS

_PER_EVENT: Final = "/i/v1/analytics/events"
_ASIDE: Final = ("/flags", "/decide")
"""Asked for by the SDKs beside their events: nothing is switched on here."""
ROUTES: Final = {
    **dict.fromkeys(("/e", "/i/v0/e", "/capture", "/track", "/engage", "/batch", "/i/v0/ai/batch"), ("GET", "POST")),
    _PER_EVENT: ("POST",),
    **dict.fromkeys(_ASIDE, ("GET", "POST")),
    "/array/*/config": ("GET",),
}

_KINDS: Final = {"$pageview": "page_view", "$screen": "page_view", "$pageleave": "engagement"} | dict.fromkeys(
    ("$set", "$groupidentify"), "identify"
)
_TEXTS: Final = {
    "page_url": ("$current_url",),
    "referrer": ("$referrer",),
    "session_hint": ("$session_id",),
    "device": ("$device_type",),
    "country": ("$geoip_country_code",),
    "user_agent": ("$raw_user_agent", "$user_agent"),
    **{name: (name,) for name in ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")},
}
_DIRECT: Final = "$direct"
_COOKIELESS: Final = "$posthog_cookieless"
"""The one id of all visitors in posthog-js's cookieless mode, where the server tells them apart."""
_OWN: Final = ("batch", "distinct_id", "$distinct_id", "api_key", "token", "uuid", "timestamp", "offset")
"""Names at the top of a record that Mixpanel's have not."""
_SETTINGS: Final = {
    "supportedCompression": ["gzip", "gzip-js"],
    "featureFlags": {},
    "featureFlagPayloads": {},
    "flags": {},
    "errorsWhileComputingFlags": False,
    "hasFeatureFlags": False,
    "sessionRecording": False,
    "capturePerformance": False,
    "autocapture_opt_out": False,
    "heatmaps": False,
    "surveys": False,
    "siteApps": [],
}


def claims(request: Request) -> bool:
    """Whether a body at a path that Mixpanel or Amplitude have too is PostHog's."""
    record = first_record(request)
    inside = record.get("properties")
    lib = isinstance(inside, dict) and "$lib" in inside and "mp_lib" not in inside
    return "events" not in record and (
        "batch" in record or ("event" in record and (lib or not record.keys().isdisjoint(_OWN)))
    )


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """Each event of the body is an event; `/i/v1/…` is answered for each of them, the other paths as a whole."""
    if request.path.startswith(("/array/", *_ASIDE)):
        return Parsed(answer=HttpAnswer(body=msgspec.json.encode(_SETTINGS)))
    body, params = payload(request, limits)
    around = body if isinstance(body, dict) and "batch" in body else {}
    records = objects(around["batch"] if around else body if isinstance(body, list) else [body], limits)
    parsed, budget = Parsed(answer=HttpAnswer(), key=_key(request, around, params, records)), FanOutBudget(limits)
    written = _sent(request, around, params)
    sent = moment(written)
    results: Json = {}
    for index, values in enumerate(records):
        uuid = text(values.get("uuid")) if isinstance(values, dict) else None
        results[uuid or ""] = {"result": "ok"}
        try:
            parsed.events += _events(request, dict(record(values, "the event")), sent, index, budget, parsed.key)
        except Unmappable as error:
            alone = {"api_key": short(parsed.key), "sent_at": written, "batch": [values]}
            parsed.rejects.append(reject(request, error, alone))
            results[uuid or ""] = {"result": "drop", "details": f"{error}."}
    parsed.answer = _answer(request, params, parsed, results)
    return parsed


def refuse(request: Request, refused: Refused) -> HttpAnswer:
    """As PostHog says no: posthog-python tells the `detail`; no SDK sends again after a 4xx but 408 and 429."""
    body = {"type": "validation_error", "code": refused.reason, "detail": str(refused), "error": str(refused)}
    return HttpAnswer(status=refused.status, body=msgspec.json.encode(body))


def _key(request: Request, around: Json, params: dict[str, str], records: list[Any]) -> str | None:
    """The project's key: of the batch, its first event, the address, or a Bearer token."""
    record = records[0] if records and isinstance(records[0], dict) else {}
    inside = record.get("properties")
    for values in (around, record, inside if isinstance(inside, dict) else {}, params):
        if key := first(values, "api_key", "token"):
            return text(key)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _sent(request: Request, around: Json, params: dict[str, str]) -> Any:
    """When the request was sent, as it is written."""
    stamp = first(around, "sent_at") or first(params, "sent_at", "_")
    return stamp or request.headers.get("posthog-request-timestamp") or around.get("created_at")


def _answer(request: Request, params: dict[str, str], parsed: Parsed, results: Json) -> HttpAnswer:
    if request.path == _PER_EVENT:
        return HttpAnswer(body=msgspec.json.encode({"results": results}))
    if parsed.rejects and not parsed.events:
        return refuse(request, Refused(400, parsed.rejects[0].reason, parsed.rejects[0].message))
    if params.get("beacon") == "1":
        return HttpAnswer(status=204)
    return HttpAnswer(body=b'{"status":1}')


def _events(
    request: Request, values: Json, sent: Any, index: int, budget: FanOutBudget, key: str | None
) -> list[Event]:
    inside = dict(mapping(values.pop("properties", None), "properties"))
    for each in (values, inside):
        take(each, "token"), take(each, "api_key")
    name = values.pop("event", None)
    inner = inside.pop("distinct_id", None)
    outer = take(values, "distinct_id", "$distinct_id")
    distinct = identifier(inner if outer is None else outer)
    if distinct == _COOKIELESS:
        distinct = anonymous_visitor(request, key)
    own: Json = {
        **_times(request, values, inside, sent),
        "own_id": take(values, "uuid") or take(inside, "$insert_id"),
        "index": index,
        "ip": address(take(inside, "$ip") or take(values, "ip")),
        **fields(inside, _TEXTS),
        "timezone": take_timezone(inside, "$timezone", "timezone"),
        "consent": consent(inside.get("consent")) or (Consent(analytics=True) if name == "$opt_in" else None),
    }
    own["session_hint"] = own["session_hint"] or take(values, "session_id")
    own["referrer"] = own["referrer"] if own["referrer"] != _DIRECT else None
    own |= _joined(name, distinct, inside, request.limits) or _who(distinct, inside) | _attention(name, inside)
    kind = own.pop("kind", None) or _kind(name, inside)
    return to_events(of_visitor(request), to_drafts(kind, inside, budget, own, values), own, values)


def _times(request: Request, values: Json, inside: Json, sent: Any) -> Json:
    """When it happened: as long before arrival as `timestamp` is before the sending, or as `offset` says.

    An event with only an offset has its client time in its uuid, if that is of version 7, as posthog-js makes them.
    """
    stamped = millis(take(values, "timestamp"), "timestamp")
    offset = _milliseconds(take(values, "offset"))
    uuid = text(values.get("uuid"))
    client_time = stamped if stamped is not None else _uuid_time(uuid)
    options = mapping(values.get("options"), "options")
    skewed = not (inside.get("$ignore_sent_at") or options.get("disable_skew_correction"))
    occurred = corrected(client_time, sent, request.received_at) if skewed else None
    if stamped is None and offset is not None:
        occurred = request.received_at - abs(offset)
    if occurred is not None and not MILLIS[0] <= occurred <= MILLIS[1]:
        occurred = None
    return {"client_time": client_time, "sent_at": sent, "occurred_at": occurred}


def _milliseconds(value: Any) -> int | None:
    try:
        return numbers.whole(value)
    except (ValueError, OverflowError):
        return None


def _uuid_time(uuid: str | None) -> int | None:
    """The milliseconds that a UUID of version 7 begins with (RFC 9562, 5.7)."""
    digits = (uuid or "").replace("-", "")
    return int(digits[:12], 16) if re.fullmatch(r"[0-9a-fA-F]{12}7[0-9a-fA-F]{19}", digits) else None


def _who(distinct: Any, inside: Json) -> Json:
    """The visitor's and the user's ids.

    A distinct_id is a user's where the SDK says so, or where it is not the device's; after `reset()` it is a new
    visitor's on an old device. What servers send has no device: there it is a visitor, whom links make a person.
    """
    device, known = identifier(inside.get("$device_id")), inside.get("$is_identified")
    if distinct and (known is True or (known is None and device not in (None, distinct))):
        inside.pop("$device_id", None)
        return {"visitor_id": device, "user_id": distinct}
    if device == distinct:
        inside.pop("$device_id", None)
    return {"visitor_id": distinct, "user_id": take(inside, "$user_id")}


def _joined(name: Any, distinct: Any, inside: Json, limits: EventLimits) -> Json:
    """Two ids that are one person; {} for other events. The event's own id stays: https://posthog.com/docs/data/identify."""
    if name == "$identify":
        visitor = identifier(take(inside, "$anon_distinct_id")) or identifier(take(inside, "$device_id"))
        return {"kind": "identify", "user_id": distinct, "visitor_id": visitor}
    if name not in ("$create_alias", "$merge_dangerously"):
        return {}
    if isinstance(distinct, Unread | None):
        raise Unmappable("missing_visitor", f"{name} does not name two ids")
    inside["previous_id"] = previous_id(take(inside, "alias"), limits)
    return {"kind": "alias", "user_id": distinct}


def _kind(name: Any, inside: Json) -> Any:
    if name == "$autocapture" and inside.get("$event_type") == "click":
        return "click"
    return _KINDS.get(name, name) if isinstance(name, str) else name


def _attention(name: Any, inside: Json) -> Json:
    """Of `$pageleave`: how long the page was looked at (s), and how far down (0 to 1)."""
    if name != "$pageleave":
        return {}
    seconds = _number(inside.get("$prev_pageview_duration"), DWELL_MS / 1000)
    depth = _number(inside.get("$prev_pageview_max_content_percentage"), 1)
    return {
        "dwell_ms": None if seconds is None else int(seconds * 1000),
        "scroll_pct": None if depth is None else round(depth * 100, 2),
    }


def _number(value: Any, most: float) -> float | None:
    return value if isinstance(value, (int, float)) and 0 <= value <= most else None

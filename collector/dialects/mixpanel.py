"""Mixpanel: `/track`, `/import`, `/engage` and `/groups`, as mixpanel-python, -node and -browser ask for them.

Events are `{event, properties}`, one or an array, as JSON, in a form's `data` (JSON or base64), or in the
address. Profile updates (`/engage`) say who a visitor is: `identify`. Reference:
https://docs.mixpanel.com/reference/overview.
"""

from typing import Any, Final

import msgspec

from collector.dialects.shared.consents import consent
from collector.dialects.shared.ecommerce import to_drafts
from collector.dialects.shared.events import event, previous_id, reject
from collector.dialects.shared.fan_out import FanOutBudget, to_events
from collector.dialects.shared.json_text import utf8
from collector.dialects.shared.payload import PIXEL, fields, payload, take, take_timezone
from collector.dialects.shared.readers import Json, Unread, identifier, text
from collector.dialects.shared.user_agent import of_visitor
from collector.dialects.shared.values import (
    address,
    base64_text,
    corrected,
    decode,
    mapping,
    millis,
    moment,
    objects,
    properties,
    query,
    record,
)
from collector.request.errors import Unmappable
from collector.request.model import EventLimits, HttpAnswer, Parsed, Refused, Request, RequestLimits
from nextclick.contracts.events import Event

ROUTES: Final = dict.fromkeys(("/track", "/import", "/engage", "/groups"), ("GET", "POST"))

_KINDS: Final = {"$mp_web_page_view": "page_view", "mp_page_view": "page_view", "$mp_click": "click"}
_DEVICE: Final = "$device:"
_TEXTS: Final = {
    "page_url": ("$current_url", "current_url"),
    "referrer": ("$referrer",),
    "session_hint": ("$session_id",),
    "device": ("$device",),
    "country": ("mp_country_code",),
    "user_agent": ("$user_agent",),
    **{name: (name,) for name in ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")},
}


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """Each object is an event, or a profile's update; the answer is Mixpanel's."""
    body, params = _body(request, limits)
    records = objects(body if isinstance(body, list) else [body], limits)
    parsed = Parsed(answer=HttpAnswer(), key=_key(request, records))
    sent, budget = moment(params.get("_")), FanOutBudget(limits)
    failed: list[Json] = []
    for index, values in enumerate(records):
        try:
            own = dict(record(values, "the event"))
            if request.path == "/track" or request.path == "/import":
                parsed.events += _events(request, own, sent, budget, index)
            else:
                parsed.events.append(_profile(request, own, sent, index))
        except Unmappable as error:
            parsed.rejects.append(reject(request, error, [values]))
            failed.append({"index": index, "insert_id": _insert_id(values), "message": f"{error}."})
    parsed.answer = _answer(request, params, len(records), failed)
    return parsed


def refuse(request: Request, refused: Refused) -> HttpAnswer:
    """mixpanel-python reads `status` and `error` of the body, whatever the status of HTTP."""
    body = {"status": 0, "error": str(refused), "code": refused.status}
    return HttpAnswer(status=refused.status, body=msgspec.json.encode(body))


def _body(request: Request, limits: RequestLimits) -> tuple[Any, dict[str, str]]:
    if "ndjson" not in request.headers.get("content-type", "") or utf8(request).lstrip().startswith(b"["):
        return payload(request, limits)
    lines = [line for line in utf8(request).splitlines() if line.strip()]
    return [_line(line, limits) for line in objects(lines, limits)], query(request)


def _line(line: bytes, limits: RequestLimits) -> Any:
    """The line's event; a line that is no JSON is its text, and so one reject."""
    try:
        return decode(line, limits)
    except Refused:
        return line.decode("utf-8", "replace")


def _key(request: Request, records: list[Any]) -> str | None:
    """The project's token: the first event's, or the user of Basic authentication."""
    first = records[0] if records and isinstance(records[0], dict) else {}
    inside = first.get("properties")
    if token := first.get("$token") or (inside.get("token") if isinstance(inside, dict) else None):
        return text(token)
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    try:
        return base64_text(credentials).decode().partition(":")[0] or None if scheme.lower() == "basic" else None
    except ValueError:
        return None


def _insert_id(values: Any) -> str | None:
    inside = values.get("properties") if isinstance(values, dict) else None
    return text(inside.get("$insert_id")) if isinstance(inside, dict) else None


def _events(request: Request, values: Json, sent: Any, budget: FanOutBudget, index: int) -> list[Event]:
    inside = dict(mapping(values.pop("properties", None), "properties"))
    inside.pop("token", None)
    name = values.pop("event", None)
    client_time = millis(inside.pop("time", None), "time")
    own: Json = {
        "own_id": inside.pop("$insert_id", None),
        "client_time": client_time,
        "occurred_at": corrected(client_time, sent, request.received_at),
        "sent_at": sent,
        "index": index,
    }
    by = of_visitor(request)
    if name in ("$identify", "$create_alias", "$merge"):
        return [event(by, kind, **own, **said) for kind, said in _joined(name, inside, request.limits)]
    own |= {"ip": address(inside.pop("ip", None)), **_who(inside), **fields(inside, _TEXTS)}
    own |= {"timezone": take_timezone(inside, "$timezone", "timezone"), "consent": consent(inside.get("consent"))}
    kind = _KINDS.get(name, name) if isinstance(name, str) else name
    return to_events(by, to_drafts(kind, inside, budget, own, values), own, values)


def _who(inside: Json) -> Json:
    """The visitor's and the user's ids, taken out of the properties.

    A distinct_id is of no certain kind: `$device:ID` is a device; beside a device's id any other is a user.
    """
    distinct, device, user = (identifier(inside.pop(name, None)) for name in ("distinct_id", "$device_id", "$user_id"))
    if isinstance(distinct, str) and distinct.startswith(_DEVICE):
        device, distinct = device or distinct.removeprefix(_DEVICE), None
    elif device and not user and distinct != device:
        user = distinct
    if distinct and user and distinct not in (device, user):
        inside["distinct_id"] = distinct.value if isinstance(distinct, Unread) else distinct
    return {"visitor_id": device or (distinct if not user else None), "user_id": user}


def _joined(name: str, inside: Json, limits: EventLimits) -> list[tuple[str, Json]]:
    """Two ids that are one person: of `$create_alias` and `$merge` the original stays.

    https://docs.mixpanel.com/reference/create-alias: each alias maps to one distinct_id.
    """
    if name == "$identify":
        user, visitor = (
            take(inside, "$identified_id", "$user_id", "distinct_id"),
            take(inside, "$anon_id", "$device_id"),
        )
        who = {"user_id": user, "visitor_id": _plain(visitor), "properties": properties(inside)}
        return [("identify", who)]
    if name == "$create_alias":
        stays, merged = take(inside, "distinct_id"), [take(inside, "alias")]
    else:
        listed = inside.pop("$distinct_ids", None)
        stays, *merged = listed if isinstance(listed, list) and len(listed) > 1 else (None, None)
    if identifier(stays) is None or not merged:
        raise Unmappable("missing_visitor", f"{name} does not name two ids")
    aliases = [previous_id(_plain(each), limits) for each in merged]
    return [
        ("alias", {"user_id": _plain(stays), "properties": properties({"previous_id": each}, inside)} | part)
        for each, part in zip(
            aliases, [{"part": i} for i in range(len(aliases))] if len(aliases) > 1 else [{}], strict=True
        )
    ]


def _plain(identity: Any) -> Any:
    read = identifier(identity)
    return read.removeprefix(_DEVICE) or None if isinstance(read, str) else read


def _profile(request: Request, values: Json, sent: Any, index: int) -> Event:
    """An update of `/engage`: `{$token, $distinct_id, $set: {…}, …}`."""
    if "$group_key" in values:
        raise Unmappable("group_profile", "a group's profile is of no visitor: it is only kept here")
    values.pop("$token", None)
    client_time = millis(values.pop("$time", None), "$time")
    device = take(values, "$device_id")
    return event(
        of_visitor(request),
        "identify",
        client_time=client_time,
        occurred_at=corrected(client_time, sent, request.received_at),
        sent_at=sent,
        index=index,
        visitor_id=_plain(take(values, "$distinct_id")) if identifier(device) is None else device,
        user_id=take(values, "$user_id"),
        ip=address(values.pop("$ip", None)),
        properties=properties(values),
    )


def _answer(request: Request, params: dict[str, str], count: int, failed: list[Json]) -> HttpAnswer:
    """Of `/import` the count; else 1, or 0 where nothing could be taken; group profiles are kept, so not told of."""
    if request.path == "/import" and "data" not in params and "verbose" not in params:
        return _imported(params, count, failed)
    good = len(failed) < count or not count or request.path == "/groups"
    if params.get("img") == "1":
        return HttpAnswer(body=PIXEL, content_type="image/gif")
    if params.get("verbose") != "1":
        return HttpAnswer(body=b"1" if good else b"0")
    error = None if good else failed[0]["message"]
    return HttpAnswer(body=msgspec.json.encode({"status": int(good), "error": error}))


def _imported(params: dict[str, str], count: int, failed: list[Json]) -> HttpAnswer:
    body: Json = {"code": 200, "num_records_imported": count - len(failed), "status": "OK"}
    if not failed or params.get("strict", "1") == "0":
        return HttpAnswer(body=msgspec.json.encode(body))
    body |= {
        "code": 400,
        "status": "Bad Request",
        "error": "some data points in the request failed validation",
        "failed_records": failed,
    }
    return HttpAnswer(status=400, body=msgspec.json.encode(body))

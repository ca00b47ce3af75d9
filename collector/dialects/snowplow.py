"""Snowplow's tracker protocol: `POST /com.snowplowanalytics.snowplow/tp2`, and `GET /i` or `/ice.png` of one event.

An event is a flat object of text. What it describes itself (`ue_pr`, base64 in `ue_px`) and the entities that
surround it (`co`, `cx`) are JSON with a schema's name: the page view, the session and the e-commerce ones are read.
A tracker sends again whatever is not answered 200, so a poison event is answered 200 and kept in quarantine.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from collector.dialects.shared.consents import consent
from collector.dialects.shared.events import reject
from collector.dialects.shared.fan_out import FANS_OUT, EventDraft, FanOutBudget, beside, place, places, to_events
from collector.dialects.shared.json_text import utf8
from collector.dialects.shared.payload import PIXEL
from collector.dialects.shared.readers import Json, identifier, text, timezone
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
    query,
    record,
    without,
)
from collector.request.errors import Unmappable
from collector.request.model import ANONYMOUS, PERSONAL, HttpAnswer, Parsed, Refused, Request, RequestLimits, problem
from nextclick.contracts.events import Consent, Event

ROUTES: Final = {"/com.snowplowanalytics.snowplow/tp2": ("POST",), "/i": ("GET",), "/ice.png": ("GET",)}

_SCHEMA: Final = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_OWN_VENDOR: Final = "com.snowplowanalytics."
_HEARTBEAT_MS: Final = 10_000
"""What a page ping stands for: the tracker sends one for each of its heartbeats with activity, but not their length."""
_ACTIONS: Final = {
    "product_view": "view_item",
    "add_to_cart": "add_to_cart",
    "remove_from_cart": "remove_from_cart",
    "list_view": "impression",
    "list_click": "click",
    "promo_view": "impression",
    "promo_click": "click",
    "transaction": "purchase",
    "refund": "refund",
}
_DESCRIBED: Final = {
    "link_click": "click",
    "button_click": "click",
    "screen_view": "page_view",
    "site_search": "search",
    "play_event": "play",
    "pause_event": "pause",
}
_LEGACY_ITEM: Final = {"sku": "id", "unitPrice": "price"}
_LEGACY_ORDER_ITEM: Final = {
    "ti_sk": "id", "ti_nm": "name", "ti_ca": "category", "ti_pr": "price", "ti_qu": "quantity", "ti_cu": "currency",
}  # fmt: skip
_PLAIN: Final = {"pv": "page_view", "pp": "engagement", "se": "", "tr": "transaction"}
"""Kinds of the events that describe themselves by keys; a structured event is named by its action."""
_READ: Final = (
    "e", "eid", "dtm", "stm", "ttm", "uid", "duid", "sid", "url", "refr", "ua", "ip", "ue_pr", "ue_px", "co", "cx",
    "se_ac", "tr_id", "tr_cu", "ti_id", *_LEGACY_ORDER_ITEM,
)  # fmt: skip
_IDS: Final = ("eid", "uid", "duid", "sid", "tr_id", "ti_id")
_PIXEL: Final = HttpAnswer(
    body=PIXEL,
    content_type="image/gif",
    headers=(("cache-control", "no-store"),),
)
_OK: Final = HttpAnswer(body=b"ok", content_type="text/plain; charset=utf-8")


class _Part(NamedTuple):
    """One event of a record: its own fields, and what is left of what describes it."""

    fields: Json
    rest: Json


def parse(request: Request, limits: RequestLimits) -> Parsed:
    """Each object of `data`, or the address's parameters, is an event, and one an item where it lists items."""
    records = [query(request)] if request.method == "GET" else _records(request, limits)
    if ANONYMOUS in request.headers:
        request, records = _anonymous(request, records)
    parsed, budget = Parsed(answer=_answer(request), key=_key(request, records)), FanOutBudget(limits)
    for index, values in enumerate(records):
        try:
            parsed.events += _events(of_visitor(request), _texts(record(values, "the event")), limits, index, budget)
        except Unmappable as error:
            if request.method == "POST":
                parsed.rejects.append(reject(request, error, {"schema": _SCHEMA, "data": [values]}))
            else:
                parsed.rejects.append(reject(msgspec.structs.replace(request, query=""), error, request.query))
    return parsed


def outer_key(request: Request) -> str | None:
    return request.headers.get("x-write-key")


def refuse(request: Request, refused: Refused) -> HttpAnswer:
    """200 for what can never be taken, which is in quarantine; else the tracker would send it for ever."""
    if refused.status in (400, 413):
        return _answer(request)
    return problem(refused.status, refused.reason, str(refused))


def _answer(request: Request) -> HttpAnswer:
    return _PIXEL if request.method == "GET" else _OK


def _records(request: Request, limits: RequestLimits) -> list[Any]:
    body = decode(utf8(request), limits)
    if not isinstance(body, dict):
        raise Refused(400, "malformed_batch", "The body is not an object with `data`.")
    return objects(body.get("data"), limits)


def _anonymous(request: Request, records: list[Any]) -> tuple[Request, list[Any]]:
    """Without the address and the network's ids, wherever they stand."""
    kept = [without(each, PERSONAL) if isinstance(each, dict) else each for each in records]
    address_query = urlencode(kept[0]) if request.method == "GET" else request.query
    return msgspec.structs.replace(request, ip=None, query=address_query), kept


def _key(request: Request, records: list[Any]) -> str | None:
    """The write key: a header's, else the app's id, which every tracker sends."""
    app = records[0].get("aid") if records and isinstance(records[0], dict) else None
    return request.headers.get("x-write-key") or text(app)


def _texts(values: Json) -> Json:
    """The values as text, and ids as ids."""
    read = {name: identifier(value) if name in _IDS else text(value) for name, value in values.items()}
    return {name: value for name, value in read.items() if value}


def _events(request: Request, values: Json, limits: RequestLimits, index: int, budget: FanOutBudget) -> list[Event]:
    entities = _entities(values, limits)
    common = _times(request, values) | _visitor(values, entities) | _common(values)
    kind, parts = _meaning(values, entities, limits, budget)
    several = len(parts) > 1 or (kind in FANS_OUT and values["e"] == "ue")
    common["consent"] = _consent(kind, parts)
    left = without(values, (*_READ, *(("tz",) if common["timezone"] else ()))) | {
        f"context.{name}": items[0] if len(items) == 1 else items for name, items in entities.items()
    }
    budget.allow((common, left), len(parts))
    drafts = (EventDraft(kind, i if several else None, part.fields, (part.rest,)) for i, part in enumerate(parts))
    return to_events(request, drafts, common | {"own_id": values.get("eid"), "index": index}, left)


def _times(request: Request, values: Json) -> Json:
    """`ttm` is true; else as long before arrival as `dtm` before `stm`; else the arrival.

    Some trackers cut `stm` to whole seconds, so that they seem to send before it happened.
    https://docs.snowplow.io/docs/events/timestamps/
    """
    sent, true = moment(values.get("stm")), moment(values.get("ttm"))
    true = true if isinstance(true, int) else None
    created = moment(values.get("dtm")) if true is not None else millis(values.get("dtm"), "dtm")
    created = created if isinstance(created, int) else None
    occurred_at = true or corrected(created, sent, request.received_at) or request.received_at
    return {"client_time": true if created is None else created, "sent_at": sent, "occurred_at": occurred_at}


def _consent(kind: str | None, parts: list[_Part]) -> Consent | None:
    """What a `consent_preferences` event allows: everything, nothing, or the scopes that it lists and nothing else.

    https://docs.snowplow.io/docs/events/ootb-data/consent-events/
    """
    said = parts[0].rest.get("eventType") if kind == "consent_preferences" else None
    if said in ("allow_all", "deny_all", "withdrawn", "expired"):
        return Consent(**dict.fromkeys(Consent.__struct_fields__, said == "allow_all"))
    scopes = parts[0].rest.get("consentScopes")
    if said != "allow_selected" or not isinstance(scopes, list):
        return None
    chosen = consent({text(scope) or "": True for scope in scopes})
    return Consent(**{purpose: bool(getattr(chosen, purpose, False)) for purpose in Consent.__struct_fields__})


def _common(values: Json) -> Json:
    return {
        "user_id": values.get("uid"),
        "page_url": values.get("url"),
        "referrer": values.get("refr"),
        "user_agent": values.get("ua"),
        "ip": address(values.get("ip")),
        "timezone": timezone(values.get("tz")),
    }


def _visitor(values: Json, entities: dict[str, list[Json]]) -> Json:
    """Who it was: the device, else the network's id; of an anonymous visitor the session, else the page view."""
    session, page = (next(iter(entities.get(name, ())), Json()) for name in ("client_session", "web_page"))
    session_id = values.get("sid") or identifier(session.get("sessionId"))
    ids = (values.get("duid"), identifier(session.get("userId")), values.get("tnuid"), values.get("nuid"))
    known = next((known for known in ids if known and known != _NOBODY), None)
    if known is None and "uid" not in values:
        known = session_id or identifier(page.get("id"))
    return {"visitor_id": known, "session_hint": session_id}


def _entities(values: Json, limits: RequestLimits) -> dict[str, list[Json]]:
    """What surrounds an event, by name; a name that is not Snowplow's own has its vendor before it. `unread` has no schema."""
    entities: dict[str, list[Json]] = {}
    try:
        around = _json(values, "co", "cx", limits).get("data") or []
    except Unmappable:
        return {"unread": [{name: values[name] for name in ("co", "cx") if name in values}]}
    for entity in filter(None, around if isinstance(around, list) else [around]):
        try:
            vendor, name, data = _described(entity)
        except Unmappable:
            entities.setdefault("unread", []).append(entity)
            continue
        entities.setdefault(name if vendor.startswith(_OWN_VENDOR) else f"{vendor}/{name}", []).append(data)
    return entities


def _described(value: Any) -> tuple[str, str, Json]:
    """The vendor, name and data of `{"schema": "iglu:VENDOR/NAME/FORMAT/VERSION", "data": …}`."""
    described = value if isinstance(value, dict) else {}
    parts = (text(described.get("schema")) or "").removeprefix("iglu:").split("/")
    if len(parts) != 4:
        raise Unmappable("bad_schema", f"schema is {str(described.get('schema'))[:60]!r}, which names none")
    return parts[0], parts[1], mapping(described.get("data"), f"the data of {parts[1][:60]}")


def _json(values: Json, plain: str, packed: str, limits: RequestLimits) -> Json:
    """The JSON in `plain`, or as base64 in `packed`; {} where neither is there."""
    name = plain if plain in values else packed
    if name not in values:
        return {}
    try:
        raw = values[name].encode() if name == plain else base64_text(values[name])
        return record(decode(raw, limits), name)
    except Refused as refused:
        raise Unmappable(refused.reason, f"{name}: {str(refused).rstrip('.')}") from None
    except ValueError as error:
        raise Unmappable("bad_base64", f"{name} is not base64: {error}") from None


def _meaning(
    values: Json, entities: dict[str, list[Json]], limits: RequestLimits, budget: FanOutBudget
) -> tuple[str | None, list[_Part]]:
    """The kind of event, and its events; takes the entities that it reads."""
    kind = values.get("e")
    if kind == "ue":
        _, name, data = _described(_json(values, "ue_pr", "ue_px", limits).get("data"))
        if name == "snowplow_ecommerce_action":
            return _action(data, entities, budget)
        return _DESCRIBED.get(name, name), [_with_product(_self_described(name, data), entities)]
    if kind == "ti":
        item = {name: values[key] for key, name in _LEGACY_ORDER_ITEM.items() if key in values}
        part = _product(item)
        return "purchase", [_Part(part.fields | {"order_id": values.get("ti_id")}, part.rest)]
    if kind not in _PLAIN:
        raise Unmappable("unknown_type", f"e is {str(kind)[:60]!r}, not one of {', '.join((*_PLAIN, 'ue', 'ti'))}")
    fields = {"pp": _attention, "tr": _order}.get(kind, lambda _: Json())(values)
    return _PLAIN[kind] or values.get("se_ac"), [_with_product(_Part(fields, {}), entities)]


def _attention(values: Json) -> Json:
    return {"dwell_ms": _HEARTBEAT_MS, "scroll_pct": _scroll(values)}


def _scroll(values: Json) -> float | None:
    """How far down the page the lower edge of the window has been, per cent."""
    try:
        top = max(0, int(values["pp_may"]))
        window, page = (int(values[name].split("x")[1]) for name in ("vp", "ds"))
        return round(min(100.0, max(0.0, (top + window) / page * 100)), 2)
    except (KeyError, IndexError, ValueError, OverflowError, ZeroDivisionError):
        return None


def _order(values: Json) -> Json:
    return {"order_id": values.get("tr_id"), "currency": values.get("tr_cu")}


def _self_described(name: str, data: Json) -> _Part:
    if name in ("add_to_cart", "remove_from_cart") and "sku" in data:
        return _product({_LEGACY_ITEM.get(key, key): value for key, value in data.items()})
    if name == "site_search" and isinstance(data.get("terms"), list):
        return _Part({"query": " ".join(filter(None, map(text, data["terms"])))}, without(data, ("terms",)))
    return _Part({}, data)


def _with_product(part: _Part, entities: dict[str, list[Json]]) -> _Part:
    """An event that one product surrounds is about it."""
    if len(entities.get("product", ())) != 1 or "item_id" in part.fields:
        return part
    product = _product(entities.pop("product")[0])
    return _Part(product.fields | part.fields, beside(product.rest, part.rest, "event"))


def _product(product: Json) -> _Part:
    """The fields of a product, and what is left of it."""
    fields = {
        "item_id": product.get("id"),
        **{name: product.get(name) for name in ("name", "category", "price", "currency", "quantity")},
        "position": place(product.get("position")),
    }
    return _Part(fields, without(product, ("id", *fields)))


def _action(data: Json, entities: dict[str, list[Json]], budget: FanOutBudget) -> tuple[str | None, list[_Part]]:
    """A `snowplow_ecommerce_action` with its products, promotions or transaction."""
    action = text(data.get("type")) or ""
    kind, rest = _ACTIONS.get(action, action), without(data, ("type",))
    if kind == action and action not in _ACTIONS:
        return kind, [_Part({}, rest)]
    if action.startswith("promo_"):
        promotions = entities.pop("promotion", None) or [Json()]
        return kind, [part for promotion in promotions for part in _promotion(promotion, rest, budget)]
    shared: Json = {}
    if action.startswith("list_"):
        shared, rest = {"list_id": data.get("name"), "surface": "list"}, without(rest, ("name",))
    if kind in ("purchase", "refund"):
        order = entities.pop(action)[0] if len(entities.get(action, ())) == 1 else Json()
        shared = {"order_id": order.get("transaction_id"), "currency": order.get("currency")}
        rest = rest | without(order, ("transaction_id", "currency"))
    products = entities.pop("product", [])
    budget.allow(rest, len(products))
    return kind, list(_listed(kind, products, shared, rest)) or [_alone(kind, shared, rest)]


def _listed(kind: str, products: list[Json], shared: Json, rest: Json) -> Iterator[_Part]:
    positions = places([product.get("position") for product in products])
    for product, position in zip(products, positions, strict=True):
        part = _product(product)
        fields = shared | {name: value for name, value in part.fields.items() if value is not None}
        if kind == "impression":
            fields["position"] = position
        yield _Part(fields, beside(part.rest, rest, "order" if kind in ("purchase", "refund") else "action"))


def _alone(kind: str, shared: Json, rest: Json) -> _Part:
    """An action without its products; an order has its worth."""
    price = rest.get({"purchase": "revenue", "refund": "refund_amount"}.get(kind, ""))
    return _Part(shared | {"price": price}, rest)


def _promotion(promotion: Json, rest: Json, budget: FanOutBudget) -> Iterator[_Part]:
    """One event a product that the promotion shows; one without an item where it names none."""
    shown = promotion.get("product_ids")
    items = shown if isinstance(shown, list) and shown else [None]
    left = beside(without(promotion, ("id", "position", "product_ids")), rest, "action")
    budget.allow(left, len(items))
    shared = {
        "list_id": promotion.get("id"),
        "position": place(promotion.get("position")),
        "surface": "promotion",
    }
    for item in items:
        yield _Part(shared | {"item_id": item}, left)

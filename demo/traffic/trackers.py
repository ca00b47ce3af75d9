"""What the trackers of the shop's visitors send: the plain form, Segment's batches, Snowplow's payloads.

Half of the visitors have nextclick's own tracker, a quarter Segment's and a quarter Snowplow's. What they
did is told as each tracker tells it: an order with its products is one record of Segment's and Snowplow's, and
the device is in the browser's name. No record says when it was sent, since the demo's weeks lie in the past.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

Fields = dict[str, Any]

PLAIN: Final = "plain"
_TURNS: Final = (PLAIN, PLAIN, "segment", "snowplow")

_BROWSERS: Final = {
    "desktop": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "mobile": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1",
    "tablet": "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1",
}
_SEGMENT_NAMES: Final = {
    "view_item": "Product Viewed",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "click": "Product Clicked",
    "search": "Products Searched",
    "purchase": "Order Completed",
}
_SEGMENT_PROPERTIES: Final = {"item_id": "product_id", "surface": "list_id"} | {
    name: name for name in ("category", "price", "currency", "quantity", "position", "query", "scroll_pct", "dwell_ms")
}
_ACTIONS: Final = {
    "view_item": "product_view",
    "add_to_cart": "add_to_cart",
    "remove_from_cart": "remove_from_cart",
    "click": "list_click",
    "purchase": "transaction",
}
_PRODUCT: Final = {"item_id": "id"} | {name: name for name in ("category", "price", "currency", "quantity", "position")}
_IGLU: Final = "iglu:com.snowplowanalytics.snowplow"

encode = msgspec.json.Encoder().encode


class Parcel(NamedTuple):
    """Events of one visitor that a tracker sends as one record."""

    tracker: str
    at: int
    """Epoch ms: when they happened."""
    events: list[Fields]


class TrackerRecord(NamedTuple):
    """One record as it leaves a tracker."""

    tracker: str
    record: bytes


def tracker_of(visitor: int) -> str:
    """Which tracker the visitor of that number has."""
    return _TURNS[visitor % len(_TURNS)]


def pack(events: Iterable[Fields], visitors: Iterable[int], at: Iterable[int]) -> list[Parcel]:
    """The events in their order, each in a parcel of its own; but an order's purchases travel together."""
    parcels: list[Parcel] = []
    orders: dict[str, Parcel] = {}
    for event, visitor, moment in zip(events, visitors, at, strict=True):
        parcel = Parcel(tracker_of(visitor), moment, [event])
        ordered = parcel.tracker != PLAIN and event["event"] == "purchase"
        if ordered and event["order_id"] in orders:
            orders[event["order_id"]].events.append(event)
            continue
        parcels.append(parcel)
        if ordered:
            orders[event["order_id"]] = parcel
    return parcels


def write(parcel: Parcel) -> TrackerRecord:
    """The parcel as its tracker writes it."""
    return TrackerRecord(parcel.tracker, encode(_DIALECTS[parcel.tracker].tell(parcel.events)))


def request(tracker: str, records: Iterable[bytes]) -> tuple[str, str, bytes]:
    """The records as one request: path, content type and body."""
    dialect = _DIALECTS[tracker]
    return dialect.path, dialect.content_type, dialect.before + dialect.between.join(records) + dialect.after


def _plain(events: list[Fields]) -> Fields:
    return events[0]


def _segment(events: list[Fields]) -> Fields:
    """A message: https://segment.com/docs/connections/spec/ecommerce/v2/ has its names."""
    event, kind = events[0], events[0]["event"]
    message = {
        "messageId": event["event_id"],
        "timestamp": event["client_time"],
        "anonymousId": event["visitor_id"],
        "context": _surroundings(event),
    } | _renamed(event, {"user_id": "userId"})
    if kind in ("page_view", "identify"):
        return message | {"type": kind.removesuffix("_view")}
    if kind == "alias":
        return message | {"type": kind, "previousId": event["properties"]["previous_id"]}
    properties = _renamed(event, _SEGMENT_PROPERTIES)
    if kind == "purchase":
        products = [_renamed(bought, _SEGMENT_PROPERTIES) for bought in events]
        properties = {"order_id": event["order_id"], "currency": event["currency"], "products": products}
    return message | {"type": "track", "event": _SEGMENT_NAMES.get(kind, kind), "properties": properties}


def _surroundings(event: Fields) -> Fields:
    """The page, the campaign and the browser, as analytics.js adds them."""
    page = _renamed(event, {"page_url": "url", "referrer": "referrer"})
    tags = {f"utm_{name}": name for name in ("source", "medium", "term")} | {"utm_campaign": "name"}
    known = {"page": page, "campaign": _renamed(event, tags)}
    return {name: value for name, value in known.items() if value} | {
        "userAgent": _BROWSERS[event["device"]],
        "locale": _locale(event),
    }


def _snowplow(events: list[Fields]) -> Fields:
    """An event of the tracker protocol: https://docs.snowplow.io/docs/events/going-deeper/http-requests/"""
    event, kind = events[0], events[0]["event"]
    moment = str(round(datetime.fromisoformat(event["client_time"]).timestamp() * 1000))
    tags = {name: value for name, value in event.items() if name.startswith("utm_")}
    payload = {
        "eid": event["event_id"],
        "dtm": moment,
        "ttm": moment,
        "duid": event["visitor_id"],
        "aid": "shop",
        "p": "web",
        "ua": _BROWSERS[event["device"]],
        "lang": _locale(event),
    } | _renamed(event, {"user_id": "uid", "page_url": "url", "referrer": "refr"})
    if tags:
        payload["url"] += f"?{urlencode(tags)}"
    around = [_described(".ecommerce/product", _renamed(sold, _PRODUCT)) for sold in events if "item_id" in sold]
    if kind == "purchase":
        around.append(_described(".ecommerce/transaction", _transaction(events)))
    return payload | _snowplow_kind(event, kind) | ({"cx": _wrapped("contexts", around)} if around else {})


def _snowplow_kind(event: Fields, kind: str) -> Fields:
    """The keys that say what kind of event it is."""
    if kind == "page_view":
        return {"e": "pv"}
    if kind == "engagement":
        return {"e": "pp"}
    if kind == "scroll":
        return {"e": "se", "se_ca": "page", "se_ac": kind, "se_pr": "per cent", "se_va": str(event["scroll_pct"])}
    if kind in _ACTIONS:
        action = {"type": _ACTIONS[kind]} | _renamed(event, {"surface": "name"})
        described = _described(".ecommerce/snowplow_ecommerce_action", action)
    elif kind == "search":
        described = _described("/site_search", {"terms": event["query"].split()})
    else:  # Snowplow's trackers have no word for it, so that the shop described its own
        described = {"schema": f"iglu:example.shop/{kind}/jsonschema/1-0-0", "data": event.get("properties", {})}
    return {"e": "ue", "ue_px": _wrapped("unstruct_event", described)}


def _transaction(events: list[Fields]) -> Fields:
    return {
        "transaction_id": events[0]["order_id"],
        "currency": events[0]["currency"],
        "revenue": str(sum(Decimal(str(bought["price"])) * bought["quantity"] for bought in events)),
        "total_quantity": sum(bought["quantity"] for bought in events),
        "payment_method": "card",
    }


def _described(name: str, data: Fields) -> Fields:
    return {"schema": f"{_IGLU}{name}/jsonschema/1-0-0", "data": data}


def _wrapped(name: str, data: Fields | list[Fields]) -> str:
    """Self-describing JSON in base64, as the trackers send it unless told otherwise."""
    wrapped = {"schema": f"{_IGLU}/{name}/jsonschema/1-0-0", "data": data}
    return urlsafe_b64encode(encode(wrapped)).decode().rstrip("=")


def _locale(event: Fields) -> str:
    return f"en-{event['country']}"


def _renamed(values: Fields, names: dict[str, str]) -> Fields:
    """The values that `names` knows, under their new names."""
    return {new: values[old] for old, new in names.items() if old in values}


class _Dialect(NamedTuple):
    """How a tracker tells events, and how its records make a request."""

    tell: Callable[[list[Fields]], Fields]
    path: str
    content_type: str
    before: bytes
    between: bytes
    after: bytes


_JSON: Final = "application/json"
_DIALECTS: Final = {
    PLAIN: _Dialect(_plain, "/v1/events", "application/x-ndjson", b"", b"\n", b"\n"),
    "segment": _Dialect(_segment, "/v1/batch", _JSON, b'{"writeKey":"demo","batch":[', b",", b"]}"),
    "snowplow": _Dialect(
        _snowplow,
        "/com.snowplowanalytics.snowplow/tp2",
        _JSON,
        b'{"schema":"iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4","data":[',
        b",",
        b"]}",
    ),
}
TRACKERS: Final = tuple(_DIALECTS)

"""Segment's messages by hand: what each becomes, and what is left of it."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.dialects import segment
from collector.request.model import Parsed, Refused, Request, RequestLimits
from nextclick.contracts.events import Event
from tests.tracker_requests import packed, parsed, request

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
LIMITS = RequestLimits(batch_events=100, json_depth=32)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0"


def parse(body: Any, path: str = "/v1/batch", **headers: str) -> Parsed:
    named = {"user-agent": CHROME} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(method="POST", path=path, headers=named, body=raw, received_at=NOW, token="t", ip="203.0.0.0")
    return segment.parse(request, LIMITS)


def events(message: dict[str, Any], path: str = "/v1/track") -> list[Event]:
    parsed = parse({"messageId": "m1", "anonymousId": "v1", **message}, path)
    assert not parsed.rejects, parsed.rejects
    return parsed.events


def only(message: dict[str, Any], path: str = "/v1/track") -> Event:
    (event,) = events(message, path)
    return event


def test_a_track_keeps_its_name_ids_and_properties() -> None:
    event = only({"event": "Video Liked", "userId": "u1", "properties": {"product_id": "i1", "stars": 5}})
    assert (event.event, event.event_id, event.visitor_id, event.user_id) == ("Video Liked", "m1", "v1", "u1")
    assert (event.item_id, event.properties, event.user_agent) == ("i1", {"stars": "5"}, CHROME)


def test_a_product_view_carries_the_item_and_the_rest_is_kept() -> None:
    product = {"product_id": "i1", "sku": "S-1", "name": "Mug", "category": "home", "price": 7.5, "brand": "Acme"}
    event = only({"event": "Product Viewed", "properties": {**product, "currency": "EUR"}})
    assert (event.event, event.item_id, event.name, event.category) == ("view_item", "i1", "Mug", "home")
    assert (event.price, event.currency) == ("7.5", "EUR")
    assert event.properties == {"sku": "S-1", "brand": "Acme"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Product Added", "add_to_cart"),
        ("Product Removed", "remove_from_cart"),
        ("Product Clicked", "click"),
        ("product_added", "add_to_cart"),
        ("Added Product", "add_to_cart"),
    ],
)
def test_events_of_the_specification_have_canonical_kinds(name: str, kind: str) -> None:
    event = only({"event": name, "properties": {"product_id": "i1", "quantity": 2}})
    assert (event.event, event.event_id, event.item_id, event.quantity) == (kind, "m1", "i1", 2)


def test_an_order_is_one_purchase_an_item() -> None:
    products = [
        {"product_id": "i1", "price": 10, "quantity": 2, "coupon": "A"},
        {"product_id": "i2", "price": "5.50", "quantity": 1},
    ]
    order = {"order_id": "o1", "total": 25.5, "currency": "EUR", "coupon": "B", "products": products}
    first, second = events({"event": "Order Completed", "properties": order})
    assert [first.event_id, second.event_id] == ["m1#0", "m1#1"]
    assert {first.event, second.event} == {"purchase"}
    assert {first.order_id, second.order_id} == {"o1"}
    assert (first.item_id, first.price, first.quantity, first.currency) == ("i1", "10", 2, "EUR")
    assert (second.item_id, second.price, second.quantity, second.currency) == ("i2", "5.50", 1, "EUR")
    assert first.properties == {"coupon": "A", "order.coupon": "B", "total": "25.5"}
    assert second.properties == {"coupon": "B", "total": "25.5"}


def test_an_order_that_lists_no_items_keeps_its_worth() -> None:
    event = only({"event": "Order Completed", "properties": {"order_id": "o1", "total": 25.5, "currency": "EUR"}})
    assert (event.event, event.order_id, event.price, event.currency) == ("purchase", "o1", "25.5", "EUR")


def test_a_total_is_of_all_pieces() -> None:
    order = {"order_id": "o1", "product_id": "i1", "revenue": 30, "quantity": 3}
    event = only({"event": "Order Completed", "properties": order})
    assert (event.item_id, event.price, event.quantity, event.properties) == ("i1", "30", None, {"quantity": "3"})
    event = only({"event": "Order Completed", "properties": order | {"price": 10}})
    assert (event.price, event.quantity, event.properties) == ("10", 3, {"revenue": "30"})


@pytest.mark.parametrize("name", ["Order Refunded", "Refunded Order", "Product Refunded", "refund"])
def test_a_refund_is_one_event_an_item_and_its_minus_is_in_its_kind(name: str) -> None:
    products = [
        {"product_id": "i1", "price": 10, "quantity": 2},
        {"product_id": "i2", "price": "-5.50", "quantity": -1},
    ]
    refund = {"order_id": "o1", "total": 25.5, "currency": "EUR", "products": products}
    drafts = [
        (e.event, e.order_id, e.item_id, e.price, e.quantity) for e in events({"event": name, "properties": refund})
    ]
    assert drafts == [("refund", "o1", "i1", "10", 2), ("refund", "o1", "i2", "5.50", 1)]
    event = only({"event": name, "properties": {"order_id": "o1", "total": "30.00", "currency": "USD"}})
    assert (event.event, event.order_id, event.price, event.currency) == ("refund", "o1", "30.00", "USD")


def test_a_list_is_one_impression_an_item_at_its_place() -> None:
    products = [{"product_id": "i1"}, {"product_id": "i2"}, {"product_id": "i3", "position": 9}]
    seen = events({"event": "Product List Viewed", "properties": {"list_id": "l1", "products": products}})
    assert [(e.event, e.item_id, e.position, e.list_id) for e in seen] == [
        ("impression", "i1", 1, "l1"),
        ("impression", "i2", 2, "l1"),
        ("impression", "i3", 9, "l1"),
    ]


def test_a_list_that_counts_from_zero_is_moved_to_one() -> None:
    products = [{"product_id": "i1", "position": 0}, {"product_id": "i2", "position": 1}]
    seen = events({"event": "Product List Viewed", "properties": {"products": products}})
    assert [event.position for event in seen] == [1, 2]


def test_promotions_are_impressions_and_clicks_of_their_own_surface() -> None:
    promotion = {"promotion_id": "p1", "creative": "banner", "position": "home_top"}
    seen = only({"event": "Promotion Viewed", "properties": promotion})
    assert (seen.event, seen.surface, seen.list_id, seen.position) == ("impression", "promotion", "p1", None)
    assert seen.properties == {"creative": "banner", "position": "home_top"}
    clicked = only({"event": "Promotion Clicked", "properties": promotion})
    assert (clicked.event, clicked.surface) == ("click", "promotion")


def test_a_search_has_its_query() -> None:
    event = only({"event": "Products Searched", "properties": {"query": "blue mug"}})
    assert (event.event, event.query, event.properties) == ("search", "blue mug", None)


def test_a_page_has_its_url_referrer_campaign_and_title() -> None:
    context = {
        "page": {"url": "https://shop.example/a?b=1", "path": "/a", "search": "?b=1", "title": "A", "referrer": "https://r.example/"},
        "campaign": {"name": "spring", "source": "news", "medium": "email", "term": "t", "content": "c", "id": "7"},
        "ip": "198.51.100.7",
        "userAgent": "Mozilla/5.0 (own)",
        "locale": "de-AT",
        "app": {"name": "Shop"},
    }  # fmt: skip
    event = only({"name": "Home", "properties": {"title": "A"}, "context": context}, "/v1/p")
    assert (event.event, event.page_url, event.referrer) == (
        "page_view", "https://shop.example/a?b=1", "https://r.example/",
    )  # fmt: skip
    assert (event.utm_campaign, event.utm_source, event.utm_medium, event.utm_term, event.utm_content) == (
        "spring", "news", "email", "t", "c",
    )  # fmt: skip
    assert (event.ip, event.user_agent) == ("198.51.0.0", "Mozilla/5.0 (own)")
    assert event.properties == {
        "title": "A",
        "name": "Home",
        "context.page": '{"title":"A"}',
        "context.campaign": '{"id":"7"}',
        "context.locale": "de-AT",
        "context.app": '{"name":"Shop"}',
    }


def test_identify_says_who_a_visitor_is() -> None:
    event = only({"userId": "u1", "traits": {"plan": "pro"}}, "/v1/i")
    assert (event.event, event.visitor_id, event.user_id, event.properties) == ("identify", "v1", "u1", {"plan": "pro"})


def test_alias_merges_the_previous_id_into_the_user() -> None:
    event = only({"userId": "u1", "previousId": "u0", "anonymousId": None}, "/v1/alias")
    assert (event.event, event.user_id, event.properties) == ("alias", "u1", {"previous_id": "u0"})
    assert only({"userId": "u1"}, "/v1/a").properties == {"previous_id": "v1"}


def test_group_is_an_event_of_its_own() -> None:
    event = only({"userId": "u1", "groupId": "g1", "traits": {"name": "Acme"}}, "/v1/g")
    assert (event.event, event.properties) == ("group", {"group_id": "g1", "name": "Acme"})


def test_time_is_corrected_by_when_the_batch_was_sent() -> None:
    message = {"type": "track", "event": "x", "userId": "u", "timestamp": "2030-01-01T00:00:00.000Z"}
    (event,) = parse({"batch": [message], "sentAt": "2030-01-01T00:00:05.000Z"}).events
    assert event.client_time == 1_893_456_000_000
    assert event.occurred_at == NOW - 5_000


def test_a_time_that_somebody_corrected_on_the_way_is_kept() -> None:
    stamped = {"originalTimestamp": "2030-01-01T00:00:00Z", "timestamp": "2025-12-31T23:00:00Z"}
    event = only({"event": "x", "sentAt": "2030-01-01T00:00:05Z", **stamped})
    assert (event.client_time, event.occurred_at) == (1_893_456_000_000, NOW - 3_600_000)


def test_a_message_without_an_id_has_the_same_one_when_it_is_sent_again() -> None:
    def sent(at: str) -> Event:
        message = {"type": "track", "event": "x", "userId": "u", "timestamp": "2026-01-01T00:00:00Z"}
        return parse({"batch": [message], "sentAt": at}).events[0]

    assert sent("2026-01-01T00:00:01Z").event_id == sent("2026-01-01T00:09:00Z").event_id


def test_a_batch_shares_its_context_and_loses_only_the_bad_message() -> None:
    good = {"type": "page", "messageId": "m1", "userId": "u"}
    bad = {"type": "track", "messageId": "m2", "event": "x", "userId": "u", "timestamp": "yesterday"}
    body = {"batch": [good, bad], "context": {"ip": "203.0.113.9"}, "writeKey": "k", "sentAt": "2026-01-01T00:00:00Z"}
    parsed = parse(body)
    assert [event.ip for event in parsed.events] == ["203.0.0.0"]
    (reject,) = parsed.rejects
    assert reject.reason == "bad_time"
    again = parse({**json.loads(reject.payload), "batch": [{**bad, "timestamp": "2026-01-01T00:00:00Z"}]})
    assert [event.event_id for event in again.events] == ["m2"]
    assert parsed.answer.status == 200


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"type": "track", "event": "x"}, "missing_visitor"),
        ({"type": "track", "userId": "u"}, "missing_event"),
        ({"type": "video", "userId": "u"}, "unknown_type"),
        ({"type": "track", "userId": "u", "event": {"a": 1}}, "bad_type"),
        ({"type": "track", "userId": "u", "event": "x" * 257}, "too_long"),
        ("track", "bad_type"),
    ],
)
def test_a_message_that_cannot_be_an_event_is_rejected_by_name(message: Any, reason: str) -> None:
    assert [reject.reason for reject in parse({"batch": [message]}).rejects] == [reason]


def test_a_library_of_a_server_is_not_the_visitors_browser() -> None:
    (event,) = parse({"batch": [{"type": "page", "userId": "u"}]}, user_agent="analytics-python/2.4.0").events
    assert event.user_agent is None


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Basic " + base64.b64encode(b"k1:").decode()},
        {"authorization": "Bearer k1"},
        {"authorization": "Basic ???"},
    ],
)
def test_the_write_key_is_in_the_body_or_the_authorization(headers: dict[str, str]) -> None:
    assert parse({"batch": [], "writeKey": "k0"}, **headers).key == "k0"
    assert parse({"batch": []}, **headers).key == (None if "?" in headers["authorization"] else "k1")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"batch":{}}', b'"x"'])
def test_a_body_that_is_no_batch_is_refused_with_400(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parse(body)
    request = Request(method="POST", path="/v1/b", received_at=NOW, token="t")
    assert segment.refuse(request, refused.value).status == 400


def test_what_is_too_large_is_refused_with_400_and_too_often_with_429() -> None:
    request = Request(method="POST", path="/v1/b", received_at=NOW, token="t")
    assert segment.refuse(request, Refused(413, "body_too_large", "")).status == 400
    assert segment.refuse(request, Refused(429, "too_many_requests", "")).status == 429


def test_lists_that_would_repeat_gigabytes_are_rejected() -> None:
    order = {"order_id": "o1", "note": "x" * 400_000, "products": [{"sku": "s"}] * 100}
    parsed = parse({"batch": [{"type": "track", "userId": "u", "event": "Order Completed", "properties": order}]})
    assert [reject.reason for reject in parsed.rejects] == ["too_many_items"]
    with pytest.raises(Refused):
        parse({"batch": [{}] * 100, "context": {"note": "x" * 400_000}})


@pytest.mark.parametrize(("host", "protocol"), [("127.0.0.1:8080", "http"), ("c.example", "https")])
def test_analytics_js_is_told_to_send_here(host: str, protocol: str) -> None:
    request = Request(
        method="GET", path="/v1/projects/key1/settings", headers={"host": host}, received_at=NOW, token="t"
    )
    parsed = segment.parse(request, LIMITS)
    integration = json.loads(parsed.answer.body)["integrations"]["Segment.io"]
    expected = {"apiKey": "key1", "apiHost": f"{host}/v1", "protocol": protocol, "addBundledMetadata": False}
    assert integration == expected
    assert parsed.key == "key1"


_NAMES = [
    "type", "event", "userId", "anonymousId", "messageId", "properties", "traits", "context", "products", "page",
    "campaign", "timestamp", "originalTimestamp", "sentAt", "price", "product_id", "position", "quantity", "previousId",
]  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=6),
    max_leaves=20,
)
_MESSAGES = st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=8)
_KINDS = st.sampled_from(["track", "page", "identify", "alias", "group", "screen", "x"])
_EVENTS = st.sampled_from(["Order Completed", "Product Viewed", "Product List Viewed", "Promotion Viewed", "x"])


@given(message=_MESSAGES, kind=_KINDS, name=_EVENTS)
def test_a_message_of_any_shape_becomes_events_or_one_reject(message: dict[str, Any], kind: str, name: str) -> None:
    parsed = parse({"batch": [message | {"type": kind, "event": name}]})
    assert bool(parsed.events) != bool(parsed.rejects)


@given(body=_JSON, path=st.sampled_from(list(segment.ROUTES)[:-1]))
def test_no_body_raises_anything_but_a_refusal(body: Any, path: str) -> None:
    with suppress(Refused):
        parse(body, path)


VIEWED = {"event": "Product Viewed", "anonymousId": "v1", "properties": {"product_id": "i1", "price": 7.5}}
VIEWED_BY_NAMES = "writeKey=K&anonymousId=v1&event=Product+Viewed&properties.product_id=i1&properties.price=7.5"


@pytest.mark.parametrize("path", ["/api/s/track", "/api/s/s2s/track"])
def test_jitsus_paths_take_a_message_and_the_key_of_its_header(path: str) -> None:
    taken = parsed(request(path, VIEWED, x_write_key="shop:s"))
    assert [(event.event, event.item_id) for event in taken.events] == [("view_item", "i1")]
    assert taken.key == "shop:s"


@pytest.mark.parametrize(
    "path", ["/api/s/batch", "/api/s/s2s/batch", "/beacon/v1/batch", "//v1/batch", "/segment//v1//b/"]
)
def test_batches_are_taken_at_the_paths_of_all_three(path: str) -> None:
    body = {"batch": [{"type": "page", "anonymousId": "v1"}, {"type": "track", "event": "Liked", "anonymousId": "v1"}]}
    taken = parsed(request(path, body, "writeKey=K"))
    assert ([event.event for event in taken.events], taken.key) == (["page_view", "Liked"], "K")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/pixel/v1/track", VIEWED_BY_NAMES),
        ("/v1/pixel/track", "data=" + packed(VIEWED | {"writeKey": "K"})),
        ("/api/px/track", "writeKey=K&data=" + packed(VIEWED)),
    ],
)
def test_an_image_brings_one_message(path: str, query: str) -> None:
    taken = parsed(request(path, query=query, method="GET"))
    assert [(e.event, e.visitor_id, e.item_id, e.price) for e in taken.events] == [("view_item", "v1", "i1", "7.5")]
    assert (taken.key, taken.answer.content_type, taken.answer.body[:3]) == ("K", "image/gif", b"GIF")


def test_an_image_that_is_no_event_keeps_its_address_for_a_replay() -> None:
    (reject,) = parsed(request("/pixel/v1/page", query="a=1&a.b=2&" + "c." * 90 + "d=3", method="GET")).rejects
    assert reject.reason == "missing_visitor"
    assert reject.payload.startswith("a=1&a.b=2&c.c.")


def test_rudderstacks_library_learns_that_its_source_has_no_destination() -> None:
    basic = base64.b64encode(b"K:").decode()
    taken = parsed(request("/sourceConfig/", method="GET", query="p=npm", authorization=f"Basic {basic}"))
    source = json.loads(taken.answer.body)["source"]
    assert (taken.key, source["writeKey"], source["enabled"], source["destinations"]) == ("K", "K", True, [])

"""Snowplow's events by hand: what each becomes, and what is left of it."""

import json
from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.dialects import snowplow
from collector.request.model import Parsed, Refused, Request, RequestLimits
from nextclick.contracts.events import Event

NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z
LIMITS = RequestLimits(batch_events=100, json_depth=32)
TP2 = "/com.snowplowanalytics.snowplow/tp2"
OWN = "iglu:com.snowplowanalytics.snowplow"
SHOP = f"{OWN}.ecommerce"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0"


def request(body: bytes = b"", query: str = "", **headers: str) -> Request:
    named = {"user-agent": CHROME} | {name.replace("_", "-"): value for name, value in headers.items()}
    method, path = ("GET", "/i") if query else ("POST", TP2)
    return Request(
        method=method, path=path, query=query, headers=named, body=body, received_at=NOW, token="t", ip="203.0.0.0"
    )


def post(*records: Any, **headers: str) -> Parsed:
    body = {"schema": f"{OWN}/payload_data/jsonschema/1-0-4", "data": list(records)}
    return snowplow.parse(request(json.dumps(body).encode(), **headers), LIMITS)


def events(**record: str) -> list[Event]:
    parsed = post({"eid": "e1", "duid": "v1", **record})
    assert not parsed.rejects, parsed.rejects
    return parsed.events


def only(**record: str) -> Event:
    (event,) = events(**record)
    return event


def entity(name: str, data: Any, owner: str = OWN) -> dict[str, Any]:
    return {"schema": f"{owner}/{name}/jsonschema/1-0-0", "data": data}


def described(name: str, data: Any, owner: str = OWN) -> str:
    return json.dumps(entity("unstruct_event", entity(name, data, owner)))


def around(*entities: dict[str, Any]) -> str:
    return json.dumps(entity("contexts", list(entities)))


def action(kind: str, *entities: dict[str, Any], **data: Any) -> dict[str, str]:
    payload = described("snowplow_ecommerce_action", {"type": kind, **data}, SHOP)
    return {"e": "ue", "ue_pr": payload, "co": around(*entities)}


def product(item: str, **more: Any) -> dict[str, Any]:
    return entity("product", {"id": item, "category": "home", "price": 7.5, "currency": "EUR", **more}, SHOP)


def test_a_page_view_has_its_ids_and_keeps_what_no_field_takes() -> None:
    event = only(
        e="pv", url="https://shop.example/a", page="A", refr="https://r.example/", uid="u1", sid="s1", aid="shop",
        p="web", ip="198.51.100.7", ua="Mozilla/5.0 (own)",
    )  # fmt: skip
    assert (event.event, event.event_id, event.visitor_id, event.user_id) == ("page_view", "e1", "v1", "u1")
    assert (event.page_url, event.referrer, event.session_hint) == (
        "https://shop.example/a", "https://r.example/", "s1",
    )  # fmt: skip
    assert (event.ip, event.user_agent) == ("198.51.0.0", "Mozilla/5.0 (own)")
    assert event.properties == {"page": "A", "aid": "shop", "p": "web"}


@pytest.mark.parametrize(
    ("times", "client_time", "occurred_at"),
    [
        ({"dtm": 1_000_000_000_000, "stm": 1_000_000_004_000}, 1_000_000_000_000, NOW - 4_000),
        ({"dtm": 1_000_000_000_900, "stm": 1_000_000_000_000}, 1_000_000_000_900, NOW),
        ({"dtm": 1_000_000_000_000}, 1_000_000_000_000, NOW),
        ({"dtm": 1_000_000_000_000, "ttm": 1_500_000_000_000}, 1_000_000_000_000, 1_500_000_000_000),
        ({"ttm": 1_500_000_000_000}, 1_500_000_000_000, 1_500_000_000_000),
        ({}, NOW, NOW),
    ],
)
def test_time_is_true_or_corrected_or_the_arrival(times: dict[str, int], client_time: int, occurred_at: int) -> None:
    event = only(e="pv", **{name: str(value) for name, value in times.items()})
    assert (event.client_time, event.occurred_at) == (client_time, occurred_at)


def test_a_page_ping_is_ten_seconds_of_attention_down_to_the_lower_edge_of_the_window() -> None:
    event = only(e="pp", pp_mix="0", pp_max="0", pp_miy="100", pp_may="400", vp="1200x600", ds="1200x4000")
    assert (event.event, event.dwell_ms, event.scroll_pct) == ("engagement", 10_000, 25.0)


@pytest.mark.parametrize("sizes", [{}, {"pp_may": "9", "vp": "1x1", "ds": "1x0"}, {"pp_may": "x", "vp": "", "ds": "1"}])
def test_a_page_ping_without_sizes_says_nothing_of_scrolling(sizes: dict[str, str]) -> None:
    assert only(e="pp", **sizes).scroll_pct is None


def test_a_structured_event_is_named_by_its_action() -> None:
    event = only(e="se", se_ca="video", se_ac="like", se_la="intro", se_va="3.5")
    assert (event.event, event.properties) == ("like", {"se_ca": "video", "se_la": "intro", "se_va": "3.5"})


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode, lambda raw: urlsafe_b64encode(raw).rstrip(b"=")])
def test_an_event_that_describes_itself_is_named_by_its_schema(encode: Any) -> None:
    payload = described("album_played", {"title": "Ünder?>~", "tracks": [1]}, "iglu:com.acme")
    packed = only(e="ue", ue_px=encode(payload.encode()).decode())
    assert packed == only(e="ue", ue_pr=payload)
    assert (packed.event, packed.properties) == ("album_played", {"title": "Ünder?>~", "tracks": "[1]"})


def test_contexts_are_kept_by_name_plain_or_packed() -> None:
    contexts = around(
        entity("web_page", {"id": "w1"}),
        entity("mood", {"is": "good"}, "iglu:com.acme"),
        entity("tag", {"n": 1}),
        entity("tag", {"n": 2}),
    )
    event = only(e="pv", co=contexts)
    assert event == only(e="pv", cx=urlsafe_b64encode(contexts.encode()).decode())
    assert event.properties == {
        "context.web_page": '{"id":"w1"}',
        "context.com.acme/mood": '{"is":"good"}',
        "context.tag": '[{"n":1},{"n":2}]',
    }


def test_a_session_of_an_app_names_visitor_and_session() -> None:
    session = entity("client_session", {"userId": "device-1", "sessionId": "s1", "sessionIndex": 3})
    (event,) = post({"e": "pv", "eid": "e1", "co": around(session)}).events
    assert (event.visitor_id, event.session_hint) == ("device-1", "s1")


def test_a_view_of_a_product_carries_its_fields() -> None:
    event = only(**action("product_view", product("i1", name="Mug", brand="Acme", variant="red")))
    assert (event.event, event.event_id, event.item_id, event.name) == ("view_item", "e1", "i1", "Mug")
    assert (event.category, event.price, event.currency) == ("home", "7.5", "EUR")
    assert (event.variant, event.properties) == (None, {"brand": "Acme", "variant": "red"})


@pytest.mark.parametrize("kind", ["add_to_cart", "remove_from_cart"])
def test_a_cart_changes_by_one_event_a_product(kind: str) -> None:
    cart = entity("cart", {"total_value": 15, "currency": "EUR"}, SHOP)
    one = only(**action(kind, product("i1", quantity=2), cart))
    assert (one.event, one.event_id, one.item_id, one.quantity) == (kind, "e1", "i1", 2)
    assert one.properties == {"context.cart": '{"total_value":15,"currency":"EUR"}'}
    two = events(**action(kind, product("i1"), product("i2"), cart))
    assert [(event.event_id, event.item_id) for event in two] == [("e1#0", "i1"), ("e1#1", "i2")]


def test_a_transaction_is_one_purchase_an_item() -> None:
    order = entity("transaction", {"transaction_id": "o1", "revenue": 20.5, "currency": "EUR", "tax": 1}, SHOP)
    first, second = events(**action("transaction", product("i1", quantity=2), product("i2", price=5.5), order))
    assert [first.event_id, second.event_id] == ["e1#0", "e1#1"]
    assert {first.event, second.event} == {"purchase"}
    assert (first.order_id, first.item_id, first.price, first.quantity, first.currency) == ("o1", "i1", "7.5", 2, "EUR")
    assert (second.order_id, second.item_id, second.price) == ("o1", "i2", "5.5")
    assert first.properties == second.properties == {"revenue": "20.5", "tax": "1"}


def test_a_refund_is_one_event_a_product_or_one_of_the_whole_worth() -> None:
    refund = entity("refund", {"transaction_id": "o1", "refund_amount": 20.5, "currency": "EUR"}, SHOP)
    event = only(**action("refund", product("i1", quantity=2), refund))
    assert (event.event, event.order_id, event.item_id, event.price, event.quantity) == ("refund", "o1", "i1", "7.5", 2)
    whole = only(**action("refund", refund))
    assert (whole.event, whole.order_id, whole.item_id, whole.price) == ("refund", "o1", None, "20.5")


def test_a_transaction_that_lists_no_products_keeps_its_worth() -> None:
    order = entity("transaction", {"transaction_id": "o1", "revenue": 20.5, "currency": "EUR"}, SHOP)
    event = only(**action("transaction", order))
    assert (event.event, event.event_id, event.order_id) == ("purchase", "e1#0", "o1")
    assert (event.price, event.currency) == ("20.5", "EUR")


def test_a_list_is_one_impression_an_item_and_a_click_is_of_that_list() -> None:
    seen = events(**action("list_view", product("i1", position=3), product("i2"), name="new"))
    assert [(e.event, e.item_id, e.position, e.list_id, e.surface) for e in seen] == [
        ("impression", "i1", 3, "new", "list"),
        ("impression", "i2", 2, "new", "list"),
    ]
    clicked = only(**action("list_click", product("i1", position=3), name="new"))
    assert (clicked.event, clicked.item_id, clicked.position, clicked.list_id) == ("click", "i1", 3, "new")


def test_a_promotion_is_an_impression_of_what_it_shows_and_a_click() -> None:
    promotion = entity("promotion", {"id": "p1", "slot": "top", "position": 1, "product_ids": ["i1", "i2"]}, SHOP)
    seen = events(**action("promo_view", promotion))
    assert [(e.event, e.item_id, e.list_id, e.surface, e.position) for e in seen] == [
        ("impression", "i1", "p1", "promotion", 1),
        ("impression", "i2", "p1", "promotion", 1),
    ]
    clicked = only(**action("promo_click", entity("promotion", {"id": "p1", "slot": "top"}, SHOP)))
    assert (clicked.event, clicked.item_id, clicked.list_id, clicked.properties) == (
        "click",
        None,
        "p1",
        {"slot": "top"},
    )


def test_other_actions_keep_their_name_and_entities() -> None:
    event = only(**action("checkout_step", entity("checkout_step", {"step": 2}, SHOP)))
    assert (event.event, event.properties) == ("checkout_step", {"context.checkout_step": '{"step":2}'})


def test_a_page_with_one_product_around_it_is_about_that_product() -> None:
    assert only(e="pv", co=around(product("i1"))).item_id == "i1"
    assert only(e="pv", co=around(product("i1"), product("i2"))).item_id is None


def test_the_older_events_of_a_cart_and_of_orders_are_read() -> None:
    added = only(
        e="ue", ue_pr=described("add_to_cart", {"sku": "i1", "unitPrice": 2, "quantity": 3, "currency": "EUR"})
    )
    assert (added.event, added.item_id, added.price, added.quantity) == ("add_to_cart", "i1", "2", 3)
    item = only(e="ti", ti_id="o1", ti_sk="i1", ti_nm="Mug", ti_ca="home", ti_pr="7.50", ti_qu="2", ti_cu="EUR")
    assert (item.event, item.event_id, item.order_id, item.item_id) == ("purchase", "e1", "o1", "i1")
    assert (item.price, item.quantity, item.currency, item.properties) == ("7.50", 2, "EUR", None)
    order = only(e="tr", tr_id="o1", tr_tt="15.00", tr_cu="EUR")
    assert (order.event, order.order_id, order.price, order.properties) == (
        "transaction",
        "o1",
        None,
        {"tr_tt": "15.00"},
    )


def test_searches_clicks_and_screens_have_canonical_kinds() -> None:
    search = only(e="ue", ue_pr=described("site_search", {"terms": ["blue", "mug"], "totalResults": 4}))
    assert (search.event, search.query, search.properties) == ("search", "blue mug", {"totalResults": "4"})
    assert only(e="ue", ue_pr=described("link_click", {"targetUrl": "/x"})).event == "click"
    assert only(e="ue", ue_pr=described("screen_view", {"name": "Home"})).event == "page_view"


def test_an_anonymous_request_leaves_no_address_and_no_network_id() -> None:
    record = {"e": "pv", "eid": "e1", "ip": "198.51.100.7", "nuid": "n1", "tnuid": "n2", "sid": "s1"}
    event = post(record, sp_anonymous="*").events[0]
    assert (event.ip, event.visitor_id, event.properties) == (None, "s1", None)
    bad = post(record | {"dtm": "x"}, sp_anonymous="*").rejects[0]
    assert "n1" not in bad.payload
    assert "ip" not in (bad.request or {})
    reject = snowplow.parse(request(query=urlencode(record | {"dtm": "x"}), sp_anonymous="*"), LIMITS).rejects[0]
    assert "n1" not in json.dumps([reject.payload, reject.request])


def test_without_any_id_a_visitor_is_one_page_view() -> None:
    nobody = entity("client_session", {"userId": "00000000-0000-0000-0000-000000000000"})
    event = post({"e": "pv", "co": around(nobody, entity("web_page", {"id": "w1"}))}).events[0]
    assert event.visitor_id == "w1"
    assert post({"e": "pv", "tnuid": "n2"}).events[0].visitor_id == "n2"
    known = post({"e": "pv", "uid": "u1", "sid": "s1"}).events[0]
    assert (known.visitor_id, known.user_id) == (None, "u1")


def test_a_get_is_one_event_and_is_answered_by_a_pixel() -> None:
    parsed = snowplow.parse(request(query="e=pv&eid=e1&duid=v1&url=https%3A%2F%2Fshop.example%2F%3Fq%3D1"), LIMITS)
    assert [event.page_url for event in parsed.events] == ["https://shop.example/?q=1"]
    assert (parsed.answer.status, parsed.answer.content_type) == (200, "image/gif")
    assert parsed.answer.body.startswith(b"GIF89a")


def test_a_bad_record_is_rejected_alone_and_the_tracker_is_told_ok() -> None:
    parsed = post({"e": "pv", "eid": "e1", "duid": "v1", "aid": "shop"}, {"e": "pv", "eid": "e2"})
    assert [event.event_id for event in parsed.events] == ["e1"]
    (reject,) = parsed.rejects
    assert reject.reason == "missing_visitor"
    assert json.loads(reject.payload)["data"] == [{"e": "pv", "eid": "e2"}]
    assert (parsed.answer.status, parsed.answer.body, parsed.key) == (200, b"ok", "shop")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"e": "pv"}, "missing_visitor"),
        ({"e": "xx", "duid": "v"}, "unknown_type"),
        ({"duid": "v"}, "unknown_type"),
        ({"e": "se", "duid": "v"}, "missing_event"),
        ({"e": "pv", "duid": "v", "dtm": "soon"}, "bad_time"),
        ({"e": "ue", "duid": "v"}, "bad_schema"),
        ({"e": "ue", "duid": "v", "ue_pr": "{"}, "malformed_json"),
        ({"e": "ue", "duid": "v", "ue_px": "é"}, "bad_base64"),
        (["pv"], "bad_type"),
    ],
)
def test_a_poison_event_is_rejected_by_name(record: Any, reason: str) -> None:
    assert [reject.reason for reject in post(record).rejects] == [reason]


def test_an_entity_that_cannot_be_read_is_kept_and_costs_no_event() -> None:
    good = {"schema": "iglu:com.acme/x/jsonschema/1-0-0", "data": {"a": 1}}
    bad = [{"co": "not json"}, {"co": "[" * 40 + "]" * 40}, {"co": json.dumps({"data": [None, {"schema": "x"}, good]})}]
    events = post(*({"e": "pv", "duid": "v"} | each for each in bad)).events
    assert [event.properties for event in events] == [
        {"context.unread": '{"co":"not json"}'},
        {"context.unread": json.dumps({"co": "[" * 40 + "]" * 40}, separators=(",", ":"))},
        {"context.unread": '{"schema":"x"}', "context.com.acme/x": '{"a":1}'},
    ]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"data":{}}', b"\xff"])
def test_a_request_that_cannot_be_read_is_answered_200_since_it_would_come_again(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        snowplow.parse(request(body), LIMITS)
    assert snowplow.refuse(request(body), refused.value).status == 200


@pytest.mark.parametrize(("status", "expected"), [(413, 200), (429, 429), (408, 408), (401, 401)])
def test_only_what_can_never_be_taken_is_answered_200(status: int, expected: int) -> None:
    assert snowplow.refuse(request(), Refused(status, "reason", "message")).status == expected


def test_a_library_of_a_server_is_not_the_visitors_browser() -> None:
    record = {"e": "pv", "duid": "v1"}
    assert post(record).events[0].user_agent == CHROME
    assert post(record, user_agent="python-requests/2.34.2").events[0].user_agent is None


def test_lists_that_would_repeat_gigabytes_are_rejected() -> None:
    order = entity("transaction", {"transaction_id": "o1", "note": "x" * 400_000}, SHOP)
    record = action("transaction", order, *[product("i")] * 100)
    assert [reject.reason for reject in post({"duid": "v1", **record}).rejects] == ["too_many_items"]
    record = action("transaction", *[product("i")] * 100) | {"page": "x" * 400_000}
    assert [reject.reason for reject in post({"duid": "v1", **record}).rejects] == ["too_many_items"]


_NAMES = [
    "id", "price", "quantity", "position", "name", "schema", "data", "type", "terms", "sku", "product_ids", "revenue",
]  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=6),
    max_leaves=20,
)
_ENTITIES = st.lists(
    st.tuples(st.sampled_from(["product", "promotion", "transaction", "web_page", "client_session"]), _JSON), max_size=3
)
_ACTIONS = st.sampled_from(["transaction", "list_view", "promo_view", "product_view", "refund"])
_KEYS = st.sampled_from([*snowplow._READ, "pp_may", "vp", "ds", "tnuid", "aid"])
_RECORDS = st.dictionaries(_KEYS, st.text(max_size=9) | st.integers(), max_size=8)
_KINDS = st.sampled_from(["pv", "pp", "se", "tr", "ti", "ue"])


@given(record=_RECORDS, kind=_KINDS)
def test_a_record_of_any_shape_becomes_events_or_one_reject(record: dict[str, Any], kind: str) -> None:
    parsed = post(record | {"e": kind})
    assert bool(parsed.events) != bool(parsed.rejects)


@given(entities=_ENTITIES, kind=_ACTIONS, data=_JSON)
def test_an_action_with_entities_of_any_shape_becomes_events_or_one_reject(
    entities: list[tuple[str, Any]], kind: str, data: Any
) -> None:
    record = action(kind, *(entity(name, value, SHOP) for name, value in entities), name=data)
    parsed = post({"duid": "v1", **record}, {"duid": "v1", "e": "ue", "ue_pr": json.dumps(data)})
    assert len(parsed.rejects) in (1, 2)


@given(body=_JSON, query=st.text(max_size=30))
def test_no_request_raises_anything_but_a_refusal(body: Any, query: str) -> None:
    for sent in (request(json.dumps(body).encode()), request(query=query or "e=pv")):
        with suppress(Refused):
            snowplow.parse(sent, LIMITS)

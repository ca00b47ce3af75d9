"""GA4's requests by hand: what each becomes, and what the debugger says."""

import json
from typing import Any

import pytest
from hypothesis import given

from collector.dialects import ga4
from collector.request.model import Refused
from nextclick.contracts.events import Event
from tests.tracker_requests import NOW, json_of, parsed, request, survives

KEYS = "measurement_id=G-1&api_secret=k"
ITEMS = [{"item_id": "i1", "item_name": "Mug", "price": 2.5, "index": 0}, {"item_name": "Cup", "price": 7, "index": 1}]


def events(name: str, /, around: dict[str, Any] | None = None, **params: Any) -> list[Event]:
    body = {"client_id": "v1", "events": [{"name": name, "params": params}]} | (around or {})
    found = parsed(request("/mp/collect", body, KEYS))
    assert not found.rejects, found.rejects
    assert (found.answer.status, found.key) == (204, "k")
    return found.events


def test_a_page_view_carries_its_page_title_session_and_time() -> None:
    page = {"page_location": "https://a.example/", "page_title": "Home", "page_referrer": "https://b.example/"}
    (event,) = events("page_view", {"user_id": "u1", "timestamp_micros": NOW * 1000}, session_id=5, **page)
    assert (event.event, event.visitor_id, event.user_id, event.client_time) == ("page_view", "v1", "u1", NOW)
    assert (event.page_url, event.name, event.referrer) == ("https://a.example/", "Home", "https://b.example/")
    assert (event.session_hint, event.properties) == ("5", None)


def test_a_resend_with_a_time_has_the_same_id_and_one_without_another() -> None:
    stamped = {"timestamp_micros": NOW * 1000}
    assert events("a", stamped)[0].event_id == events("a", stamped)[0].event_id
    body = {"client_id": "v1", "events": [{"name": "a"}, {"name": "a"}]}
    first, second = parsed(request("/mp/collect", body)).events
    assert first.event_id != second.event_id


def test_an_app_instance_is_a_visitor() -> None:
    body = {"app_instance_id": "v2", "events": [{"name": "screen_view", "params": {"firebase_screen": "Start"}}]}
    (event,) = parsed(request("/mp/collect", body)).events
    assert (event.event, event.visitor_id, event.name) == ("page_view", "v2", "Start")


def test_a_purchase_becomes_one_event_an_item_and_the_time_spent_counts_once() -> None:
    first, second = events("purchase", transaction_id="o1", currency="EUR", engagement_time_msec="100", items=ITEMS)
    assert (first.item_id, first.name, first.price, first.dwell_ms) == ("i1", "Mug", "2.5", 100)
    assert (second.item_id, second.price, second.dwell_ms) == ("Cup", "7", None)
    assert {(event.event, event.order_id, event.currency) for event in (first, second)} == {("purchase", "o1", "EUR")}
    assert (first.event_id[-2:], second.event_id[-2:]) == ("#0", "#1")


def test_a_refund_is_one_event_an_item_or_one_of_the_whole_worth() -> None:
    first, second = events("refund", transaction_id="o1", currency="EUR", items=ITEMS)
    assert {(event.event, event.order_id, event.currency) for event in (first, second)} == {("refund", "o1", "EUR")}
    assert (first.item_id, first.price, second.item_id, second.price) == ("i1", "2.5", "Cup", "7")
    (whole,) = events("refund", transaction_id="o1", currency="EUR", value=-9.5)
    assert (whole.event, whole.order_id, whole.item_id, whole.price) == ("refund", "o1", None, "9.5")


def test_a_list_becomes_impressions_from_position_1() -> None:
    seen = events("view_item_list", item_list_id="l1", items=ITEMS)
    assert [(event.event, event.item_id, event.position) for event in seen] == [
        ("impression", "i1", 1),
        ("impression", "Cup", 2),
    ]
    assert {(event.list_id, event.surface) for event in seen} == {("l1", "list")}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("view_item", "view_item"),
        ("add_to_cart", "add_to_cart"),
        ("remove_from_cart", "remove_from_cart"),
        ("select_item", "click"),
        ("select_promotion", "click"),
        ("view_promotion", "impression"),
    ],
)
def test_events_of_one_item(name: str, kind: str) -> None:
    (event,) = events(name, promotion_id="p1", items=ITEMS[:1])
    assert (event.event, event.item_id) == (kind, "i1")


def test_searches_scrolls_and_engagement() -> None:
    assert events("search", search_term="mug")[0].query == "mug"
    assert events("scroll", percent_scrolled=90)[0].scroll_pct == 90
    (event,) = events("user_engagement", engagement_time_msec=1500)
    assert (event.event, event.dwell_ms) == ("engagement", 1500)


def test_campaign_details_are_utm_parameters() -> None:
    (event,) = events("campaign_details", source="news", medium="email", campaign="may")
    assert (event.utm_source, event.utm_medium, event.utm_campaign) == ("news", "email", "may")


def test_what_is_said_of_the_user_is_kept_beside_each_event() -> None:
    around = {"user_properties": {"plan": {"value": "pro"}}, "ip_override": "198.51.100.7", "user_agent": "Agent"}
    (event,) = events("a", around, b="c")
    assert (event.properties, event.ip, event.user_agent) == (
        {"b": "c", "user_properties": '{"plan":{"value":"pro"}}'},
        "198.51.0.0",
        "Agent",
    )


def test_a_bad_event_is_answered_with_204_and_goes_to_quarantine_with_its_client() -> None:
    found = parsed(request("/mp/collect", {"client_id": "v1", "events": [{"name": "a"}, {"params": {}}]}, KEYS))
    (reject,) = found.rejects
    assert (len(found.events), found.answer.status, reject.reason) == (1, 204, "missing_event")
    assert json.loads(reject.payload) == {"client_id": "v1", "events": [{"params": {}}]}


def test_the_debugger_says_what_is_wrong_and_keeps_nothing() -> None:
    body = {"client_id": "v1", "events": [{"name": "a"}, {"params": {}}]}
    for sent, code in ((body, "MISSING_EVENT"), (b"{", "MALFORMED_JSON")):
        found = parsed(request("/debug/mp/collect", sent))
        messages = json.loads(found.answer.body)["validationMessages"]
        assert ([each["validationCode"] for each in messages], found.events, found.rejects) == ([code], [], [])


def test_a_body_that_cannot_be_read_is_answered_with_204() -> None:
    sent = request("/mp/collect", b"{")
    with pytest.raises(Refused) as refused:
        parsed(sent)
    assert ga4.refuse(sent, refused.value).status == 204
    assert ga4.refuse(sent, Refused(429, "too_many_requests", "slow")).status == 429


@given(json_of("client_id", "events", "name", "params", "items", "timestamp_micros", "device", "price", "index"))
def test_no_json_breaks_it(body: Any) -> None:
    for path in ("/mp/collect", "/debug/mp/collect"):
        survives(request(path, {"client_id": "v1", "events": body} if isinstance(body, list) else body))


def test_a_small_body_cannot_ask_for_gigabytes() -> None:
    long = {"page_location": "https://a.example/" + "a" * 500_000}
    body = {"client_id": "v1", "events": [{"name": "purchase", "params": long | {"items": [{"item_id": 1}] * 90}}]}
    found = parsed(request("/mp/collect", body, KEYS))
    assert ([reject.reason for reject in found.rejects], found.events) == (["too_many_items"], [])

"""Amplitude's requests by hand: what each becomes, and what Amplitude's clients are told."""

import json
from typing import Any

import pytest
from hypothesis import given

from collector.dialects import amplitude
from collector.request.model import Refused
from nextclick.contracts.events import Event
from tests.tracker_requests import NOW, json_of, parsed, request, survives

ONE = {"user_id": "u1", "device_id": "d1", "event_type": "Song Liked", "time": NOW - 5000, "insert_id": "e1"}


def only(**fields: Any) -> Event:
    found = parsed(request("/2/httpapi", {"api_key": "k", "events": [ONE | fields]}))
    assert not found.rejects, found.rejects
    (event,) = found.events
    return event


def test_an_event_keeps_its_name_ids_time_and_properties() -> None:
    event = only(session_id=1_767_225_000_000, event_properties={"stars": 5}, library="py", country="Norway")
    assert (event.event, event.event_id, event.client_time) == ("Song Liked", "e1", NOW - 5000)
    assert (event.visitor_id, event.user_id, event.session_hint) == ("d1", "u1", "1767225000000")
    assert (event.country, event.properties) == ("Norway", {"stars": "5", "library": "py"})


def test_an_event_outside_a_session_has_no_session() -> None:
    assert only(session_id=-1).session_hint is None


def test_the_time_of_upload_corrects_the_clients_clock() -> None:
    body = {
        "api_key": "k",
        "client_upload_time": "2026-01-01T01:00:00.000Z",
        "events": [ONE | {"time": NOW + 3_599_000}],
    }
    (event,) = parsed(request("/2/httpapi", body)).events
    assert event.occurred_at == NOW - 1000


def test_identify_carries_what_is_set_and_joins_device_and_user() -> None:
    event = only(event_type="$identify", user_properties={"$set": {"plan": "pro"}})
    assert (event.event, event.visitor_id, event.user_id) == ("identify", "d1", "u1")
    assert event.properties == {"$set": '{"plan":"pro"}'}


def test_revenue_is_a_purchase() -> None:
    inside = {"$productId": "i1", "$price": 2.5, "$quantity": 3, "$revenue": 7.5, "$currency": "EUR"}
    event = only(event_type="revenue_amount", event_properties=inside)
    assert (event.event, event.event_id, event.item_id) == ("purchase", "e1#0", "i1")
    assert (event.price, event.quantity, event.currency) == ("2.5", 3, "EUR")


@pytest.mark.parametrize(
    ("inside", "beside", "read"),
    [
        ({"$revenue": 7.5, "$quantity": 3}, {}, ("purchase", None, "7.5", None)),
        ({"$productId": "i1", "$price": -2.5, "$quantity": 3}, {}, ("refund", "i1", "2.5", 3)),
        ({}, {"productId": "i1", "revenue": 7.5, "quantity": 3}, ("purchase", "i1", "7.5", None)),
        ({}, {"productId": "i1", "price": 2.5, "revenue": 7.5, "quantity": 3}, ("purchase", "i1", "2.5", 3)),
        ({}, {"productId": "i1", "revenue": -7.5}, ("refund", "i1", "7.5", None)),
    ],
)
def test_revenue_without_a_price_is_of_all_pieces_and_below_0_a_refund(inside: Any, beside: Any, read: Any) -> None:
    event = only(event_type="revenue_amount", event_properties=inside, **beside)
    assert (event.event, event.item_id, event.price, event.quantity) == read


def test_price_quantity_and_product_may_stand_on_any_event() -> None:
    event = only(productId="i1", price=2.5, quantity=3, revenue=7.5)
    assert (event.item_id, event.price, event.quantity, event.properties) == ("i1", "2.5", 3, {"revenue": "7.5"})


def test_an_order_becomes_one_purchase_an_item() -> None:
    inside = {"order_id": "o1", "products": [{"product_id": "i1"}, {"product_id": "i2"}]}
    found = parsed(request("/batch", {"events": [ONE | {"event_type": "Order Completed", "event_properties": inside}]}))
    assert [(event.event_id, event.item_id, event.order_id) for event in found.events] == [
        ("e1#0", "i1", "o1"),
        ("e1#1", "i2", "o1"),
    ]


def test_page_views_of_the_browser_sdk() -> None:
    inside = {"[Amplitude] Page Location": "https://a.example/?q=1", "[Amplitude] Page URL": "https://a.example/"}
    event = only(event_type="[Amplitude] Page Viewed", event_properties=inside | {"utm_source": "news"})
    assert (event.event, event.page_url, event.utm_source) == ("page_view", "https://a.example/?q=1", "news")


def test_remote_is_the_peers_address_and_others_are_truncated() -> None:
    assert only(ip="$remote").ip == "203.0.0.0"
    assert only(ip="198.51.100.7").ip == "198.51.0.0"


def test_the_answer_counts_and_one_bad_event_does_not_hold_up_the_others() -> None:
    bad = {"event_type": "a"}
    body = {"api_key": "k", "events": [ONE, bad]}
    sent = request("/2/httpapi", body)
    found = parsed(sent)
    answer = json.loads(found.answer.body)
    assert (found.answer.status, answer["code"], answer["events_ingested"]) == (200, 200, 1)
    assert answer["events_with_invalid_fields"] == {"missing_visitor": [1]}
    assert (answer["payload_size_bytes"], answer["server_upload_time"], found.key) == (len(sent.body), NOW, "k")
    (reject,) = found.rejects
    assert (reject.reason, json.loads(reject.payload)["events"]) == ("missing_visitor", [bad])


def test_where_nothing_was_taken_the_answer_names_the_events() -> None:
    found = parsed(request("/2/httpapi", {"api_key": "k", "events": [{"event_type": "a"}]}))
    answer = json.loads(found.answer.body)
    assert (found.answer.status, answer["events_with_invalid_fields"]) == (400, {"missing_visitor": [0]})


def test_a_body_that_cannot_be_read_is_not_sent_again() -> None:
    sent = request("/2/httpapi", b"{")
    with pytest.raises(Refused) as refused:
        parsed(sent)
    answer = amplitude.refuse(sent, refused.value)
    assert (answer.status, json.loads(answer.body)["missing_field"]) == (400, "events")


@given(json_of("events", "event_type", "event_properties", "user_properties", "device_id", "time", "price", "ip"))
def test_no_json_breaks_it(body: Any) -> None:
    survives(request("/2/httpapi", {"events": body} if isinstance(body, list) else body))

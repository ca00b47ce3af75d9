"""Mixpanel's requests by hand: what each becomes, and what Mixpanel's clients are told."""

import json
from typing import Any

import pytest
from hypothesis import given

from collector.request.model import Refused
from nextclick.contracts.events import Event
from tests.tracker_requests import CHROME, NOW, json_of, packed, parsed, request, survives

TIME = 1_767_225_000
ITEMS = [{"product_id": "i1", "price": 2.5, "quantity": 2}, {"sku": "i2", "price": 7, "color": "red"}]


def events(*sent: dict[str, Any]) -> list[Event]:
    found = parsed(request("/mixpanel/track", list(sent)))
    assert not found.rejects, found.rejects
    return found.events


def only(name: str, /, **inside: Any) -> Event:
    (event,) = events({"event": name, "properties": {"token": "k", "distinct_id": "v1", **inside}})
    return event


def test_an_event_keeps_its_name_id_time_and_properties() -> None:
    event = only("Song Liked", time=TIME, stars=5, **{"$insert_id": "e1", "$current_url": "https://a.example/"})
    assert (event.event, event.event_id, event.client_time) == ("Song Liked", "e1", TIME * 1000)
    assert (event.visitor_id, event.user_id, event.user_agent) == ("v1", None, CHROME)
    assert (event.page_url, event.properties) == ("https://a.example/", {"stars": "5"})


def test_a_time_may_be_in_milliseconds() -> None:
    assert only("a", time=TIME * 1000 + 1).client_time == TIME * 1000 + 1


def test_the_time_of_sending_corrects_the_clients_clock() -> None:
    sent = {"event": "a", "properties": {"distinct_id": "v1", "time": TIME}}
    (event,) = parsed(request("/mixpanel/track", sent, query=f"_={TIME * 1000 + 4000}")).events
    assert (event.client_time, event.occurred_at) == (TIME * 1000, NOW - 4000)


def test_an_order_becomes_one_purchase_an_item() -> None:
    first, second = events(
        {
            "event": "Order Completed",
            "properties": {
                "distinct_id": "v1",
                "$insert_id": "e1",
                "order_id": "o1",
                "currency": "EUR",
                "products": ITEMS,
            },
        }
    )
    assert (first.event_id, first.item_id, first.price, first.quantity) == ("e1#0", "i1", "2.5", 2)
    assert (second.event_id, second.item_id, second.price, second.properties) == ("e1#1", "i2", "7", {"color": "red"})
    assert {(event.event, event.order_id, event.currency) for event in (first, second)} == {("purchase", "o1", "EUR")}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Product Viewed", "view_item"),
        ("view_item", "view_item"),
        ("Product Added", "add_to_cart"),
        ("Removed From Cart", "remove_from_cart"),
        ("$mp_web_page_view", "page_view"),
        ("$mp_click", "click"),
    ],
)
def test_names_that_are_common_become_canonical_kinds(name: str, kind: str) -> None:
    assert (only(name, item_id="i1").event, only(name, item_id="i1").item_id) == (kind, "i1")


def test_a_list_becomes_impressions_with_positions_and_a_click_keeps_its_own() -> None:
    seen = only("Product List Viewed", list_id="l1", products=[{"product_id": "i1"}])
    assert (seen.event, seen.position, seen.list_id, seen.surface) == ("impression", 1, "l1", "list")
    assert only("Product Clicked", product_id="i1", position=3).position == 3


def test_a_promotion_is_an_impression_of_that_surface() -> None:
    event = only("Promotion Viewed", promotion_id="p1", name="Summer", creative="c")
    assert (event.event, event.surface, event.list_id, event.name) == ("impression", "promotion", "p1", "Summer")
    assert event.properties == {"creative": "c"}


def test_a_search_carries_its_query() -> None:
    assert only("Products Searched", query="mug").query == "mug"


@pytest.mark.parametrize(
    ("inside", "visitor", "user"),
    [
        ({"distinct_id": "$device:d1", "$device_id": "d1"}, "d1", None),
        ({"distinct_id": "u1", "$device_id": "d1", "$user_id": "u1"}, "d1", "u1"),
        ({"distinct_id": "u1", "$device_id": "d1"}, "d1", "u1"),
        ({"distinct_id": "d1", "$device_id": "d1"}, "d1", None),
        ({"distinct_id": "u1", "$user_id": "u1"}, None, "u1"),
    ],
)
def test_a_device_is_the_visitor_and_another_id_beside_it_the_user(
    inside: dict[str, str], visitor: str | None, user: str | None
) -> None:
    event = only("a", **inside)
    assert (event.visitor_id, event.user_id, event.properties) == (visitor, user, None)


def test_identify_links_the_anonymous_id_to_the_user() -> None:
    event = only("$identify", distinct_id="u1", **{"$identified_id": "u1", "$anon_id": "d1"})
    assert (event.event, event.visitor_id, event.user_id) == ("identify", "d1", "u1")


def test_an_alias_is_merged_into_the_original() -> None:
    event = only("$create_alias", distinct_id="original", alias="other")
    assert (event.event, event.user_id, event.properties) == ("alias", "original", {"previous_id": "other"})


def test_a_merge_keeps_the_first_id() -> None:
    event = only("$merge", **{"$distinct_ids": ["a", "b"]})
    assert (event.event, event.user_id, (event.properties or {})["previous_id"]) == ("alias", "a", "b")


def test_a_profile_update_identifies_its_visitor() -> None:
    update = {"$token": "k", "$distinct_id": "u1", "$ip": "198.51.100.7", "$set": {"plan": "pro"}}
    found = parsed(request("/mixpanel/engage", [update]))
    (event,) = found.events
    assert (event.event, event.visitor_id, event.ip) == ("identify", "u1", "198.51.0.0")
    assert (event.properties, found.key) == ({"$set": '{"plan":"pro"}'}, "k")


def test_a_group_profile_is_kept_in_quarantine_and_the_client_is_content() -> None:
    update = {"$token": "k", "$group_key": "company", "$group_id": "acme", "$set": {"size": 3}}
    found = parsed(request("/mixpanel/groups", [update], query="verbose=1"))
    assert ([reject.reason for reject in found.rejects], found.events) == (["group_profile"], [])
    assert json.loads(found.answer.body) == {"status": 1, "error": None}


@pytest.mark.parametrize("packing", ["json", "form", "form of base64", "address"])
def test_a_payload_may_be_packed_in_four_ways(packing: str) -> None:
    sent = {"event": "a+b", "properties": {"token": "k", "distinct_id": "v1"}}
    posted = {
        "json": request("/mixpanel/track", sent),
        "form": request("/mixpanel/track", b"ip=0&data=" + json.dumps(sent).replace("+", "%2B").encode()),
        "form of base64": request("/mixpanel/track", b"data=" + packed(sent).replace("+", "%2B").encode()),
        "address": request("/mixpanel/track", query=f"data={packed(sent)}", method="GET"),
    }[packing]
    found = parsed(posted)
    assert ([event.event for event in found.events], found.key, found.answer.body) == (["a+b"], "k", b"1")


def test_an_import_counts_and_names_what_failed() -> None:
    good, bad = {"event": "a", "properties": {"distinct_id": "v1"}}, {"event": "b", "properties": {"$insert_id": "e2"}}
    found = parsed(request("/mixpanel/import", [good, bad], query="strict=1", authorization="Basic azo="))
    answer = json.loads(found.answer.body)
    assert (found.answer.status, answer["code"], answer["num_records_imported"], found.key) == (400, 400, 1, "k")
    assert [(each["index"], each["insert_id"]) for each in answer["failed_records"]] == [(1, "e2")]
    (reject,) = found.rejects
    assert (reject.reason, json.loads(reject.payload)) == ("missing_visitor", [bad])
    answer = json.loads(parsed(request("/mixpanel/import", [good])).answer.body)
    assert answer == {"code": 200, "num_records_imported": 1, "status": "OK"}


def test_an_import_may_be_one_event_a_line() -> None:
    line = json.dumps({"event": "a", "properties": {"distinct_id": "v1"}}).encode()
    posted = request("/mixpanel/import", line + b"\n" + line, content_type="application/x-ndjson")
    assert len(parsed(posted).events) == 2


def test_a_client_is_told_0_only_where_nothing_was_taken() -> None:
    good, bad = {"event": "a", "properties": {"distinct_id": "v1"}}, {"event": "b", "properties": {}}
    assert parsed(request("/mixpanel/track", [good, bad])).answer.body == b"1"
    assert parsed(request("/mixpanel/track", [bad])).answer.body == b"0"


def test_the_agent_of_a_library_is_not_the_visitors() -> None:
    sent = {"event": "a", "properties": {"distinct_id": "v1"}}
    (event,) = parsed(request("/mixpanel/track", sent, user_agent="python-requests/2.34")).events
    assert event.user_agent is None


def test_an_address_in_the_properties_is_truncated() -> None:
    event = only("a", ip="198.51.100.7")
    assert (event.ip, event.properties) == ("198.51.0.0", None)


def test_a_form_without_data_is_refused() -> None:
    with pytest.raises(Refused, match="neither"):
        parsed(request("/mixpanel/track", query="verbose=1", method="GET"))


@given(json_of("event", "properties", "distinct_id", "$distinct_ids", "time", "products", "price", "$set", "alias"))
def test_no_json_breaks_it(body: Any) -> None:
    for path in ("/mixpanel/track", "/mixpanel/engage"):
        survives(request(path, body))

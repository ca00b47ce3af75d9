"""PostHog's requests by hand: what each becomes, and what PostHog's clients are told."""

import base64
import gzip
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from collector.request.model import Refused
from nextclick.contracts.events import Event
from tests.tracker_requests import NOW, chosen, json_of, packed, parsed, request, survives

SENT, STAMPED = "2026-01-01T00:05:00Z", "2026-01-01T00:04:58Z"
STAMPED_MS = NOW + 298_000
UUID7 = "019b76da-a800-7000-8000-000000000000"  # its first 48 bits are NOW in milliseconds


def event_of(name: str, top: dict[str, Any] | None = None, /, **inside: Any) -> Event:
    record = {"event": name, "distinct_id": "v1", "uuid": "e1", "timestamp": STAMPED, "properties": inside}
    found = parsed(request("/posthog/batch", {"api_key": "k", "sent_at": SENT, "batch": [record | (top or {})]}))
    assert not found.rejects, found.rejects
    (event,) = found.events
    return event


def test_an_event_keeps_its_name_id_properties_and_corrected_time() -> None:
    event = event_of("Song Liked", stars=5, **{"$current_url": "https://a.example/", "$session_id": "s1"})
    assert (event.event, event.event_id, event.visitor_id, event.session_hint) == ("Song Liked", "e1", "v1", "s1")
    assert (event.page_url, event.properties) == ("https://a.example/", {"stars": "5"})
    assert (event.client_time, event.occurred_at) == (STAMPED_MS, NOW - 2000)


def test_a_client_that_wants_no_correction_gets_none() -> None:
    assert event_of("a", **{"$ignore_sent_at": True}).occurred_at is None


def test_an_event_with_an_offset_has_its_client_time_in_its_uuid() -> None:
    sent = {"event": "a", "uuid": UUID7, "offset": 1500, "properties": {"token": "k", "distinct_id": "v1"}}
    (event,) = parsed(request("/posthog/e", [sent], query=f"_={NOW + 9000}")).events
    assert (event.event_id, event.client_time, event.occurred_at) == (UUID7, NOW, NOW - 1500)


@pytest.mark.parametrize(
    ("inside", "visitor", "user"),
    [
        ({}, "v1", None),
        ({"$device_id": "v1", "$is_identified": False}, "v1", None),
        ({"$device_id": "d1", "$is_identified": True}, "d1", "v1"),
        ({"$device_id": "d1"}, "d1", "v1"),
    ],
)
def test_a_distinct_id_is_a_users_where_the_sdk_says_so(inside: Any, visitor: str, user: str | None) -> None:
    event = event_of("a", **inside)
    assert (event.visitor_id, event.user_id) == (visitor, user)


def test_after_a_reset_the_visitor_is_a_new_one_on_an_old_device() -> None:
    event = event_of("a", **{"$device_id": "d1", "$is_identified": False})
    assert (event.visitor_id, event.user_id, (event.properties or {})["$device_id"]) == ("v1", None, "d1")


def test_identify_links_the_anonymous_id_to_the_user() -> None:
    event = event_of("$identify", {"$set": {"plan": "pro"}}, **{"$anon_distinct_id": "d1"})
    assert (event.event, event.visitor_id, event.user_id) == ("identify", "d1", "v1")
    assert (event.properties or {})["$set"] == '{"plan":"pro"}'


@pytest.mark.parametrize("name", ["$create_alias", "$merge_dangerously"])
def test_an_alias_is_merged_into_the_events_own_id(name: str) -> None:
    event = event_of(name, distinct_id="v1", alias="other")
    assert (event.event, event.user_id, event.properties) == ("alias", "v1", {"previous_id": "other"})


def test_a_page_leave_says_how_long_and_how_far() -> None:
    inside = {"$prev_pageview_duration": 2.5, "$prev_pageview_max_content_percentage": 0.75}
    event = event_of("$pageleave", **inside)
    assert (event.event, event.dwell_ms, event.scroll_pct) == ("engagement", 2500, 75.0)


@pytest.mark.parametrize(
    ("name", "inside", "kind"),
    [
        ("$pageview", {}, "page_view"),
        ("$screen", {}, "page_view"),
        ("$autocapture", {"$event_type": "click"}, "click"),
        ("$autocapture", {"$event_type": "change"}, "$autocapture"),
        ("$set", {}, "identify"),
        ("$groupidentify", {}, "identify"),
        ("Product Viewed", {"product_id": "i1"}, "view_item"),
    ],
)
def test_names_become_kinds(name: str, inside: dict[str, str], kind: str) -> None:
    assert event_of(name, **inside).event == kind


def test_an_order_becomes_one_purchase_an_item() -> None:
    items = [{"product_id": "i1", "price": 1}, {"product_id": "i2", "price": 2}]
    record = {"event": "Order Completed", "distinct_id": "v1", "uuid": "e1", "properties": {"products": items}}
    found = parsed(request("/posthog/e", record)).events
    assert [(event.event_id, event.item_id, event.price) for event in found] == [
        ("e1#0", "i1", "1"),
        ("e1#1", "i2", "2"),
    ]


ONE = {"event": "a+b", "properties": {"token": "k", "distinct_id": "v1", "$lib": "web"}}


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (json.dumps(ONE).encode(), ""),
        (json.dumps([ONE]).encode(), "beacon=0"),
        (b"data=" + packed(ONE).replace("+", "%2B").encode(), "compression=base64"),
        (b"data=" + packed(ONE).replace("+", "%2B").replace("=", "%3D").encode(), "compression=base64"),
        (
            b"data=" + base64.b64encode(gzip.compress(json.dumps(ONE).encode(), mtime=0)).replace(b"+", b"%2B"),
            "compression=gzip-js",
        ),
        (packed(ONE).encode(), "compression=base64"),
    ],
)
@pytest.mark.parametrize("path", ["/e", "/i/v0/e/", "/capture/", "/track/"])
def test_a_payload_may_be_packed_in_many_ways(path: str, body: bytes, query: str) -> None:
    sent = request(path, body, query, content_type="text/plain")
    found = parsed(sent)
    assert (chosen(sent), [event.event for event in found.events], found.key) == ("posthog", ["a+b"], "k")


def test_a_get_carries_its_event_in_the_address() -> None:
    assert parsed(request("/e/", query=f"data={packed(ONE)}&ip=1", method="GET")).events[0].event == "a+b"


def test_a_packed_form_that_unpacks_to_too_much_is_refused() -> None:
    bomb = base64.b64encode(gzip.compress(b" " * (9 << 20))).replace(b"+", b"%2B")
    with pytest.raises(Refused) as refused:
        parsed(request("/e", b"data=" + bomb))
    assert refused.value.status == 413


def test_beacons_are_answered_with_204_and_others_with_a_status() -> None:
    assert parsed(request("/e", ONE, "beacon=1")).answer.status == 204
    assert parsed(request("/e", ONE)).answer.body == b'{"status":1}'


def test_one_bad_event_goes_alone_to_quarantine_as_a_batch_of_its_own() -> None:
    bad = {"event": "b", "properties": {}}
    found = parsed(request("/posthog/batch", {"api_key": "k", "sent_at": SENT, "batch": [ONE, bad]}))
    assert (len(found.events), found.answer.status) == (1, 200)
    (reject,) = found.rejects
    again = json.loads(reject.payload)
    assert (reject.reason, again["api_key"], again["batch"]) == ("missing_visitor", "k", [bad])
    assert parsed(request("/posthog/batch", again)).rejects[0].reason == "missing_visitor"


def test_the_newer_path_answers_for_each_event() -> None:
    batch = [{"event": "a", "uuid": "e1", "distinct_id": "v1", "options": {}, "session_id": "s1"}, {"uuid": "e2"}]
    found = parsed(request("/i/v1/analytics/events", {"batch": batch}, authorization="Bearer k"))
    results = json.loads(found.answer.body)["results"]
    assert (results["e1"], results["e2"]["result"], found.key) == ({"result": "ok"}, "drop", "k")
    assert found.events[0].session_hint == "s1"


def test_flags_are_answered_and_are_no_events() -> None:
    found = parsed(request("/flags/", {"token": "k", "distinct_id": "v1"}, "v=2"))
    assert (json.loads(found.answer.body)["flags"], found.events) == ({}, [])


@pytest.mark.parametrize(
    ("path", "body", "dialect"),
    [
        ("/track", {"event": "a", "properties": {"token": "k", "distinct_id": "v1", "mp_lib": "web"}}, "mixpanel"),
        ("/track", {"event": "a", "api_key": "k", "distinct_id": "v1"}, "posthog"),
        ("/batch", {"api_key": "k", "batch": [{"event": "a"}]}, "posthog"),
        ("/batch", {"api_key": "k", "events": [{"event_type": "a"}]}, "amplitude"),
        ("/engage", [{"$token": "k", "$distinct_id": "v1", "$set": {}}], "mixpanel"),
        ("/engage", {"api_key": "k", "event": "$identify", "distinct_id": "v1"}, "posthog"),
        ("/posthog/track", {"event": "a", "properties": {"mp_lib": "web"}}, "posthog"),
        ("/track", ["nothing"], "mixpanel"),
    ],
)
def test_paths_that_collide_are_told_apart_by_the_body(path: str, body: Any, dialect: str) -> None:
    assert chosen(request(path, body)) == dialect


@given(json_of("event", "batch", "properties", "distinct_id", "uuid", "timestamp", "offset", "$device_id", "options"))
def test_no_json_breaks_it(body: Any) -> None:
    for path in ("/e", "/batch", "/i/v1/analytics/events"):
        survives(request(path, body))


def test_in_cookieless_mode_visitors_are_told_apart_as_those_without_an_id_are() -> None:
    sent = {"api_key": "k", "event": "$pageview", "distinct_id": "$posthog_cookieless", "timestamp": STAMPED,
            "properties": {"$cookieless_mode": True, "$device_id": None, "$is_identified": False}}  # fmt: skip
    one, same, other, elsewhere = (
        parsed(msgspec.structs.replace(request("/posthog/e", sent | {"api_key": key}), anonymous_id=who)).events[0]
        for who, key in (("ann", "k"), ("ann", "k"), ("bob", "k"), ("ann", "another"))
    )
    assert one.visitor_id == same.visitor_id
    assert len({one.visitor_id, other.visitor_id, elsewhere.visitor_id, "$posthog_cookieless"}) == 4
    assert one.user_id is None
    nobody = msgspec.structs.replace(request("/posthog/e", sent), anonymous_id=None)
    assert [reject.reason for reject in parsed(nobody).rejects] == ["missing_visitor"]

"""What the demo's trackers send arrives as what its visitors did, whatever the dialect."""

import base64
from typing import Any

import msgspec
import pytest

from demo.traffic.trackers import PLAIN, TRACKERS, Parcel, encode, pack, request, tracker_of, write
from tests.demo_lines import as_collected

AT = 1_780_272_000_000
WHO = {"client_time": "2026-06-01T00:00:00.000Z", "visitor_id": "v1", "device": "mobile", "country": "DE"}
PAGE = {"page_url": "https://shop.example/", "referrer": "https://chatter.example/"}
GOODS = {"item_id": "i1", "price": 9.5, "currency": "EUR", "quantity": 2}
SEEN = (
    {"event": "page_view", **PAGE},
    {"event": "view_item", "item_id": "i1", "category": "mugs", "page_url": "https://shop.example/i/i1"},
    {"event": "search", "query": "wild mugs", "page_url": "https://shop.example/search"},
    {"event": "click", "item_id": "i1", "position": 3},
    {"event": "scroll", "page_url": "https://shop.example/i/i1"},
    {"event": "engagement", "item_id": "i1"},
    {"event": "add_to_cart", **GOODS},
    {"event": "remove_from_cart", "item_id": "i1"},
    {"event": "purchase", "order_id": "o1", **GOODS},
    {"event": "identify", "user_id": "u1"},
    {"event": "alias", "user_id": "u1", "properties": {"previous_id": "g1"}},
)
MORE: dict[str, dict[str, Any]] = {
    "click": {"surface": "front_page"},
    "scroll": {"scroll_pct": 60.0},
    "engagement": {"dwell_ms": 5000},
}
"""What a kind also has, and dialects keep elsewhere."""


def done(number: int = 0, /, **fields: Any) -> dict[str, Any]:
    return {"event_id": f"e{number}", **WHO, **fields}


def collected(tracker: str, *events: dict[str, Any]) -> list[dict[str, Any]]:
    return as_collected([write(Parcel(tracker, AT, list(events)))])


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("fields", SEEN, ids=lambda fields: fields["event"])
def test_what_a_visitor_did_arrives_by_every_tracker(tracker: str, fields: dict[str, Any]) -> None:
    (event,) = collected(tracker, done(**fields, **MORE.get(fields["event"], {})))
    assert event["event_id"].removesuffix("#0") == "e0"
    assert (event["client_time"], event.get("occurred_at", AT)) == (AT, AT)
    assert event["visitor_id"] == "v1"
    expected = {name: value for name, value in fields.items() if name not in ("properties", "price")}
    assert {name: event.get(name) for name in expected} == expected
    assert float(event.get("price", 0)) == fields.get("price", 0)
    for name, value in fields.get("properties", {}).items():
        assert event["properties"][name] == value


@pytest.mark.parametrize("tracker", ["segment", "snowplow"])
def test_an_order_is_one_record_and_one_event_an_item(tracker: str) -> None:
    bought = [done(n, event="purchase", order_id="o1", **(GOODS | {"item_id": f"i{n}"})) for n in (1, 2)]
    first, second = collected(tracker, *bought)
    assert (first["event_id"], second["event_id"]) == ("e1#0", "e1#1")
    assert (first["item_id"], second["item_id"]) == ("i1", "i2")
    assert {event["order_id"] for event in (first, second)} == {"o1"}
    assert {(event["price"], event["quantity"], event["currency"]) for event in (first, second)} == {("9.5", 2, "EUR")}


def test_only_the_purchases_of_an_order_travel_together() -> None:
    bought = [done(n, event="purchase", order_id=order) for n, order in enumerate(("o1", "o1", "o2"))]
    viewed = done(3, event="view_item")
    segment = next(number for number in range(9) if tracker_of(number) == "segment")
    packed = pack([*bought, viewed], [segment] * 4, [AT] * 4)
    assert [len(parcel.events) for parcel in packed] == [2, 1, 1]
    plain = next(number for number in range(9) if tracker_of(number) == PLAIN)
    assert [len(parcel.events) for parcel in pack(bought, [plain] * 3, [AT] * 3)] == [1, 1, 1]


def test_a_quarter_of_the_visitors_has_segments_tracker_and_a_quarter_snowplows() -> None:
    trackers = [tracker_of(number) for number in range(100)]
    assert [trackers.count(name) for name in ("plain", "segment", "snowplow")] == [50, 25, 25]


def test_a_campaign_arrives_as_each_tracker_tells_it() -> None:
    tags = {"utm_source": "newsletter", "utm_medium": "email", "utm_campaign": "june"}
    arrived = done(event="page_view", page_url="https://shop.example/", **tags)
    (segment,), (snowplow,) = collected("segment", arrived), collected("snowplow", arrived)
    assert {name: segment[name] for name in tags} == tags
    assert (
        snowplow["page_url"] == "https://shop.example/?utm_source=newsletter&utm_medium=email&utm_campaign=june"
    )  # which silver reads


def test_the_device_is_told_by_the_browsers_name() -> None:
    for tracker in ("segment", "snowplow"):
        (event,) = collected(tracker, done(event="page_view", **PAGE))
        assert "iPhone" in event["user_agent"]


def test_snowplow_sends_text_alone_with_what_describes_it_in_base64() -> None:
    sent = msgspec.json.decode(write(Parcel("snowplow", AT, [done(event="search", query="wild mugs", **PAGE)])).record)
    assert all(isinstance(value, str) for value in sent.values())
    described = msgspec.json.decode(base64.urlsafe_b64decode(sent["ue_px"] + "=="))
    assert described["data"]["data"] == {"terms": ["wild", "mugs"]}


@pytest.mark.parametrize(("tracker", "listed"), [("segment", "batch"), ("snowplow", "data")])
def test_records_of_one_tracker_are_one_request(tracker: str, listed: str) -> None:
    records = [write(Parcel(tracker, AT, [done(number, event="page_view", **PAGE)])).record for number in range(3)]
    assert msgspec.json.decode(request(tracker, records)[2])[listed] == list(map(msgspec.json.decode, records))


def test_a_broken_line_of_the_plain_form_is_left_as_it_is() -> None:
    whole = encode(done(event="page_view", **PAGE))
    assert request(PLAIN, [whole[:20], whole])[2] == whole[:20] + b"\n" + whole + b"\n"

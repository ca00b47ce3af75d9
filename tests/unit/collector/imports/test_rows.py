"""One row of history becomes one event, or says why it cannot."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.imports.mapping import load
from collector.imports.rows import RowMapper
from collector.request.errors import Unmappable
from nextclick.contracts.events import Event
from nextclick.settings import DEFAULT_CONF
from tests.tracker_requests import NOBODY

GLOBO = {
    "user_id": "0", "session_id": "1506825423271737", "session_start": "1506825423000", "session_size": "2",
    "click_article_id": "157541", "click_timestamp": "1506826828020", "click_environment": "4", "click_deviceGroup": "3",
    "click_os": "20", "click_country": "1", "click_region": "20", "click_referrer_type": "2",
}  # fmt: skip
PLAIN = {
    "user_id": "u1", "session_id": "s1", "event": "view_product", "product_id": "p1",
    "timestamp": "2026-01-02T03:04:05Z", "metadata.category": "shoes", "metadata.color": "red",
}  # fmt: skip
FILE_TIME = 1_700_000_000_000


def mapper(name: str, kind: str = "events", site: str = "shop") -> RowMapper:
    return RowMapper(
        load(name, DEFAULT_CONF / "mappings"), kind, site, max_bytes=2_000, file_time=FILE_TIME, nobody=NOBODY
    )


def mapped(name: str, row: dict[str, Any], kind: str = "events") -> Event:
    return msgspec.json.decode(mapper(name, kind)(row), type=Event)


def test_a_globo_click_is_an_item_view() -> None:
    event = mapped("globo", GLOBO)
    assert event == Event(
        event="view_item",
        event_id=event.event_id,
        client_time=1506826828020,
        site="shop",
        visitor_id="0",
        session_hint="1506825423271737",
        item_id="157541",
        country="1",
        device="3",
        properties={"click_environment": "4", "click_os": "20", "click_region": "20", "click_referrer_type": "2"},
    )


def test_the_plain_event_is_taken_as_it_stands() -> None:
    event = mapped("plain", PLAIN)
    assert event == Event(
        event="view_item",
        event_id=event.event_id,
        client_time=1767323045000,
        site="shop",
        user_id="u1",
        session_hint="s1",
        item_id="p1",
        category="shoes",
        properties={"color": "red"},
    )


def test_canonical_fields_of_the_plain_event_are_typed_and_the_rest_is_kept() -> None:
    row = {"event": "purchase", "visitor_id": 7, "client_time": 1767323045, "event_id": "e1", "site": "other", "price": 12.5,
           "quantity": "2", "scroll_pct": 50, "ip": "203.0.113.9", "properties.gift": True, "tags": ["a"], "note": ""}  # fmt: skip
    assert mapped("plain", row) == Event(
        event="purchase",
        event_id="e1",
        client_time=1767323045000,
        site="other",
        visitor_id="7",
        price="12.5",
        quantity=2,
        scroll_pct=50.0,
        ip="203.0.0.0",
        properties={"gift": "true", "tags": '["a"]'},
    )


def test_a_retailrocket_transaction_is_a_purchase() -> None:
    row = {
        "timestamp": "1433221332117",
        "visitorid": "257597",
        "event": "transaction",
        "itemid": "355908",
        "transactionid": "9",
    }
    event = mapped("retailrocket", row)
    assert (event.event, event.visitor_id, event.item_id, event.order_id) == ("purchase", "257597", "355908", "9")


def test_a_retailrocket_property_row_updates_one_attribute_of_an_item() -> None:
    row = {"timestamp": "1435460400000", "itemid": "460429", "property": "categoryid", "value": "1338"}
    category = mapped("retailrocket", row, "items")
    available = mapped("retailrocket", {**row, "property": "available", "value": "0"}, "items")
    assert (category.event, category.item_id, category.category, category.properties) == (
        "item_update",
        "460429",
        "1338",
        None,
    )
    assert (available.category, available.properties) == (None, {"available": "0"})
    assert category.event_id != available.event_id


def test_a_catalogue_without_times_has_the_time_of_its_file() -> None:
    event = mapped("movielens", {"movieId": "1", "title": "Toy Story (1995)", "genres": "Adventure|Comedy"}, "items")
    assert (event.client_time, event.name, event.category, event.visitor_id) == (
        FILE_TIME, "Toy Story (1995)", "Adventure|Comedy", None,
    )  # fmt: skip


def test_the_same_identity_gives_the_same_id_and_another_one_another() -> None:
    again = mapped("globo", {**GLOBO, "click_os": "2"})
    other = mapped("globo", {**GLOBO, "click_article_id": "2"})
    assert mapped("globo", GLOBO).event_id == again.event_id != other.event_id


def test_without_an_identity_the_id_comes_from_the_payload_but_not_from_the_time_of_sending() -> None:
    resent = mapped("plain", {**PLAIN, "sent_at": "2026-01-02T04:00:00Z"})
    assert (
        mapped("plain", PLAIN).event_id
        == resent.event_id
        != mapped("plain", {**PLAIN, "metadata.color": "blue"}).event_id
    )


@pytest.mark.parametrize(
    ("name", "change", "reason", "said"),
    [
        ("globo", {"click_timestamp": "soon"}, "bad_time", "column click_timestamp is 'soon'"),
        ("globo", {"click_timestamp": "9" * 30}, "bad_time", "column click_timestamp is '9999"),
        ("globo", {"click_article_id": ""}, "missing_identity", "column click_article_id is empty"),
        ("plain", {"timestamp": "20260102"}, "bad_time", "is '20260102': eight digits are a date, or seconds of 1970"),
        ("plain", {"timestamp": None}, "missing_time", "column timestamp or client_time is empty"),
        ("plain", {"user_id": None}, "missing_visitor", "neither visitor_id nor user_id"),
        ("plain", {"user_id": "NULL"}, "missing_visitor", "neither visitor_id nor user_id"),
        ("plain", {"event": ""}, "missing_event", "column event is empty"),
        ("plain", {"quantity": "two"}, "bad_type", "column quantity is 'two', which quantity cannot be"),
        ("plain", {"quantity": 10**40}, "bad_type", "column quantity"),
        ("plain", {"scroll_pct": float("nan")}, "bad_type", "column scroll_pct is nan"),
        ("plain", {"ip": "home"}, "bad_type", "column ip is 'home'"),
        ("plain", {"user_id": "caf\udce9"}, "undecodable", "encoding"),
        ("plain", {"note": "x" * 2_000}, "too_large", "landing.max_event_bytes = 2,000"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_event_says_why(name: str, change: dict[str, Any], reason: str, said: str) -> None:
    row = {**(GLOBO if name == "globo" else PLAIN), **change}
    with pytest.raises(Unmappable, match=said) as caught:
        mapper(name)(row)
    assert caught.value.reason == reason


def test_a_translated_value_and_a_constant(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(
        '[events]\nevent = { column = "what", values = { v = "view_item" } }\ntime = { column = "at", unit = "s" }\n'
        'fields = { visitor_id = "who", device = { column = "d", values = { 1 = "mobile" } }, country = { value = "BR" } }\n'
    )
    to_payload = RowMapper(load(str(path), tmp_path), "events", "shop", 2_000, FILE_TIME, NOBODY)
    event = msgspec.json.decode(to_payload({"what": "v", "at": "1", "who": "a", "d": "1"}), type=Event)
    other = msgspec.json.decode(to_payload({"what": "dance", "at": "1", "who": "a", "d": "7"}), type=Event)
    assert (event.event, event.device, event.country) == ("view_item", "mobile", "BR")
    assert (other.event, other.device) == ("dance", "7")

"""One row of history becomes one event, or says why it cannot."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.imports.mapping import EVENT_FIELDS, load
from collector.imports.rows import RowMapper
from collector.request.errors import Unmappable
from nextclick.contracts.events import Consent, Event
from nextclick.profile import live_arrivals
from nextclick.settings import DEFAULT_CONF
from nextclick.settings import load as load_settings

GLOBO = {
    "user_id": "0", "session_id": "1506825423271737", "session_start": "1506825423000", "session_size": "2",
    "click_article_id": "157541", "click_timestamp": "1506826828020", "click_environment": "4", "click_deviceGroup": "3",
    "click_os": "20", "click_country": "1", "click_region": "20", "click_referrer_type": "2",
}  # fmt: skip
PLAIN = {
    "user_id": "u1", "session_id": "s1", "event": "view_product", "product_id": "p1",
    "timestamp": "2026-01-02T03:04:05Z", "metadata.category": "shoes", "metadata.color": "red",
}  # fmt: skip
ROWS: dict[str, dict[str, Any]] = {
    "globo": GLOBO, "plain": PLAIN, "movielens": {"userId": 1, "movieId": 2, "rating": 4.5},
}  # fmt: skip
FILE_TIME = 1_700_000_000_000
SETTINGS = load_settings(environ={})


def mapper(name: str, kind: str = "events", site: str = "shop", max_bytes: int = 2_000) -> RowMapper:
    settings = load_settings(environ={"NEXTCLICK_LANDING__MAX_EVENT_BYTES": str(max_bytes)})
    return RowMapper(settings, load(name, DEFAULT_CONF / "mappings"), kind, site, FILE_TIME)


def mapped(name: str, row: dict[str, Any], kind: str = "events", max_bytes: int = 2_000) -> Event:
    return msgspec.json.decode(mapper(name, kind, max_bytes=max_bytes)(row), type=Event)


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
        ("plain", {"user_id": None}, "missing_visitor", "neither a visitor's nor a user's id"),
        ("plain", {"user_id": "NULL"}, "missing_visitor", "neither a visitor's nor a user's id"),
        ("plain", {"event": ["view_item"]}, "bad_type", "which is no name"),
        ("plain", {"event": ""}, "missing_event", "column event is empty"),
        ("movielens", {"timestamp": "20260102"}, "bad_time", "'20260102': eight digits are a date"),
        ("movielens", {"timestamp": "46353"}, "bad_time", "'46353': a day as Excel counts them"),
        ("movielens", {"timestamp": "1"}, "impossible_time", "the event is of 1970-01-01"),
        ("plain", {"timestamp": "46353.4"}, "bad_time", "'46353.4': a day as Excel counts them, or seconds of 1970: write 2026-"),
        ("plain", {"timestamp": "12000000"}, "impossible_time", "the event is of 1970-05-19, beyond events.oldest"),
        ("plain", {"timestamp": "2126-01-02"}, "future_time", "of 2126-01-02, beyond events.future_limit_minutes"),
        ("plain", {"timestamp": "1e9999999"}, "bad_time", "column timestamp is '1e9999999'"),
        ("plain", {"event": "purchase", "price": "-2"}, "out_of_range", "the purchase has the price -2"),
        ("plain", {"event": "item_update", "product_id": None}, "missing_item", "item_id has no value"),
        ("plain", {"event": "alias", "metadata.previous_id": "x" * 300}, "missing_visitor", "two ids"),
        ("plain", {"user_id": "caf\udce9"}, "undecodable", "encoding"),
        ("plain", {"note": "x" * 2_000}, "too_large", "landing.max_event_bytes = 2,000"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_event_says_why(name: str, change: dict[str, Any], reason: str, said: str) -> None:
    row = {**ROWS[name], **change}
    with pytest.raises(Unmappable, match=said) as caught:
        mapper(name)(row)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("metadata.price", "12,50", "price"), ("metadata.price", "free", "price"), ("quantity", "two", "quantity"),
        ("quantity", 10**40, "quantity"), ("quantity", -1, "quantity"), ("scroll_pct", "half", "scroll_pct"),
        ("scroll_pct", 101, "scroll_pct"), ("position", "top", "position"), ("dwell_ms", "1e999999", "dwell_ms"),
        ("product_id", "lamp\n1", "item_id"), ("product_id", True, "item_id"), ("product_id", "x" * 257, "item_id"),
        ("currency", "beads", "currency"), ("occurred_at", "soon", "occurred_at"), ("sent_at", "1e40", "sent_at"),
        ("consent", "maybe", "consent"), ("timezone", "+02:00", "timezone"), ("event_id", "e" * 257, "event_id"),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_read_costs_itself_and_is_kept(column: str, value: Any, field: str) -> None:
    event = mapped("plain", {**PLAIN, column: value})
    assert (event.event, event.user_id, event.unread_fields) == ("view_item", "u1", [field])
    assert event.properties == {"color": "red", field: "true" if value is True else str(value)}


@pytest.mark.parametrize(
    ("column", "value", "field", "right"),
    [
        ("metadata.price", "1,299.00", "price", "1299.00"), ("metadata.price", Decimal("19.9000"), "price", "19.9000"),
        ("quantity", 1.0, "quantity", 1), ("quantity", "2.0", "quantity", 2), ("dwell_ms", timedelta(seconds=2), "dwell_ms", 2000),
        ("product_id", 42.0, "item_id", "42"), ("product_id", "42.0", "item_id", "42.0"), ("product_id", 0, "item_id", "0"),
        ("product_id", Decimal("42.00"), "item_id", "42"), ("product_id", 2**53 + 1, "item_id", str(2**53 + 1)),
        ("product_id", b"lamp", "item_id", "lamp"), ("user_id", 7.0, "user_id", "7"), ("user_id", " u1 ", "user_id", "u1"),
        ("metadata.category", 1338.0, "category", "1338"), ("metadata.category", 2.5, "category", "2.5"),
        ("properties.previous_id", 7.0, "properties", {"previous_id": "7", "color": "red"}),
        ("properties.rating", 4.0, "properties", {"rating": "4.0", "color": "red"}),
        ("product_id", Decimal(2**70), "item_id", str(2**70)),
        ("properties.seen", [datetime(2026, 1, 2)], "properties", {"seen": '["2026-01-02T00:00:00"]', "color": "red"}),
        ("currency", "eur", "currency", "EUR"), ("ip", "203.0.113.9:51001", "ip", "203.0.0.0"), ("ip", "home", "ip", None),
        ("metadata.name", "x" * 5_000, "name", "x" * 4_095 + "…"), ("timestamp", 1767323045000000000, "client_time", 1767323045000),
        ("consent", '{"ad_storage": "denied"}', "consent", Consent(advertising=False)),
        ("page_url", "https://ann:pw@shop.example/?token=1&q=lamp", "page_url", "https://shop.example/?q=lamp"),
    ],
)  # fmt: skip
def test_a_value_is_read_as_at_the_door(column: str, value: Any, field: str, right: Any) -> None:
    event = mapped("plain", {**PLAIN, column: value}, max_bytes=20_000)
    assert (getattr(event, field), event.unread_fields) == (right, None)


@pytest.mark.parametrize("mark", ["\\N", "NULL", "None", "nan", "NaN", float("nan"), "<NA>", ""])
def test_a_null_mark_is_no_value(mark: Any) -> None:
    event = mapped(
        "plain",
        {
            **PLAIN,
            "visitor_id": "v1",
            "user_id": mark,
            "product_id": mark,
            "metadata.price": mark,
            "metadata.color": mark,
        },
    )
    assert (event.visitor_id, event.user_id, event.item_id, event.price, event.properties) == (
        "v1",
        None,
        None,
        None,
        None,
    )


def test_a_mapping_says_its_null_marks_and_how_its_numbers_are_written(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(
        'decimal = ","\nthousands = "."\nnull_marks = ["?"]\n[events]\nevent = { value = "purchase" }\ntime = { column = "at" }\n'
        'fields = { visitor_id = "who", item_id = "sku", price = "price", quantity = "qty", scroll_pct = "read" }\n'
    )
    to_payload = RowMapper(SETTINGS, load(str(path), tmp_path), "events", "shop", FILE_TIME)
    row = {"at": "2026-01-02", "who": "a", "sku": "NaT", "price": "1.299,00 €", "qty": "1.000", "read": "?"}
    event = msgspec.json.decode(to_payload(row), type=Event)
    assert (event.item_id, event.price, event.currency, event.quantity) == ("NaT", "1299.00", "EUR", 1000)
    assert (event.scroll_pct, event.unread_fields) == (None, None)
    other = msgspec.json.decode(to_payload({**row, "price": "12,50", "qty": 1.0, "read": "33,5"}), type=Event)
    assert (other.price, other.quantity, other.scroll_pct) == ("12.50", 1, 33.5)


def test_what_the_visitor_allowed_is_an_object_of_columns_too() -> None:
    event = mapped("plain", {**PLAIN, "consent.analytics": True, "consent.ad_storage": "denied"})
    assert event.consent == Consent(analytics=True, advertising=False)


WRONG: tuple[Any, ...] = (
    True, -1, 2.5, 42.0, 1e300, 10**30, "x" * 300, "y" * 9_000, "a\0b", "\ufffd", "NaN", "1,299.00", " a ", [[1]], [], b"\xe9",
    "1e9999999", float("inf"), Decimal("1e-30"), date(9999, 12, 31), datetime(1, 1, 1), timedelta(days=1e8),
)  # fmt: skip


def test_whatever_a_column_holds_what_is_accepted_holds_every_limit_of_silver() -> None:
    silver = live_arrivals._decoder(SETTINGS.events)
    to_payload = mapper("plain", max_bytes=65_536)
    for kind in ("view_product", "purchase", "refund", "item_update", "alias"):
        for column in (*EVENT_FIELDS, "timestamp", "product_id", "previous_id", "available", "x" * 300):
            for wrong in WRONG:
                try:
                    payload = to_payload({**PLAIN, "event": kind, column: wrong})
                except Unmappable:
                    continue
                assert silver.decode(payload).event_id
                assert rb"\u0000" not in payload


def test_the_short_way_of_plain_rows_gives_what_the_readers_give(monkeypatch: pytest.MonkeyPatch) -> None:
    short, long = mapper("plain", max_bytes=65_536), mapper("plain", max_bytes=65_536)
    monkeypatch.setattr(long, "_as_it_stands", lambda *_: None)

    def outcome(to_payload: RowMapper, row: dict[str, Any]) -> Any:
        try:
            return msgspec.json.decode(to_payload(row))
        except Unmappable as fault:
            return fault.reason, str(fault)

    texts = (
        "a",
        "A b",
        " a",
        "a\n",
        "a\u2028",
        "a\u00a0b",
        "\u200b",
        "a\tb",
        "caf\udce9",
        "é",
        "0",
        "undefined",
        "anonymous",
        "12.50",
        "7",
        "007",
        "-7",
        "7.0",
        "٧",
        "2147483648",
        "99999999999999999",
        "EUR",
        "eur",
        "XXX",
        "$",
    )
    for kind in ("view_product", "purchase", "refund", "item_update", "x\ny"):
        for column in (*EVENT_FIELDS, "product_id", "previous_id", "available", "token", "a\nb", "x" * 300):
            for value in (*WRONG, *texts):
                row = {**PLAIN, "visitor_id": "v1", "event": kind, column: value}
                assert outcome(short, row) == outcome(long, row), row


def test_an_item_update_among_events_needs_no_visitor() -> None:
    event = mapped("plain", {"event": "item_update", "product_id": "p1", "timestamp": "2026-01-02", "available": "0"})
    assert (event.event, event.item_id, event.visitor_id, event.properties) == (
        "item_update",
        "p1",
        None,
        {"available": "0"},
    )


def test_an_identity_of_whole_numbers_is_the_same_where_they_came_as_floats() -> None:
    floats = {**GLOBO, "user_id": 0.0, "click_article_id": 157541.0, "click_timestamp": 1506826828020.0}
    assert mapped("globo", floats).event_id == mapped("globo", GLOBO).event_id


def test_a_translated_value_and_a_constant(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(
        '[events]\nevent = { column = "what", values = { v = "view_item" } }\ntime = { column = "at", unit = "s" }\n'
        'fields = { visitor_id = "who", device = { column = "d", values = { 1 = "mobile" } }, country = { value = "BR" } }\n'
    )
    to_payload = RowMapper(SETTINGS, load(str(path), tmp_path), "events", "shop", FILE_TIME)
    event = msgspec.json.decode(to_payload({"what": "v", "at": "1767323045", "who": "a", "d": "1"}), type=Event)
    other = msgspec.json.decode(to_payload({"what": "dance", "at": "1767323045", "who": "a", "d": "7"}), type=Event)
    coded = msgspec.json.decode(to_payload({"what": "v", "at": 1767323045, "who": "a", "d": 1.0}), type=Event)
    assert coded.device == "mobile"
    assert (event.event, event.device, event.country) == ("view_item", "mobile", "BR")
    assert (other.event, other.device) == ("dance", "7")

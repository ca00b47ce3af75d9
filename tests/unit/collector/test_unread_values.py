"""A value that a field cannot be read from costs that field, in every dialect: never the event, the order or the batch."""

import base64
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from collector.request.model import EventLimits, Refused
from nextclick.contracts.events import Consent, Event, encode
from nextclick.profile import live_arrivals
from nextclick.settings import load
from tests.tracker_requests import NOW, parsed, request

MINUTE = 60_000


def order(*items: dict[str, Any], **values: Any) -> tuple[str, Any]:
    return "/v1/track", {
        "type": "track", "userId": "u", "event": "Order Completed", "properties": {"order_id": "7", "products": list(items), **values},
    }  # fmt: skip


def view(**properties: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "u", "event": "Product Viewed", "properties": properties}


def only(path: str, body: Any, query: str = "", method: str = "POST", **headers: str) -> Event:
    read = parsed(request(path, body, query, method, **headers))
    assert not read.rejects
    [event] = read.events
    return event


SNOWPLOW = {"e": "ti", "duid": "v", "ti_id": "7", "ti_sk": "lamp"}
PRODUCT = {"item_id": "lamp"}
BAD_PRICE = [
    ("/v1/events", {"event": "view_item", "visitor_id": "v", "item_id": "lamp", "price": "dear"}),
    ("/v1/track", view(product_id="lamp", price="dear")),
    ("/mp/collect", {"client_id": "v", "events": [{"name": "view_item", "params": {"items": [PRODUCT | {"price": "dear"}]}}]}),
    ("/track", [{"event": "view_item", "properties": {"distinct_id": "v", "token": "t", "item_id": "lamp", "price": "dear"}}]),
    ("/2/httpapi", {"api_key": "k", "events": [{"event_type": "view_item", "device_id": "v", "productId": "lamp", "price": "dear"}]}),
    ("/batch/", {"api_key": "k", "batch": [{"event": "view_item", "distinct_id": "v", "properties": PRODUCT | {"price": "dear"}}]}),
    ("/api/event", {"n": "view_item", "u": "https://a.example/", "d": "a", "p": PRODUCT, "$": {"amount": "dear"}}),
    ("/com.snowplowanalytics.snowplow/tp2", {"schema": "s", "data": [SNOWPLOW | {"ti_pr": "dear"}]}),
    ("/matomo.php", b"idsite=1&_id=0123456789abcdef&url=https://a.example/&_pks=lamp&_pkp=dear"),
    ("/v1/items", {"item_id": "lamp", "price": "dear"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), BAD_PRICE)
def test_a_price_that_is_none_costs_the_price_alone(path: str, body: Any) -> None:
    read = parsed(request(path, body))
    assert not read.rejects
    event = read.events[-1]
    assert (event.item_id, event.price, event.unread_fields) == ("lamp", None, ["price"])
    assert (event.properties or {})["price"] == "dear"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/events", {"event": "x", "visitor_id": "v", "properties": [], "metadata": "", "consent": []}),
        ("/v1/track", {"type": "track", "anonymousId": "v", "event": "x", "properties": [], "context": []}),
        ("/v1/track", {"type": "track", "anonymousId": "v", "event": "x", "context": {"page": [], "campaign": ""}}),
        ("/mp/collect", {"client_id": "v", "user_location": [], "device": "", "events": [{"name": "x", "params": []}]}),
        ("/track", [{"event": "x", "properties": {"distinct_id": "v", "price": []}}]),
        ("/2/httpapi", {"api_key": "k", "events": [{"event_type": "x", "device_id": "v", "event_properties": [], "user_properties": []}]}),
        ("/batch/", {"api_key": "k", "batch": [{"event": "x", "distinct_id": "v", "properties": [], "options": []}]}),
        ("/api/event", {"n": "x", "u": "https://a.example/", "d": "a", "p": [], "$": []}),
    ],
)  # fmt: skip
def test_phps_empty_array_is_no_property(path: str, body: Any) -> None:
    event = only(path, body)
    assert (event.event, event.unread_fields) == ("x", None)
    assert set((event.properties or {}).values()) <= {"[]"}


def test_text_where_an_object_is_meant_is_kept() -> None:
    event = only(
        "/v1/track", {"type": "track", "userId": "u", "event": "x", "properties": "free", "context": {"page": "home"}}
    )
    assert event.properties == {"properties": "free", "context.page": '{"page":"home"}'}
    assert only("/v1/track", {"type": "track", "userId": "u", "event": "x", "properties": '{"a": 1}'}).properties == {
        "a": "1"
    }


def test_an_order_of_three_with_one_bad_price_stays_three() -> None:
    read = parsed(request(*order({"sku": "A", "price": 1}, {"sku": "B", "price": "n/a"}, {"sku": "C", "price": 2})))
    assert [(event.item_id, event.price, event.unread_fields) for event in read.events] == [
        ("A", "1", None), ("B", None, ["price"]), ("C", "2", None),
    ]  # fmt: skip


@pytest.mark.parametrize("products", [{"0": {"sku": "A"}, "2": {"sku": "B"}}, '[{"sku": "A"}, {"sku": "B"}]'])
def test_products_of_php_and_as_text_are_read(products: Any) -> None:
    path, body = order()
    body["properties"]["products"] = products
    assert [event.item_id for event in parsed(request(path, body)).events] == ["A", "B"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("quantity", "2 pcs"), ("quantity", "1,000"), ("quantity", 2.5), ("quantity", 3_000_000_000), ("quantity", -1), ("quantity", True),
     ("price", -5), ("price", False), ("price", 10**15), ("position", "top"), ("position", -1), ("dwell_ms", 10**13), ("scroll_pct", 101),
     ("propensity", "NaN"), ("currency", "$"), ("timezone", "home"), ("consent", "perhaps"), ("sent_at", "now"), ("occurred_at", "now")],
)  # fmt: skip
def test_a_number_beyond_its_column_and_a_word_that_is_none_go_to_the_properties(name: str, value: Any) -> None:
    event = only("/v1/events", {"event": "add_to_cart", "visitor_id": "v", "item_id": "lamp", name: value})
    assert (getattr(event, name), event.unread_fields) == (None, [name])
    assert event.properties == {name: json.dumps(value).strip('"')}


def test_a_purchase_of_less_than_nothing_is_left_to_silver_which_refuses_it() -> None:
    read = parsed(request(*order({"sku": "A", "price": -5, "quantity": 1}, {"sku": "B", "price": 5, "quantity": -1})))
    assert [(event.price, event.quantity) for event in read.events] == [("-5", 1), ("5", -1)]


def test_money_beside_its_currency_brings_it_where_the_event_names_none() -> None:
    prices = ("19.99 USD", "$19.99", "1.299,00 €")
    events = [only("/v1/track", view(sku="A", price=price)) for price in prices]
    assert [(event.price, event.currency) for event in events] == [
        ("19.99", "USD"),
        ("19.99", None),
        ("1299.00", "EUR"),
    ]
    assert only("/v1/track", view(sku="A", price="19.99 USD", currency="eur")).currency == "EUR"


def test_money_may_be_an_object_of_amount_and_currency() -> None:
    for price, read in (
        ({"amount": "12.50", "currencyCode": "EUR"}, ("12.50", "EUR", None)),
        ({"value": 12.5, "currency": "usd"}, ("12.5", "USD", None)),
        ({"amount": 3}, ("3", None, None)),
        ({"amount": "dear", "currency": "EUR"}, (None, None, ["price"])),
        ({"amount": 3, "currency": "$"}, (None, None, ["price"])),
        ({"low": 3}, (None, None, ["price"])),
    ):
        event = only("/v1/track", view(sku="A", price=price))
        assert (event.price, event.currency, event.unread_fields) == read


@pytest.mark.parametrize(
    ("written", "item"),
    [
        (42, "42"),
        (42.0, "42"),
        ("42.0", "42.0"),
        (0, "0"),
        (" lamp ", "lamp"),
        ("\ufefflamp\u200b", "lamp"),
        (12345678901234567890123, "12345678901234567890123"),
    ],
)
def test_an_id_is_what_was_meant(written: Any, item: str) -> None:
    assert only("/v1/track", view(product_id=written)).item_id == item


@pytest.mark.parametrize(
    "written", [True, {"id": "A"}, ["A"], "a\0b", "a\tb", "a\x7f", "a\u0085b", "x" * 257, "cut \ud83d", 1e300]
)
def test_an_id_is_never_cut_or_repaired(written: Any) -> None:
    item = only("/v1/track", view(product_id=written))
    assert (item.item_id, item.unread_fields) == (None, ["item_id"])
    user = only("/v1/track", {"type": "track", "anonymousId": "v", "userId": written, "event": "x"})
    assert (user.visitor_id, user.user_id, user.unread_fields) == ("v", None, ["user_id"])
    event = only("/v1/events", {"event": "x", "visitor_id": "v", "event_id": written})
    assert (len(event.event_id), event.unread_fields) == (32, ["event_id"])


def test_an_alias_whose_other_id_cannot_be_read_links_nobody() -> None:
    read = parsed(request("/v1/alias", {"type": "alias", "userId": "u", "previousId": {"id": 1}}))
    assert [reject.reason for reject in read.rejects] == ["missing_visitor"]
    plain = {"event": "alias", "user_id": "u", "timestamp": NOW, "properties": {"previous_id": "x" * 257}}
    assert [reject.reason for reject in parsed(request("/v1/events", plain)).rejects] == ["missing_visitor"]


def test_what_describes_is_cut_with_a_mark_and_nul_is_left_out() -> None:
    long = "https://a.example/?q=" + "x" * 5000
    page = {"type": "page", "userId": "u", "properties": {"url": long, "referrer": long, "title": long, "note": "a\0b"}}
    event = only("/v1/page", page, user_agent="Mozilla/5.0 " + "y" * 6000)
    properties = event.properties or {}
    for text in (event.page_url, event.referrer, event.user_agent, properties["title"]):
        assert (len(text or ""), (text or "")[-1]) == (4096, "…")
    assert properties["note"] == "ab"
    assert event.unread_fields is None
    canonical = {"event": "x", "visitor_id": "v", "timestamp": NOW}
    agents = [
        only("/v1/events", canonical | more, user_agent="Mozilla/5.0" + "y" * 6000).user_agent
        for more in ({}, {"a": 1})
    ]
    assert agents == ["Mozilla/5.0" + "y" * 4084 + "…"] * 2


def test_identify_with_250_traits_keeps_the_link_and_says_that_traits_are_missing() -> None:
    traits = {f"k{at}": at for at in range(250)}
    event = only("/v1/identify", {"type": "identify", "anonymousId": "v", "userId": "u", "traits": traits})
    assert (event.visitor_id, event.user_id, len(event.properties or {})) == ("v", "u", 200)
    assert event.unread_fields == ["properties"]


def test_limits_are_those_of_the_settings() -> None:
    body = [
        {
            "event": "x",
            "visitor_id": "v",
            "timestamp": NOW,
            "item_id": "lampshade",
            "name": "lampshade",
            "properties": {"a": "1", "b": "2"},
        }
    ]
    short = request("/v1/events", body)
    short = msgspec.structs.replace(short, limits=EventLimits(max_id_chars=8, max_text_chars=4, max_properties=2))
    [event] = parsed(short).events
    assert (event.item_id, event.name) == (None, "lam…")
    assert (event.properties, event.unread_fields) == ({"item_id": "lam…", "a": "1"}, ["item_id", "properties"])


@pytest.mark.parametrize(
    "tokens",
    [
        (b'"name": "caf\\ud83d"', b'"price": NaN, "quantity": Infinity'),
        (b'"name": "caf\\ufffd"', b'"quantity": 1e999'),
        (b'"name": "caf\xe2\x82"', b'"price": null'),
        (b'"name": "caf\\ud83d", "price": undefined', b'"price": -nan, "quantity": inf'),
        (b'"name": "caf\\ud83d", "price": None', b'"quantity": undefined'),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_one_bad_token_costs_no_event(mark: bytes, tokens: tuple[bytes, bytes]) -> None:
    events = (b'{"event": "%b", "visitor_id": "v", %b}' % pair for pair in zip((b"x", b"y"), tokens, strict=True))
    read = parsed(request("/v1/events", mark + b"[" + b",".join(events) + b"]"))
    assert not read.rejects
    assert [(event.event, event.name, event.price, event.quantity) for event in read.events] == [
        ("x", "caf\ufffd", None, None), ("y", None, None, None),
    ]  # fmt: skip


def test_an_escape_that_json_does_not_have_is_the_character() -> None:
    event = only("/v1/events", rb"""{"event": "x", "visitor_id": "v", "name": "it\'s None, \x41 \\ \"q\" \u00e9"}""")
    assert event.name == 'it\'s None, A \\ "q" é'


def test_the_name_of_what_happened_is_mended_since_it_is_nobodys_id() -> None:
    for written, kind in (("cut \ud83d", "cut"), ("a\nb\tc", "a b c"), ("caf\ufffd x", "caf x")):
        for path, body in (
            ("/v1/events", {"event": written, "visitor_id": "v", "timestamp": NOW}),
            ("/v1/track", {"type": "track", "userId": "u", "event": written}),
            ("/2/httpapi", {"api_key": "k", "events": [{"event_type": written, "device_id": "v"}]}),
        ):
            assert only(path, body).event == kind
    [reject] = parsed(request("/v1/events", {"event": "\x00\ufffd", "visitor_id": "v"})).rejects
    assert reject.reason == "missing_event"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/batch", {"batch": {"type": "track", "userId": "u", "event": "x"}}),
        ("/v1/events", {"events": {"event": "x", "visitor_id": "v"}}),
        ("/2/httpapi", {"api_key": "k", "events": {"event_type": "x", "device_id": "v"}}),
        ("/mp/collect", {"client_id": "v", "events": {"name": "x"}}),
        ("/batch/", {"api_key": "k", "batch": {"event": "x", "distinct_id": "v"}}),
    ],
)
def test_an_object_where_a_list_is_meant_is_its_only_one(path: str, body: Any) -> None:
    assert only(path, body).event == "x"


@pytest.mark.parametrize(
    "listed",
    [{"products": {"sku": "A", "price": 3}}, {"product": {"id": "A", "price": 3}}, {"items": [None, {"item_id": "A", "price": "3"}, {}]}],
)  # fmt: skip
def test_the_only_item_may_be_an_object_and_null_is_none(listed: dict[str, Any]) -> None:
    event = only(
        "/v1/track",
        {"type": "track", "userId": "u", "event": "Order Completed", "properties": {"order_id": "7", **listed}},
    )
    assert (event.event, event.item_id, event.price, event.order_id) == ("purchase", "A", "3", "7")


def test_a_product_that_is_a_word_is_a_property() -> None:
    event = only("/v1/track", view(product="Lamp", sku="A"))
    assert (event.item_id, event.properties) == ("A", {"product": "Lamp"})


def test_a_batch_may_be_phps_list_with_gaps() -> None:
    event = {"type": "track", "userId": "u", "event": "x"}
    assert len(parsed(request("/v1/batch", {"batch": {"0": event, "2": event}})).events) == 2


def test_lines_may_end_in_commas() -> None:
    line = b'{"event": "x", "visitor_id": "v"}'
    read = parsed(request("/v1/events", line + b",\r\n" + line + b" ,\n" + line))
    assert (len(read.events), read.rejects) == (3, [])


def test_a_line_that_is_no_json_costs_that_line() -> None:
    good = b'{"event": "x", "properties": {"distinct_id": "v", "price": NaN}}'
    read = parsed(request("/import", b"\n".join((good, b'{"event": "cut', good)), content_type="application/x-ndjson"))
    assert (len(read.events), [reject.reason for reject in read.rejects]) == (2, ["bad_type"])


def test_whatever_is_mended_can_be_written_again() -> None:
    pieces = (
        rb"\ud83d",
        rb"\ude00",
        rb"\uD83D\uDE00",
        rb"\\",
        b"ud83d",
        b"a",
        b"\xe2\x82",
        b"\xed\xa0\xbd",
        rb"\u0000",
        b"\n",
    )
    draw = random.Random(3)
    for _ in range(500):
        name, text = (b"".join(draw.choices(pieces, k=draw.randrange(6))) for _ in "ab")
        event = only("/v1/events", b'{"event": "x", "visitor_id": "v", "k%b": ["%b", NaN, -1e999]}' % (name, text))
        encode(event)


@pytest.mark.parametrize(
    "encoding", ["iso-8859-1", "utf-16", "utf-16-le", "utf-16-be", "windows-1252", "utf-8", "UTF-8-BOM?"]
)
def test_a_body_is_in_the_encoding_that_its_content_type_names(encoding: str) -> None:
    written = json.dumps({"type": "page", "userId": "u", "properties": {"title": "café"}}, ensure_ascii=False)
    body = written.encode("utf-8" if encoding.lower().startswith("utf-8") else encoding)
    for name in (encoding, encoding.removesuffix("-le").removesuffix("-be")):
        event = only("/v1/page", body, content_type=f"application/json; charset={name}")
        assert event.properties == {"title": "café"}


def test_a_reject_that_is_replayed_is_utf8_whatever_its_request_was_in() -> None:
    body = json.dumps({"event": "x", "visitor_id": "v", "name": "café"}, ensure_ascii=False).encode()
    for name in ("utf-16", "utf-32", "iso-8859-1"):
        assert only("/v1/events", body, content_type=f"application/json; charset={name}").name == "café"


def test_matomo_says_in_which_encoding_its_page_was_escaped() -> None:
    event = only(
        "/matomo.php",
        b"",
        "idsite=1&_id=0123456789abcdef&cs=iso-8859-1&action_name=caf%E9&url=https://a.example/",
        "GET",
    )
    assert event.name == "café"


def test_a_time_of_sending_without_a_zone_moves_nothing_where_it_must_be_another_zones() -> None:
    event = {"event": "x", "distinct_id": "v", "timestamp": "2025-12-31T23:59:00Z"}
    naive = only("/batch/", {"api_key": "k", "sent_at": "2026-01-01T05:00:00", "batch": [event]})
    assert (naive.client_time, naive.occurred_at) == (NOW - MINUTE, None)
    near = only("/batch/", {"api_key": "k", "sent_at": "2026-01-01T00:05:00", "batch": [event]})
    assert near.occurred_at == NOW - 6 * MINUTE
    both = event | {"timestamp": "2026-01-01T04:59:00"}
    assert (
        only("/batch/", {"api_key": "k", "sent_at": "2026-01-01T05:00:00", "batch": [both]}).occurred_at == NOW - MINUTE
    )


def test_base64_and_gzip_bodies_are_mended_alike() -> None:
    data = base64.b64encode(b'{"event": "x", "properties": {"distinct_id": "v", "token": "t", "price": NaN}}').decode()
    assert only("/track", f"data={data}".encode(), content_type="application/x-www-form-urlencoded").event == "x"


YES_NO = Consent(analytics=True, advertising=False)
TRACKERS_SAY = [
    ("/v1/track", {"type": "track", "userId": "u", "event": "x", "context": {"timezone": "Europe/Vienna",
     "consent": {"categoryPreferences": {"Analytics": True, "Advertising": False}}}}, YES_NO),
    ("/v1/track", {"type": "track", "userId": "u", "event": "x", "context": {"timezone": "Europe/Vienna",
     "consentManagement": {"allowedConsentIds": ["C0001", "C0002"], "deniedConsentIds": ["C0004"]}}}, YES_NO),
    ("/mp/collect", {"client_id": "v", "consent": {"ad_user_data": "DENIED", "ad_personalization": "GRANTED"},
     "events": [{"name": "x", "params": {"timezone": "Europe/Vienna"}}]}, Consent(personalization=True, advertising=False)),
    ("/mp/collect", {"client_id": "v", "events": [{"name": "x", "params": {"gcs": "G101", "timezone": "Europe/Vienna"}}]}, YES_NO),
    ("/track", [{"event": "x", "properties": {"distinct_id": "v", "$timezone": "Europe/Vienna", "consent": {"analytics": "yes"}}}],
     Consent(analytics=True)),
    ("/2/httpapi", {"api_key": "k", "events": [{"event_type": "x", "device_id": "v", "event_properties": {"timezone": "Europe/Vienna",
     "consent": {"marketing": False, "statistics": True}}}]}, YES_NO),
    ("/batch/", {"api_key": "k", "batch": [{"event": "$opt_in", "distinct_id": "v", "properties": {"$timezone": "Europe/Vienna"}}]},
     Consent(analytics=True)),
    ("/api/event", {"n": "x", "u": "https://a.example/", "d": "a", "p": {"timezone": "Europe/Vienna"}}, None),
    ("/v1/events", {"event": "x", "visitor_id": "v", "timezone": "Europe/Vienna",
     "consent": {"ad_storage": "denied", "analytics": 1}}, YES_NO),
    ("/com.snowplowanalytics.snowplow/tp2", {"schema": "s", "data": [{"e": "ue", "duid": "v", "tz": "Europe/Vienna", "ue_pr": json.dumps(
     {"data": {"schema": "iglu:com.snowplowanalytics.snowplow/consent_preferences/jsonschema/1-0-0", "data":
      {"eventType": "allow_selected", "consentScopes": ["statistics", "necessary"]}}})}]},
     Consent(analytics=True, personalization=False, advertising=False)),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "said"), TRACKERS_SAY)
def test_what_the_visitor_allowed_and_the_time_zone_come_from_where_each_tracker_says_them(
    path: str, body: Any, said: Consent | None
) -> None:
    event = only(path, body)
    assert (event.consent, event.timezone, event.unread_fields) == (said, "Europe/Vienna", None)


WRONG: tuple[Any, ...] = (
    None, "", [], {}, True, -1, 2.5, 42.0, 1e300, 10**30, "x" * 300, "y" * 9000, "a\0b", "\ud83d", "NaN", "1,299.00", " a ", {"a": 1},
    [[1]], '{"a": 1}', "2026-01-01T00:00:00", {str(number): number for number in range(300)},
)  # fmt: skip


def places(value: Any, *place: Any) -> Iterator[tuple[Any, ...]]:
    """The places of all that stands inside."""
    for name, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield (*place, name)
        yield from places(inner, *place, name)


def changed(value: Any, place: tuple[Any, ...], wrong: Any) -> Any:
    if not place:
        return wrong
    copy = value.copy()
    copy[place[0]] = changed(value[place[0]], place[1:], wrong)
    return copy


@pytest.mark.parametrize(
    ("path", "body"), [pair for pair in BAD_PRICE if not isinstance(pair[1], bytes)] + [row[:2] for row in TRACKERS_SAY]
)
def test_whatever_stands_at_any_place_what_is_taken_holds_every_limit_of_silver(path: str, body: Any) -> None:
    silver = live_arrivals._decoder(load(environ={}).events)
    for place in places(body):
        for wrong in WRONG:
            try:
                read = parsed(request(path, changed(body, place, wrong)))
            except Refused:
                continue
            for event in read.events:
                written = encode(event)
                assert silver.decode(written).event == event.event
                assert rb"\u0000" not in written.replace(rb"\\", b"")


def test_of_two_times_one_that_can_be_read_is_enough() -> None:
    message = {"type": "track", "userId": "u", "event": "x"}
    good = "2026-01-01T00:00:00Z"
    for times in ({"originalTimestamp": good, "timestamp": "now"}, {"originalTimestamp": "now", "timestamp": good}):
        assert only("/v1/track", message | times).client_time == NOW
    record = {"e": "pv", "duid": "v", "dtm": "now", "ttm": str(NOW)}
    assert only("/com.snowplowanalytics.snowplow/tp2", {"schema": "s", "data": [record]}).client_time == NOW


ZEROS = (
    0,
    "0",
    0.0,
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00",
    "0000-00-00 00:00:00",
    "0001-01-01 00:00:00 +0000 UTC",
)


@pytest.mark.parametrize("zero", ZEROS)
def test_a_zero_where_a_time_is_meant_is_no_time(zero: Any) -> None:
    """Go, .NET and MySQL write it where they know none: the event is of its arrival, as one that names no time."""
    good = "2026-01-01T00:00:00Z"
    for path, body in (
        ("/v1/events", {"event": "x", "visitor_id": "v", "timestamp": zero, "sent_at": zero}),
        ("/v1/track", {"type": "track", "userId": "u", "event": "x", "timestamp": good, "originalTimestamp": zero, "sentAt": zero}),
        ("/2/httpapi", {"api_key": "k", "events": [{"event_type": "x", "device_id": "v", "time": zero}]}),
        ("/mp/collect", {"client_id": "v", "timestamp_micros": zero, "events": [{"name": "x"}]}),
        ("/batch/", {"api_key": "k", "sent_at": zero, "batch": [{"event": "x", "distinct_id": "v", "timestamp": zero}]}),
    ):  # fmt: skip
        event = only(path, body)
        assert (event.client_time, event.sent_at, event.occurred_at, event.unread_fields) == (NOW, None, None, None), (
            path
        )


def test_json_that_was_written_as_a_text_once_more_is_read() -> None:
    for path, body in (
        ("/v1/events", {"event": "x", "visitor_id": "v"}),
        ("/v1/track", {"type": "track", "userId": "u", "event": "x"}),
        ("/track", [{"event": "x", "properties": {"distinct_id": "v", "token": "t"}}]),
        ("/batch/", {"api_key": "k", "batch": [{"event": "x", "distinct_id": "v"}]}),
    ):
        assert only(path, json.dumps(body)).event == "x"


def test_an_address_that_was_written_for_html_is_read_as_one() -> None:
    pixel = "idsite=1&amp;_id=0123456789abcdef&amp;url=https%3A%2F%2Fa.example%2F%3Fa%3D1%26amp%3Bb%3D2&amp;action_name=Home"
    event = only("/matomo.php", b"", pixel, "GET")
    assert (event.visitor_id, event.name, event.page_url) == (
        "0123456789abcdef",
        "Home",
        "https://a.example/?a=1&amp;b=2",
    )
    assert only("/i", b"", "e=pv&amp;duid=v&amp;aid=shop", "GET").visitor_id == "v"


def test_matomo_says_that_its_visitor_agreed() -> None:
    agreed = only("/matomo.php", b"", "idsite=1&_id=0123456789abcdef&consent=1&url=https://a.example/", "GET")
    assert agreed.consent == Consent(analytics=True)


def test_a_zone_that_is_an_offset_is_a_property() -> None:
    event = only("/v1/track", {"type": "track", "userId": "u", "event": "x", "context": {"timezone": "GMT+2 (summer)"}})
    assert (event.timezone, event.properties) == (None, {"context.timezone": "GMT+2 (summer)"})


def test_browsers_that_say_no_say_it_of_advertising_and_personalization_unless_the_event_does() -> None:
    body = {"event": "x", "visitor_id": "v", "timestamp": NOW}
    no = Consent(personalization=False, advertising=False)
    for header in ("sec_gpc", "dnt"):
        assert only("/v1/events", body, **{header: "1"}).consent == no
        assert only("/v1/events", body, **{header: "0"}).consent is None
    said = only("/v1/events", body | {"consent": {"personalization": True}}, sec_gpc="1")
    assert said.consent == Consent(personalization=True, advertising=False)


@pytest.mark.parametrize("end", [b"", b"\\"])
def test_a_text_without_an_end_is_looked_through_once(end: bytes) -> None:
    """Sought from each of its quotes anew, a body of this length takes minutes of the processor."""
    begun = time.process_time()
    with pytest.raises(Refused):
        parsed(request("/v1/events", b'{"event": ' + b'\\"' * 150_000 + end))
    assert time.process_time() - begun < 5

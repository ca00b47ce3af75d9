"""Plain events: objects, arrays, lines and beacons."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from collector.dialects import plain, plain_fast
from collector.dialects.shared import events, readers
from collector.request.model import EventLimits, Parsed, Refused, Request, RequestLimits
from nextclick.contracts.events import Consent, Event, encode

NOW = 1_795_341_600_000
LIMITS = RequestLimits(batch_events=4, json_depth=8)
VIEW = {"event": "view_item", "visitor_id": "v", "item_id": "lamp", "timestamp": NOW}


def parse(body: Any, **more: Any) -> Parsed:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(method="POST", path="/v1/events", body=data, received_at=NOW, token="t", **more)
    return plain.parse(request, LIMITS)


def test_a_line_that_is_no_json_is_one_reject_and_the_other_lines_go_on() -> None:
    good = json.dumps(VIEW).encode()
    parsed = parse(b"\n".join([good, b'{"event": "cut', b"", good.replace(b"lamp", b"desk")]))
    assert [event.item_id for event in parsed.events] == ["lamp", "desk"]
    [reject] = parsed.rejects
    assert (reject.reason, reject.payload) == ("malformed_json", '{"event": "cut')


def test_an_empty_line_is_no_event_of_the_batch() -> None:
    assert len(parse((json.dumps(VIEW) + "\n").encode() * LIMITS.batch_events + b"\n").events) == LIMITS.batch_events


def test_lines_of_which_none_is_an_object_are_refused_as_a_whole() -> None:
    for body in (b"no\njson", b"1\n2"):
        with pytest.raises(Refused, match="not JSON"):
            parse(body)


def test_an_event_without_a_time_gets_the_arrivals_and_an_id_of_its_place_in_the_request() -> None:
    timeless = {"event": "click", "visitor_id": "v"}
    first, second = parse([timeless, timeless]).events
    assert first.client_time == NOW
    assert first.event_id != second.event_id
    assert first == parse([timeless, timeless]).events[0]


def test_an_event_with_a_time_has_the_same_id_when_it_is_sent_again_later() -> None:
    [sent] = parse(VIEW | {"sent_at": NOW}).events
    [again] = parse(VIEW | {"sent_at": NOW + 60_000}).events
    assert sent.event_id == again.event_id


def test_what_metadata_says_of_known_fields_fills_them_and_the_rest_is_kept() -> None:
    [event] = parse(VIEW | {"metadata": {"category": "light", "watts": 40, "tags": ["a"]}, "shelf": None}).events
    assert event.category == "light"
    assert event.properties == {"watts": "40", "tags": '["a"]'}


def test_a_cookieless_beacon_is_its_strangers_also_when_it_is_replayed() -> None:
    nobody = {"event": "page_view", "timestamp": NOW}
    beacon = {"key": "k", "sent_at": NOW, "cookieless": True, "events": [nobody, nobody | {"timestamp": "soon"}]}
    parsed = parse(beacon, anonymous_id="s")
    [event], [reject] = parsed.events, parsed.rejects
    mended = json.loads(reject.payload.replace("soon", "2026-11-29"))
    [replayed] = parse(mended).events
    assert event.visitor_id == replayed.visitor_id
    assert replayed.client_time == 1_795_910_400_000


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.text()
                | st.sampled_from(["event", "events", "metadata", "timestamp", "price", "properties", "sent_at"]),
                inner,
            )
        ),
    )
)
def test_no_json_raises_anything_but_refused(value: Any) -> None:
    try:
        parsed = parse(value)
    except Refused:
        return
    assert parsed.answer.status in (200, 400)


def test_the_agent_of_a_library_is_not_the_visitors() -> None:
    agents = {
        agent: parse([VIEW], headers={"user-agent": agent}).events[0].user_agent for agent in ("curl/8", "Mozilla/5.0")
    }
    assert agents == {"curl/8": None, "Mozilla/5.0": "Mozilla/5.0"}


TEXT = st.text(max_size=5) | st.sampled_from(["view_product", "lamp", "{{User ID}}", "*|ID|*", "undefined", "{a}"])
TIME = st.integers(10**11, 10**14) | st.integers(10**9, 2 * 10**14) | st.just("2026-01-01T00:00:00Z")
VALUES: dict[type, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(),
    float: st.floats() | st.integers(),
    dict: st.dictionaries(TEXT, TEXT),
    list: st.lists(TEXT),
    Consent: st.sampled_from(
        [True, "denied", ",C0001,C0002,", ["marketing"], "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"]
    )
    | st.dictionaries(
        st.sampled_from(["analytics", "personalization", "advertising", "other"]),
        st.booleans() | st.none() | st.sampled_from(["granted", "denied", "perhaps", 1]),
    ),
}
"""What a field of a type may hold, and some that it may not."""
OTHERWISE: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("client_time", "sent_at", "occurred_at"), TIME),
    "price": TEXT | st.floats() | st.sampled_from(["1.50", "-2", "1e3"]),
}


def fields_of(kind: type[Event]) -> dict[str, st.SearchStrategy[Any]]:
    """Values of every field of the event, and of an alias."""
    of = {field.name: readers.type_of(field) for field in structs.fields(kind)}
    drawn = {name: VALUES[get_origin(kind) or kind] for name, kind in of.items()}
    return {"product_id": TEXT} | drawn | OTHERWISE


def bodies(kind: type[Event]) -> st.SearchStrategy[list[dict[str, Any]]]:
    always = {"event": TEXT, "visitor_id": TEXT, "timestamp": TIME}
    optional = {name: values for name, values in fields_of(kind).items() if name not in always}
    some = st.sets(st.sampled_from(sorted(optional)), max_size=4)
    event = some.flatmap(lambda names: st.fixed_dictionaries(always, optional={name: optional[name] for name in names}))
    return st.lists(event, max_size=3)


def test_what_the_visitor_allowed_and_the_time_zone_are_fields_and_no_sender_says_what_could_not_be_read() -> None:
    said = {"consent": {"analytics": True, "advertising": "denied"}, "timezone": "Europe/Vienna"}
    [event] = parse(VIEW | said | {"unread_fields": ["price"]}).events
    assert (event.consent, event.timezone) == (Consent(analytics=True, advertising=False), "Europe/Vienna")
    assert (event.unread_fields, event.properties) == (None, {"unread_fields": '["price"]'})


@given(bodies(Event))
def test_what_is_read_in_one_pass_is_what_the_long_way_gives(values: list[dict[str, Any]]) -> None:
    assert_equal_on_both_ways(values)


class Stocked(Event, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An event with fields that do not exist yet."""

    stock: int | None = None
    rating: float | None = None
    shelf: str | None = None


STOCKED = plain_fast.decoders(EventLimits(), Stocked)


@contextmanager
def stocked() -> Iterator[None]:
    """Both ways know the new fields."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (plain, events):
            patch.setattr(module, "Event", Stocked)
        patch.setattr(plain, "_TEXTS", (*plain._TEXTS, "shelf"))
        for name in ("_FIELDS", "_KNOWN"):
            patch.setattr(plain, name, {*getattr(plain, name), "stock", "rating", "shelf"})
        patch.setattr(events, "_READERS", readers.readers(Stocked))
        patch.setattr(plain_fast, "decoders", lambda limits: STOCKED)
        yield


@given(bodies(Stocked))
def test_a_field_that_is_new_is_read_alike_on_both_ways(values: list[dict[str, Any]]) -> None:
    with stocked():
        assert_equal_on_both_ways(values)


def test_a_new_number_is_a_number_and_makes_the_same_id_on_both_ways() -> None:
    new = {"stock": 3, "rating": 4.5, "shelf": "a"}
    with stocked():
        [quick] = parse(VIEW | new).events
        [slow] = parse(VIEW | new | {"stock": "3"}).events
        [unread] = parse(VIEW | {"stock": "many"}).events
    assert msgspec.to_builtins(slow).items() >= new.items()
    assert quick.event_id == slow.event_id
    assert (unread.unread_fields, unread.properties) == (["stock"], {"stock": "many"})


def assert_equal_on_both_ways(values: list[dict[str, Any]]) -> None:
    request = Request(
        method="POST", path="/v1/events", body=json.dumps(values).encode(), received_at=NOW, token="t", ip="203.0.0.0",
        headers={"user-agent": "Mozilla/5.0"},
    )  # fmt: skip
    quick = plain_fast.parse(request, LIMITS)
    if quick is not None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plain_fast, "parse", lambda *_: None)
            slow = plain.parse(request, LIMITS)
        assert [encode(event) for event in quick] == [encode(event) for event in slow.events]
        assert not slow.rejects


def test_a_canonical_event_is_read_in_one_pass() -> None:
    request = Request(
        method="POST", path="/v1/events", body=json.dumps([VIEW, VIEW]).encode(), received_at=NOW, token="t"
    )
    assert len(plain_fast.parse(request, LIMITS) or ()) == 2


@given(st.binary())
def test_no_bytes_raise_anything_but_refused(body: bytes) -> None:
    with suppress(Refused):
        parse(body)

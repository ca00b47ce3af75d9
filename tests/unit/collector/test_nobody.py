"""A word for nobody, such as `undefined`, is no id: its event stays the visitor's own, and strangers stay apart."""

from typing import Any

import msgspec
import pytest

from nextclick.contracts.events import is_unfilled, somebody
from nextclick.profile.live_arrivals import Arrivals
from nextclick.settings import load
from tests.tracker_requests import NOBODY, parsed, request

WORDS = (*sorted(NOBODY), "NULL", "None", "NaN", "[object Object]", " undefined ", "\tundefined" + " " * 99)
NOW = 1_767_225_600_000


@pytest.mark.parametrize("word", WORDS)
def test_a_user_of_that_name_is_left_out_and_the_visitor_stays(word: str) -> None:
    for path, body in (
        ("/v1/events", {"event": "view_item", "visitor_id": "v1", "user_id": word, "item_id": "x", "timestamp": NOW}),
        (
            "/v1/events",
            [{"event": "view_item", "visitor_id": "v1", "user_id": word, "timestamp": "2026-01-01T00:00:00Z"}],
        ),
        ("/v1/identify", {"type": "identify", "anonymousId": "v1", "userId": word, "messageId": "m"}),
        ("/v1/track", {"type": "track", "event": "Seen", "anonymousId": "v1", "userId": word, "messageId": "m"}),
        ("/mp/collect", {"client_id": "v1", "user_id": word, "events": [{"name": "page_view", "params": {}}]}),
        ("/2/httpapi", {"api_key": "k", "events": [{"event_type": "view", "device_id": "v1", "user_id": word}]}),
    ):
        [event] = parsed(request(path, body)).events
        assert (event.visitor_id, event.user_id) == ("v1", None), path


@pytest.mark.parametrize("word", [word for word in WORDS if word != "0"])
def test_an_event_of_nobody_at_all_is_a_reject(word: str) -> None:
    bodies: tuple[dict[str, Any], ...] = (
        {"user_id": word},
        {"visitor_id": word},
        {"visitor_id": word, "user_id": word},
    )
    for who in bodies:
        read = parsed(request("/v1/events", {"event": "view_item", "timestamp": NOW, **who}))
        assert not read.events
        assert [reject.reason for reject in read.rejects] == ["missing_visitor"]


def test_names_that_only_hold_such_a_word_are_names() -> None:
    for name in ("nullable", "anonymous-7", "nobody", "00", "10", "u-undefined", "None of your business"):
        assert somebody("v", name, NOBODY) == ("v", name)
        assert somebody(name, None, NOBODY) == (name, None)


PLACEHOLDERS = (
    "{{User ID}}", "{{ customer.id }}", "${userId}", "#{user}", "<%= id %>", "%%subscriber%%", "*|UNIQID|*", "[[user.id]]",
    "{user_id}", "{!Contact.Id}", "{$smarty.user}", "{% user %}", "<user_id>", "%USER_ID%", "[CUSTOMER ID]", "@@user_id@@", "$user_id",
    "$user.id$", "__USER_ID__", "<user-id>", "[user-id]", "{user-id}", "{0}", "%s", "%(user)s",
)  # fmt: skip


@pytest.mark.parametrize("word", PLACEHOLDERS)
def test_a_placeholder_that_nobody_filled_in_links_nobody_and_is_seen(word: str) -> None:
    canonical = {"event": "view_item", "visitor_id": "v1", "user_id": word, "item_id": word, "timestamp": NOW}
    for path, body in (
        ("/v1/events", canonical),
        ("/v1/events", canonical | {"timestamp": "2026-01-01T00:00:00Z"}),
        ("/v1/track", {"type": "track", "event": "Product Viewed", "anonymousId": "v1", "userId": word, "properties": {"sku": word}}),
        ("/mp/collect", {"client_id": "v1", "user_id": word, "events": [{"name": "view_item", "params": {"items": [{"item_id": word}]}}]}),
        ("/2/httpapi", {"api_key": "k", "events": [{"event_type": "view_item", "device_id": "v1", "user_id": word, "productId": word}]}),
    ):  # fmt: skip
        [event] = parsed(request(path, body)).events
        assert (event.visitor_id, event.user_id, event.item_id) == ("v1", None, None), path
        assert sorted(event.unread_fields or ()) == ["item_id", "user_id"]
        assert (event.properties or {})["user_id"] == word
    merged = {"type": "alias", "userId": "u", "previousId": word}
    assert [reject.reason for reject in parsed(request("/v1/alias", merged)).rejects] == ["missing_visitor"]


@pytest.mark.parametrize(
    "word",
    ["{6f9619ff-8b86-d011-b42d-00c04fc964ff}", "$device:1-2", "@ann", "_ann_", "__ann__", "$ann", "<ann@shop.example>", "%41", "[1]", "*",
     "$organization", "_", "@", "[a][b]", "{1234}", "%sd"],
)  # fmt: skip
def test_an_id_that_only_looks_like_a_placeholder_is_one(word: str) -> None:
    assert not is_unfilled(word)


@pytest.mark.parametrize("item", ["undefined", "NULL", "(not set)", "[object Object]", "NaN", "None", "<nil>"])
def test_a_word_for_nothing_is_no_item_that_could_be_recommended(item: str) -> None:
    canonical = {"event": "view_item", "visitor_id": "v1", "item_id": item, "timestamp": NOW}
    for path, body in (
        ("/v1/events", [canonical, canonical]),
        ("/v1/events", canonical | {"timestamp": "2026-01-01T00:00:00Z"}),
        (
            "/mp/collect",
            {"client_id": "v1", "events": [{"name": "view_item", "params": {"items": [{"item_id": item}]}}]},
        ),
        ("/matomo.php", f"idsite=1&_id=0123456789abcdef&url=https://a.example/&_pks={item}".encode()),
    ):
        events = [event for event in parsed(request(path, body)).events if event.event == "view_item"]
        assert {(event.item_id, *(event.unread_fields or ())) for event in events} == {(None, "item_id")}, path
    assert [reject.reason for reject in parsed(request("/v1/items", {"item_id": item})).rejects] == ["missing_item"]


def test_names_that_look_like_such_words_are_names() -> None:
    for item in (
        "0",
        "unknown",
        "true",
        "nullable",
        "{6f9619ff-8b86-d011-b42d-00c04fc964ff}",
        "$5",
        "<3",
        "50%",
        "[a]",
        "*",
    ):
        canonical = {"event": "view_item", "visitor_id": "v1", "item_id": item, "timestamp": NOW}
        for more in ({}, {"timestamp": "2026-01-01T00:00:00Z"}):
            [event] = parsed(request("/v1/events", canonical | more)).events
            assert (event.item_id, event.unread_fields) == (item, None)


def test_a_shop_adds_words_of_its_own() -> None:
    words = load(environ={"NEXTCLICK_EVENTS__NOBODY_MORE": '[" Gast "]'}).events.nobody_words
    assert somebody("v", "GAST", words) == somebody("v", "undefined", words) == ("v", None)


def test_the_live_profile_knows_them_too() -> None:
    settings = load(environ={"NEXTCLICK_EVENTS__NOBODY_MORE": '["gast"]'})
    for user, owners in (("gast", 1), ("Undefined", 1), ("ann", 2)):
        event = {"event": "view_item", "event_id": "e", "client_time": NOW, "visitor_id": "v", "user_id": user}
        arrival = Arrivals(settings).read(msgspec.json.encode(event), NOW)
        assert arrival is not None
        assert len(arrival.keys) == owners

"""Matomo's requests by hand: what each becomes, and what its clients are told."""

import json
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given

from nextclick.contracts.events import Event
from tests.tracker_requests import NOW, json_of, parsed, request, survives

ALWAYS = {"idsite": "1", "rec": "1", "_id": "0123456789abcdef", "rand": "5", "url": "https://shop.example/a"}
ORDER = [["i1", "Mug", ["home", "kitchen"], 2.5, 2], ["i2", "Cup", "home", 7, 1]]


def events(**parameters: Any) -> list[Event]:
    found = parsed(request("/matomo.php", query=urlencode(ALWAYS | parameters), method="GET"))
    assert not found.rejects, found.rejects
    assert (found.answer.status, found.answer.content_type, found.key) == (200, "image/gif", "1")
    return found.events


def only(**parameters: Any) -> Event:
    (event,) = events(**parameters)
    return event


def test_a_page_view_carries_its_visitor_user_title_and_referrer() -> None:
    event = only(action_name="Home", uid="u1", urlref="https://b.example/", pv_id="abc123", _rcn="may")
    assert (event.event, event.visitor_id, event.user_id, event.name) == ("page_view", "0123456789abcdef", "u1", "Home")
    assert (event.page_url, event.referrer, event.utm_campaign) == (
        "https://shop.example/a",
        "https://b.example/",
        "may",
    )
    assert event.properties == {"pv_id": "abc123", "idsite": "1"}


def test_a_page_that_shows_a_product_is_two_events() -> None:
    page, product = events(action_name="Mug", _pks="i1", _pkn="Mug", _pkc="home", _pkp="2.5")
    assert (page.event, product.event, product.event_id) == ("page_view", "view_item", page.event_id + "#1")
    assert (product.item_id, product.name, product.category, product.price) == ("i1", "Mug", "home", "2.5")


def test_an_order_becomes_one_purchase_an_item() -> None:
    first, second = events(idgoal=0, ec_id="o1", revenue=12, ec_items=json.dumps(ORDER), cdt=NOW // 1000 - 60)
    assert (first.item_id, first.category, first.price, first.quantity) == ("i1", "home", "2.5", 2)
    assert (second.item_id, second.price, second.order_id, second.client_time) == ("i2", "7", "o1", NOW - 60_000)
    assert (first.event_id[-2:], second.event_id[-2:]) == ("#0", "#1")
    assert (first.properties or {})["categories"] == '["home","kitchen"]'


def test_items_that_lack_fields_or_are_none_cost_no_other_item() -> None:
    bought = events(idgoal=0, ec_id="o1", ec_items=json.dumps([["a"], ["b", None, None, "n/a", "-"], None, [], "c"]))
    assert [(event.item_id, event.price, event.quantity) for event in bought] == [
        ("a", None, None), ("b", None, None), ("c", None, None),
    ]  # fmt: skip


def test_an_order_without_items_is_a_purchase_of_its_total() -> None:
    event = only(idgoal=0, ec_id="o1", revenue=12)
    assert (event.event, event.order_id, event.price) == ("purchase", "o1", "12")


def test_a_cart_is_kept_as_it_stands() -> None:
    event = only(idgoal=0, revenue=12, ec_items=json.dumps(ORDER))
    assert (event.event, json.loads((event.properties or {})["ec_items"])) == ("cart_update", ORDER)


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [
        ({"search": "mug", "search_cat": "home", "search_count": 3}, "search"),
        ({"e_c": "Video", "e_a": "play", "e_n": "Intro", "e_v": 1}, "play"),
        ({"link": "https://b.example/"}, "click"),
        ({"download": "https://shop.example/a.pdf"}, "download"),
        ({"c_n": "ad", "c_p": "a.png"}, "impression"),
        ({"c_n": "ad", "c_p": "a.png", "c_i": "click"}, "click"),
        ({"idgoal": 3, "revenue": 1}, "goal"),
        ({"ping": 1}, "engagement"),
        ({"ca": 1}, "action"),
    ],
)
def test_parameters_say_what_happened(parameters: dict[str, Any], kind: str) -> None:
    assert only(**parameters).event == kind


def test_a_search_carries_its_query_and_an_event_its_name() -> None:
    assert only(search="mug").query == "mug"
    assert only(e_c="Video", e_a="play", e_n="Intro").name == "Intro"


def test_a_visitor_without_an_id_is_the_stranger_of_the_day() -> None:
    one, two, other = (
        parsed(request("/matomo.php", query=f"idsite={n}&url=a")).events[0].visitor_id for n in (1, 1, 2)
    )
    assert one == two != other


def test_a_post_is_a_form_and_may_want_no_image() -> None:
    found = parsed(request("/piwik.php", urlencode(ALWAYS | {"send_image": 0}).encode()))
    assert (found.answer.status, found.answer.body, len(found.events)) == (204, b"", 1)


def test_a_bulk_request_holds_strings_and_objects_and_says_which_are_invalid() -> None:
    requests = ["?" + urlencode(ALWAYS), ALWAYS, "?idsite=1&rec=1&url=a&cdt=never", 5]
    found = parsed(request("/matomo.php", {"requests": requests, "token_auth": "secret"}))
    answer = {"status": "success", "tracked": 2, "invalid": 2, "invalid_indices": [2, 3]}
    assert (json.loads(found.answer.body), len(found.events), found.key) == (answer, 2, "1")
    assert [reject.reason for reject in found.rejects] == ["bad_time", "missing_event"]
    again = json.loads(found.rejects[0].payload)
    assert again == {"requests": [{"idsite": "1", "url": "a", "cdt": "never"}]}


def test_a_reject_does_not_keep_the_token_that_may_do_anything() -> None:
    found = parsed(request("/matomo.php", query="idsite=1&rec=1&url=a&cdt=never&token_auth=secret", method="GET"))
    (reject,) = found.rejects
    assert "secret" not in str(reject)
    assert (found.answer.status, parse_qs(reject.payload)) == (400, {"idsite": ["1"], "url": ["a"], "cdt": ["never"]})


def test_an_empty_request_is_no_event() -> None:
    found = parsed(request("/matomo.php", method="GET"))
    assert (found.events, found.rejects, found.answer.status) == ([], [], 200)


@given(json_of("requests", "idsite", "url", "ec_items", "ec_id", "idgoal", "cdt", "_pks", "_pkp", "search", "e_a"))
def test_no_json_breaks_it(body: Any) -> None:
    survives(request("/matomo.php", {"requests": body} if isinstance(body, list) else body))
    survives(request("/matomo.php", query=urlencode(ALWAYS | {"idgoal": 0, "ec_id": 1, "ec_items": json.dumps(body)})))

"""Slots, impressions and clicks in a real Chromium: a page with a template is filled from the API, and the loop closes."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from nextclick.web.signatures import sign
from serving.schema.responses import Item, Personalized
from tests.collector_process import Collector, collecting
from tests.e2e.browsing import Open, Site, serving

Queries = list[dict[str, list[str]]]
Visit = Callable[..., Any]

FEED = [
    Item(item_id="A 1", score=0.9, name="<b id=evil>Shoe</b>", price=19.9, currency="EUR", category="Shoes"),
    Item(item_id="A2", score=0.8, name="javascript:alert(1)"),
    Item(item_id="A3", score=0.7),
]
TEMPLATE = """
<template><article style="height: 200px">
  <h3 data-slot-text="{name}">Something nice</h3> <i data-slot-text="{price} {currency}"></i>
  <a class="go" data-slot-href="/item/{item_id}">Look</a> <a class="far" data-slot-href="{name}">Shop</a>
  <img data-slot-src="/pictures/{item_id}.png" data-slot-alt="{name}"> <button data-nextclick-click="add_to_cart">Add</button>
</article></template>"""

SECRET = "a secret key of tests"
BANNER = {"id": "summer", "text": "Summer sale", "link": "/sale?all=1"}
BANNER_TEMPLATE = """
<template data-slot-banner><a data-slot-href="{link}" data-slot-text="{text}" style="display: block">x</a></template>"""


@pytest.fixture
def api() -> Iterator[tuple[str, Queries]]:
    """The API's answers to `GET /v1/personalize`, and what it was asked; the surface `empty` has nothing to show."""
    queries: Queries = []

    class Handler(BaseHTTPRequestHandler):
        def do_OPTIONS(self) -> None:
            self.send_response(204)
            self.send_header("access-control-allow-origin", "*")
            self.send_header("access-control-allow-headers", self.headers["access-control-request-headers"])
            self.end_headers()

        def do_GET(self) -> None:
            url, signature = urlsplit(self.path), self.headers["x-user-signature"]
            queries.append(
                parse_qs(url.query) | {"path": [url.path]} | ({"signature": [signature]} if signature else {})
            )
            surface = queries[-1]["surface"][0]
            feed = FEED if surface == "home" else []
            body = Personalized(
                request_id=f"r-{surface}",
                model_version="7",
                variant=None,
                source="popular",
                degraded=False,
                recommendations=[item.item_id for item in feed],
                personalized_banner=BANNER,
                ranked_feed=feed,
            )
            self.send_response(500 if surface == "broken" else 200)
            self.send_header("access-control-allow-origin", "*")
            self.end_headers()
            self.wfile.write(msgspec.json.encode(body))

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api/", queries
        server.shutdown()


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One that takes the name of a user by its signature alone."""
    keys: Any = {
        "NEXTCLICK_COLLECTOR__WRITE_KEYS": '{"page": {"site": "shop", "users": "signed"}}',
        "NEXTCLICK_COLLECTOR__SIGNING_SECRET": SECRET,
    }
    with collecting(tmp_path_factory.mktemp("slots") / "lake", **keys) as running:
        yield running


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as running:
        yield running


@pytest.fixture
def visit(site: Site, open_page: Open) -> Visit:
    """Opens a page of this path and content in a profile of its own."""

    def visit(path: str, content: str, script: str = "") -> Any:
        page = open_page(script, viewport={"width": 800, "height": 500})
        page.goto(site.put(path, content))
        return page

    return visit


def of_kind(collector: Collector, path: str, kind: str) -> list[dict[str, Any]]:
    """Events of the pages of a path."""
    return [event for event in collector.landed() if event["event"] == kind and event["page_url"].endswith(path)]


def shop(collector: Collector, api: str) -> str:
    """A page of three slots, of which one is filled."""
    keys = f'data-key="page" data-api="{api}" data-api-key="read"'
    tag = f'<script async src="{collector.address}/n.js" {keys}></script>'
    slots = "".join(f'<div data-nextclick-slot="{name}">{TEMPLATE}</div>' for name in ("broken", "empty"))
    return f"""<!doctype html>{tag}{slots}<div data-nextclick-slot="home" data-slot-n="3">{TEMPLATE}</div>"""


def test_a_slot_is_filled_from_the_api_and_what_is_seen_and_clicked_names_the_answer(
    collector: Collector, api: tuple[str, Queries], visit: Visit
) -> None:
    address, queries = api
    opened = visit("/shop", shop(collector, address))
    opened.wait_for_selector("[data-nextclick-slot=home] article")
    cards = opened.query_selector_all("[data-nextclick-slot=home] article")
    assert [card.query_selector("h3").inner_text() for card in cards] == [
        "<b id=evil>Shoe</b>", "javascript:alert(1)", "Something nice",
    ]  # fmt: skip
    assert opened.query_selector("#evil") is None
    assert cards[0].query_selector("i").inner_text() == "19.9 EUR"
    assert cards[0].query_selector(".go").get_attribute("href") == "/item/A%201"
    assert cards[1].query_selector(".far").get_attribute("href") is None
    assert cards[1].query_selector("img").get_attribute("src") == "/pictures/A2.png"
    assert not opened.is_visible("[data-nextclick-slot=broken]")
    assert not opened.is_visible("[data-nextclick-slot=empty]")
    by_surface = {query["surface"][0]: query for query in queries}
    assert set(by_surface) == {"broken", "empty", "home"}
    assert (by_surface["home"]["path"], by_surface["home"]["feed"], by_surface["home"]["key"]) == (
        ["/api/v1/personalize"], ["3"], ["read"],
    )  # fmt: skip

    collector.wait_for(lambda _: len(of_kind(collector, "/shop", "impression")) == 2)
    cards[1].query_selector("button").click()
    cards[0].query_selector(".go").click()  # leaves the page
    collector.wait_for(lambda _: bool(of_kind(collector, "/shop", "click")))
    shown = of_kind(collector, "/shop", "impression")
    assert [(event["item_id"], event["position"]) for event in shown] == [
        ("A 1", 1),
        ("A2", 2),
    ]  # A3 is below the fold
    assert {(event["request_id"], event["surface"], event["model_version"]) for event in shown} == {
        ("r-home", "home", "7")
    }
    assert {event["visitor_id"] for event in shown} == {by_surface["home"]["visitor_id"][0]}
    (clicked,), (added,) = of_kind(collector, "/shop", "click"), of_kind(collector, "/shop", "add_to_cart")
    assert (clicked["request_id"], clicked["item_id"], clicked["position"]) == ("r-home", "A 1", 1)
    assert (added["request_id"], added["item_id"], added["position"]) == ("r-home", "A2", 2)


@pytest.mark.parametrize(
    "said",
    [
        "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})",
        "localStorage._nextclickconsent = JSON.stringify({analytics: true, personalization: false})",
    ],
    ids=["global privacy control", "declined"],
)
def test_for_who_allows_no_personalization_a_slot_is_filled_for_nobody_in_particular(
    collector: Collector, api: tuple[str, Queries], visit: Visit, said: str
) -> None:
    address, queries = api
    visit("/shop", shop(collector, address), script=said).wait_for_selector("[data-nextclick-slot=home] article")
    assert {query["surface"][0] for query in queries} == {"broken", "empty", "home"}
    assert all("visitor_id" not in query for query in queries)


def test_a_signed_user_is_named_with_the_signature_to_the_api_and_the_collector(
    collector: Collector, api: tuple[str, Queries], visit: Visit
) -> None:
    signature = sign(SECRET, "shop", "u7")
    page = f"""<!doctype html>
        <script>window.nextclick = function () {{ (nextclick.q = nextclick.q || []).push(arguments) }}
        nextclick('identify', 'u7', {{ user_signature: '{signature}' }})</script>
        <script async src="{collector.address}/n.js" data-key="page" data-api="{api[0]}"></script>
        <div data-nextclick-slot="home">{TEMPLATE}</div>"""
    visit("/signed", page).wait_for_selector("[data-nextclick-slot=home] article")

    def own(kind: str) -> list[dict[str, Any]]:
        return of_kind(collector, "/signed", kind)

    collector.wait_for(lambda _: bool(own("identify") and own("impression")))
    assert [(query["user_id"], query["signature"]) for query in api[1]] == [(["u7"], [signature])]
    assert "user_signature" not in api[1][0], "addresses are logged on the way"
    assert {event.get("user_id") for event in own("impression")} == {"u7"}
    assert signature not in str(collector.landed())
    assert collector.rejects() == []


def test_a_banner_is_shown_in_its_slot_and_seen_and_clicked_as_one(
    collector: Collector, api: tuple[str, Queries], visit: Visit
) -> None:
    tag = f'<script async src="{collector.address}/n.js" data-key="page" data-api="{api[0]}"></script>'
    page = f"""<!doctype html>{tag}<div data-nextclick-slot="home">{BANNER_TEMPLATE}{TEMPLATE}</div>"""
    opened = visit("/banners", page)
    opened.wait_for_selector("[data-nextclick-banner=summer]")
    assert opened.get_attribute("[data-nextclick-banner]", "href") == "/sale?all=1"
    assert opened.inner_text("[data-nextclick-banner]") == "Summer sale"

    def seen(_: object) -> bool:
        return any(event.get("properties") for event in of_kind(collector, "/banners", "impression"))

    collector.wait_for(seen)
    opened.click("[data-nextclick-banner]")  # leaves the page
    collector.wait_for(lambda _: bool(of_kind(collector, "/banners", "click")))
    [shown] = [event for event in of_kind(collector, "/banners", "impression") if "item_id" not in event]
    [clicked] = of_kind(collector, "/banners", "click")
    for event in (shown, clicked):
        assert (event["request_id"], event["surface"]) == ("r-home", "home")
        assert event["properties"]["banner"] == "summer"
        assert "item_id" not in event

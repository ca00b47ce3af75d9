"""The page tag in a real Chromium, on real pages: each kind of event is in the landing log, once."""

import io
import re
import wave
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collector_process import Collector, collecting
from tests.e2e.browsing import Open, Site, serving

ATTENTION = ("engagement", "scroll")
KEPT = "localStorage.length + document.cookie.length"
PURPOSES = ("analytics", "personalization", "advertising")
GRANTED = "(value) => nextclick('consent', value)"

Records = list[dict[str, Any]]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with collecting(tmp_path_factory.mktemp("tag") / "lake") as running:
        yield running


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as running:
        yield running


class Visit:
    """A page with the tag, and what landed of it."""

    def __init__(self, collector: Collector, site: Site, open_page: Open, name: str) -> None:
        self.collector, self.site, self.open_page = collector, site, open_page
        self.name = name
        self.page: Any = None

    def open(
        self, body: str = "", options: str = 'data-key="k1"', path: str = "", script: str = "", **context: Any
    ) -> Any:
        """A browser of its own on `/NAME` + path, with the tag before `body`."""
        self.put(body, options)
        self.page = self.open_page(script, **context)
        self.page.goto(self.site.address + f"/{self.name}{path}")
        return self.page

    def put(self, body: str, options: str = 'data-key="k1"') -> None:
        tag = f'<script async src="{self.collector.address}/n.js" {options}></script>'
        self.site.put(f"/{self.name}", f"<!doctype html><title>{self.name}</title>{tag}{body}")

    def ready(self) -> None:
        self.page.wait_for_function("window.nextclick && nextclick.live")

    def leave(self) -> None:
        self.page.goto("about:blank")

    def landed(self) -> Records:
        return [event for event in self.collector.landed() if f"/{self.name}" in event.get("page_url", "")]

    def wait(self, last: str, count: int = 1) -> Records:
        """What landed, attention left out, once the page was left and `last` is there."""
        self.leave()
        self.collector.wait_for(lambda _: sum(event["event"] == last for event in self.landed()) >= count)
        return [event for event in self.landed() if event["event"] not in ATTENTION]


@pytest.fixture
def visit(collector: Collector, site: Site, open_page: Open, request: pytest.FixtureRequest) -> Visit:
    return Visit(collector, site, open_page, re.sub(r"\W+", "-", request.node.name))


def kinds(events: Records) -> list[str]:
    return [event["event"] for event in events]


def test_marked_elements_search_and_calls_arrive_once(visit: Visit) -> None:
    page = visit.open(
        """
        <script>window.nextclick = window.nextclick || function () { (nextclick.q = nextclick.q || []).push(arguments) }
        nextclick('add_to_cart', {item_id: 'early', price: 5, quantity: 2, currency: 'EUR', colour: 'red'})</script>
        <div data-nextclick-item-id="A1" data-nextclick-price="19.90" data-nextclick-currency="EUR">
          <div data-nextclick-view><button data-nextclick-click="add_to_cart"><b id="add">Add</b></button></div>
          <button id="remove" data-nextclick-click="remove_from_cart">Remove</button>
        </div>
        <a id="banner" href="#top" data-nextclick-click="banner" data-nextclick-position="3">Sale</a> <i id="plain">x</i>
        """,
        path="?utm_source=mail&q=red+shoes",
    )
    visit.ready()
    for target in ("add", "remove", "banner", "plain"):
        page.click("#" + target)
    page.evaluate("nextclick('identify', 'u1', {plan: 'gold'})")
    page.evaluate("nextclick('add_to_wishlist', {item_id: 'A2'})")
    page.evaluate("nextclick('purchase', {order_id: 'o1', currency: 'EUR', "
                  "items: [{item_id: 'A1', price: 19.9, quantity: 1}, {item_id: 'A2', price: 3}]})")  # fmt: skip
    events = visit.wait("purchase", 2)
    assert kinds(events) == [
        "page_view", "search", "add_to_cart", "view_item", "add_to_cart", "remove_from_cart", "click", "identify",
        "add_to_wishlist", "purchase", "purchase",
    ]  # fmt: skip
    assert len({event["event_id"] for event in events}) == len(events)
    assert len({event["visitor_id"] for event in events}) == 1
    viewed, searched, early, seen, added, removed, clicked, identified, wished, *bought = events
    assert viewed["page_url"].endswith("?utm_source=mail&q=red+shoes")
    assert viewed["properties"]["title"] == visit.name
    assert searched["query"] == "red shoes"
    assert (early["price"], early["quantity"], early["properties"]) == ("5", 2, {"colour": "red"})
    assert [(each["item_id"], each["price"], each["currency"]) for each in (seen, added, removed)] == [
        ("A1", "19.90", "EUR")
    ] * 3
    assert (clicked["properties"]["target"], clicked["position"]) == ("banner", 3)
    assert clicked["properties"]["href"].endswith("#top")
    assert (identified["user_id"], identified["properties"]) == ("u1", {"plan": "gold"})
    assert wished["user_id"] == "u1"
    assert [(each["order_id"], each["item_id"], each["price"]) for each in bought] == [
        ("o1", "A1", "19.9"),
        ("o1", "A2", "3"),
    ]


def test_scroll_depth_comes_by_quarters_and_engaged_time_adds_up(visit: Visit) -> None:
    page = visit.open('<div style="height: 4000px">', 'data-heartbeat="0.5"', viewport={"width": 800, "height": 500})
    visit.ready()
    page.mouse.wheel(0, 700)
    visit.collector.wait_for(lambda _: "scroll" in kinds(visit.landed()))
    page.mouse.wheel(0, 9000)
    visit.collector.wait_for(lambda _: kinds(visit.landed()).count("scroll") == 2)
    visit.collector.wait_for(lambda _: kinds(visit.landed()).count("engagement") >= 2)
    visit.leave()
    visit.collector.wait_for(lambda _: bool(visit.landed()))
    events = visit.landed()
    assert [event["scroll_pct"] for event in events if event["event"] == "scroll"] == [25.0, 100.0]
    engaged = [event for event in events if event["event"] == "engagement"]
    assert all(event["dwell_ms"] > 0 for event in engaged)
    assert engaged[-1]["scroll_pct"] == 100.0
    span = max(event["client_time"] for event in events) - min(event["client_time"] for event in events)
    assert sum(event["dwell_ms"] for event in engaged) <= span + 100


def test_a_media_element_plays_pauses_and_ends_once(visit: Visit) -> None:
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(b"\x80" * 4000)  # half a second
    visit.site.put("/sound.wav", sound.getvalue())
    page = visit.open('<audio src="/sound.wav?token=1" data-nextclick-item-id="song"></audio>')
    visit.ready()
    page.evaluate(
        """async () => {
        const audio = document.querySelector('audio'), on = type => new Promise(done => audio['on' + type] = done)
        await audio.play()
        const paused = on('pause'); audio.pause(); await paused
        const ended = on('ended'); await audio.play(); await ended
        }"""
    )
    events = visit.wait("ended")
    assert kinds(events) == ["page_view", "play", "pause", "play", "ended"]
    assert {event["item_id"] for event in events[1:]} == {"song"}
    assert events[-1]["properties"]["media_url"].endswith("/sound.wav")
    assert events[-1]["properties"]["media_duration"] == "0.5"


def test_pages_that_scripts_turn_are_page_views(visit: Visit) -> None:
    page = visit.open()
    visit.ready()
    name = visit.name
    page.evaluate(
        f"""() => {{
        history.pushState({{}}, '', '/{name}/shoes')
        history.replaceState({{}}, '', '/{name}/shoes?colour=red')
        document.title = 'Shoes' }}"""
    )
    page.wait_for_timeout(100)
    page.evaluate(f"history.pushState({{}}, '', '/{name}/find?q=hats'); nextclick('view_item', {{item_id: 'A1'}})")
    page.go_back()
    page.wait_for_timeout(100)
    page.evaluate("location.hash = 'reviews'")
    events = visit.wait("page_view", 4)
    seen = [(event["event"], event["page_url"].partition(name)[2]) for event in events]
    assert seen == [
        ("page_view", ""),
        ("page_view", "/shoes?colour=red"),
        ("page_view", "/find?q=hats"),
        ("search", "/find?q=hats"),
        ("view_item", "/find?q=hats"),
        ("page_view", "/shoes?colour=red"),
    ]
    assert events[1]["properties"]["title"] == "Shoes"
    assert events[2]["referrer"].endswith("/shoes?colour=red")
    assert sum(event["event"] == "engagement" for event in visit.landed()) <= 4


def test_hashes_are_pages_where_asked_for(visit: Visit) -> None:
    page = visit.open(options="data-hash")
    visit.ready()
    page.evaluate("location.hash = '/cart'")
    page.wait_for_timeout(100)
    events = visit.wait("page_view", 2)
    assert [event["page_url"].rpartition("/")[2] for event in events] == [visit.name, "cart"]


GA4 = """{event: 'view_item_list', ecommerce: {item_list_id: 'l1', item_list_name: 'Sale', currency: 'EUR', items: [
  {item_id: 'A1', item_name: 'Shoe', item_category: 'Shoes', index: 0, promotion_name: 'May'},
  {item_id: 'A2', item_name: 'Hat', index: 1}]}}"""
ORDER = """{event: 'purchase', ecommerce: {transaction_id: 'T1', value: 30, currency: 'EUR', tax: 2,
  items: [{item_id: 'A1', price: 10, quantity: 2}, {item_id: 'A2', price: 10}]}}"""
LEGACY = """{ecommerce: {currencyCode: 'EUR', purchase: {actionField: {id: 'T2', revenue: '9.90', coupon: 'C'},
  products: [{id: 'B1', name: 'Bag', category: 'Bags', brand: 'X', price: '9.90', quantity: 1}]}}}"""


def test_the_data_layer_is_read_past_and_to_come(visit: Visit) -> None:
    page = visit.open(f"<script>dataLayer = [{{'gtm.start': 1, event: 'gtm.js'}}, null, 7, {GA4}]</script>")
    visit.ready()
    page.evaluate(
        f"""() => {{
        function gtag() {{ dataLayer.push(arguments) }}
        gtag('js', new Date()); gtag('config', 'G-1'); gtag('event', 'page_view', {{}})
        gtag('event', 'add_to_cart', {{currency: 'EUR', items: [{{item_id: 'A1', price: 10, quantity: 1}}]}})
        gtag('event', 'search', {{search_term: 'hats'}}); gtag('event', 'view_search_results', {{search_term: 'hats'}})
        dataLayer.push({{event: 'begin_checkout', ecommerce: {{value: 5, items: [{{item_id: 'A1'}}]}}}}, {{ecommerce: null}})
        dataLayer.push({ORDER}); dataLayer.push({ORDER})
        dataLayer.push({{event: 'select_promotion', ecommerce: {{promotion_id: 'P1', items: [{{item_id: 'A9'}}]}}}}) }}"""
    )
    events = visit.wait("click")
    assert kinds(events) == [
        "page_view", "impression", "impression", "add_to_cart", "search", "begin_checkout", "purchase", "purchase", "click",
    ]  # fmt: skip
    first, second = events[1:3]
    assert (first["item_id"], first["name"], first["category"], first["position"]) == ("A1", "Shoe", "Shoes", 1)
    assert (first["list_id"], first["surface"], first["currency"]) == ("l1", "Sale", "EUR")
    assert (second["item_id"], second["position"]) == ("A2", 2)
    assert events[4]["query"] == "hats"
    assert events[5]["properties"]["items"] == '[{"item_id":"A1"}]'
    assert [(each["order_id"], each["item_id"], each["price"], each.get("quantity")) for each in events[6:8]] == [
        ("T1", "A1", "10", 2),
        ("T1", "A2", "10", None),
    ]
    assert events[6]["properties"]["tax"] == "2"
    assert (events[8]["surface"], events[8]["list_id"], events[8]["item_id"]) == ("promotion", "P1", "A9")


def test_the_data_layer_of_universal_analytics_is_read_and_an_order_shown_again_is_no_second(visit: Visit) -> None:
    page = visit.open(
        f"""<script>dataLayer = [{LEGACY}, {{ecommerce: {{detail: {{actionField: {{list: 'Best'}},
        products: [{{id: 'B1', price: 9.9}}]}}, impressions: [{{id: 'B2', list: 'Also', position: 4}}]}}}},
        {{event: 'x', ecommerce: {{promoClick: {{promotions: [{{id: 'P', name: 'May', position: 'top'}}]}}}}}}]</script>"""
    )
    visit.ready()
    page.reload()
    visit.ready()
    events = visit.wait("view_item", 2)
    assert Counter(kinds(events)) == {"page_view": 2, "purchase": 1, "impression": 2, "view_item": 2, "click": 2}
    bought = next(event for event in events if event["event"] == "purchase")
    assert (bought["order_id"], bought["item_id"], bought["name"], bought["price"]) == ("T2", "B1", "Bag", "9.90")
    assert bought["properties"] == {"brand": "X", "coupon": "C", "value": "9.90"}
    listed = next(event for event in events if event["event"] == "impression")
    assert (listed["item_id"], listed["surface"], listed["position"]) == ("B2", "Also", 4)
    promoted = next(event for event in events if event["event"] == "click")
    assert (promoted["list_id"], promoted["name"], promoted["surface"]) == ("P", "May", "promotion")


def test_a_tag_manager_that_strips_attributes_installs_it(visit: Visit) -> None:
    """As Google Tag Manager runs a Custom HTML tag: a new script element that has the address alone."""
    page = visit.open(options='data-key="direct"')
    visit.ready()
    visit.leave()
    address = f"{visit.collector.address}/n.js?key=managed&cookieless"
    visit.site.put(
        f"/{visit.name}",
        f"""<script>dataLayer = [{{event: 'gtm.js'}}, {GA4}]
        const tag = document.createElement('script'); tag.src = '{address}'; tag.async = true
        document.head.append(tag); document.head.append(tag.cloneNode())</script>""",
    )
    with page.expect_request("**/v1/events") as sent:
        page.goto(f"{visit.site.address}/{visit.name}/managed")
    events = visit.wait("impression", 2)
    managed = [event for event in events if event["page_url"].endswith("/managed")]
    assert kinds(managed) == ["page_view", "impression", "impression"]
    assert sent.value.post_data_json["key"] == "managed"


@pytest.mark.parametrize(
    "signal",
    [
        "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})",
        "Object.defineProperty(Navigator.prototype, 'doNotTrack', {get: () => '1'})",
    ],
    ids=["global privacy control", "do not track"],
)
def test_who_does_not_want_it_is_not_tracked(visit: Visit, signal: str) -> None:
    page = visit.open('<a id="a" data-nextclick-click>x</a>', script=signal)
    page.wait_for_function("!!window.nextclick")
    page.evaluate("nextclick('consent', true); nextclick('add_to_cart', {item_id: 'A1'})")
    page.click("#a")
    assert page.evaluate(KEPT) == 0
    visit.leave()
    visit.open(path="/willing")
    visit.ready()
    assert [event["page_url"].rpartition("/")[2] for event in visit.wait("page_view")] == ["willing"]


def test_nothing_is_kept_or_sent_before_consent_and_all_after(visit: Visit) -> None:
    page = visit.open(options="data-consent")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    visit.ready()
    page.evaluate("nextclick('view_item', {item_id: 'A1'})")
    page.wait_for_timeout(1100)  # longer than a batch waits
    assert (posts, page.evaluate(KEPT)) == ([], 0)
    page.evaluate(GRANTED, True)
    visit.collector.wait_for(lambda _: "view_item" in kinds(visit.landed()))
    page.reload()  # the answer is remembered
    visit.ready()
    events = visit.wait("page_view", 2)
    assert kinds(events) == ["page_view", "view_item", "page_view"]


def test_each_event_says_what_its_visitor_allowed_and_the_time_zone(visit: Visit) -> None:
    page = visit.open(timezone_id="Europe/Vienna")
    visit.ready()
    visit.collector.wait_for(lambda _: "page_view" in kinds(visit.landed()))
    page.evaluate(GRANTED, {"analytics": True, "personalization": "denied"})
    page.evaluate("nextclick('view_item', {item_id: 'A1'})")
    page.reload()  # the answer is remembered
    visit.ready()
    page.evaluate("nextclick('view_item', {item_id: 'A2'})")
    visit.collector.wait_for(lambda _: "A2" in [event.get("item_id") for event in visit.landed()])
    page.evaluate(GRANTED, True)
    page.evaluate("nextclick('view_item', {item_id: 'A3'})")
    events = visit.wait("view_item", 3)
    assert {event["timezone"] for event in events} == {"Europe/Vienna"}
    some, all_of_it = {"analytics": True, "personalization": False}, dict.fromkeys(PURPOSES, True)
    assert [event.get("consent") for event in events] == [None, some, some, some, all_of_it]


def test_who_allows_no_analytics_is_not_tracked(visit: Visit) -> None:
    page = visit.open(options="data-consent")
    visit.ready()
    page.evaluate(GRANTED, {"analytics": False, "personalization": True})
    page.evaluate("nextclick('view_item', {item_id: 'A1'})")
    assert page.evaluate(KEPT) == 1  # the answer
    page.evaluate(GRANTED, True)
    assert kinds(visit.wait("page_view")) == ["page_view"]


def test_consent_taken_back_forgets_the_visitor_and_given_again_makes_another(visit: Visit) -> None:
    page = visit.open()
    visit.ready()
    visit.collector.wait_for(lambda _: "page_view" in kinds(visit.landed()))
    page.evaluate(GRANTED, False)
    page.evaluate("nextclick('view_item', {item_id: 'A1'})")
    assert page.evaluate("document.cookie") == ""
    page.reload()
    visit.ready()
    page.evaluate("nextclick('view_item', {item_id: 'A2'})")
    page.evaluate(GRANTED, True)
    events = visit.wait("page_view", 2)
    assert kinds(events) == ["page_view", "page_view"]
    assert len({event["visitor_id"] for event in events}) == 2


def test_without_cookies_nothing_is_stored_and_the_visitor_is_known_for_the_day(visit: Visit) -> None:
    page = visit.open(options='data-key="k1" data-cookieless')
    visit.ready()
    page.goto(f"{visit.site.address}/{visit.name}/second")
    visit.ready()
    assert page.evaluate(KEPT) == 0
    visit.wait("page_view", 2)
    visit.open(options='data-key="k1" data-cookieless', path="/third", user_agent="Another/1.0")
    events = visit.collector.wait_for(lambda _: kinds(visit.landed()).count("page_view") == 3) and visit.landed()
    ids = [event["visitor_id"] for event in events if event["event"] == "page_view"]
    assert ids[0] == ids[1] != ids[2]


def test_a_browser_that_takes_no_cookies_is_cookieless(visit: Visit) -> None:
    refusing = (
        "Object.defineProperty(Document.prototype, 'cookie', {get() { throw new Error }, set() { throw new Error }})"
    )
    visit.open(script=refusing)
    visit.ready()
    assert len(visit.wait("page_view")[0]["visitor_id"]) == 32


def test_a_visitor_keeps_an_id_of_the_site_for_13_months(visit: Visit) -> None:
    page = visit.open()
    visit.ready()
    visit.leave()
    page.goto(f"{visit.site.address}/{visit.name}/second")
    visit.ready()
    (cookie,) = page.context.cookies()
    first, second = visit.wait("page_view", 2)
    assert first["visitor_id"] == second["visitor_id"] == cookie["value"]
    months = (cookie["expires"] - first["client_time"] / 1000) / 86400
    assert months == pytest.approx(395, abs=1)
    assert (cookie["domain"], cookie["path"], cookie["sameSite"]) == ("127.0.0.1", "/", "Lax")


def test_what_could_not_be_sent_waits_in_the_browser_and_arrives_once(
    site: Site, open_page: Open, tmp_path: Path
) -> None:
    """From a page that stays, which sends again by itself, and from one that was left, once its site is visited again."""
    with collecting(tmp_path / "lake") as first:
        left, stays = (Visit(first, site, open_page, name) for name in ("left", "stays"))
        for visit in (left, stays):
            visit.open()
            visit.ready()
        first.wait_for(lambda _: all("page_view" in kinds(visit.landed()) for visit in (left, stays)))
        first.stop()
    unsent = "JSON.parse(localStorage._nextclickretry || '[]').length"
    for visit in (left, stays):
        visit.page.evaluate("nextclick('view_item', {item_id: 'A1'})")
        visit.page.wait_for_function(f"{unsent} >= 1")
    left.page.evaluate("nextclick('add_to_cart', {item_id: 'A1'})")
    left.leave()  # with one that failed and one that was never sent
    with collecting(tmp_path / "lake", "--port", str(first.port)) as left.collector:
        left.page.goto(f"{site.address}/left/back")
        left.ready()
        left.collector.wait_for(lambda _: "add_to_cart" in kinds(left.landed()))
        assert left.page.evaluate(unsent) == 0
        events = left.wait("page_view", 2)
        left.collector.wait_for(lambda _: "view_item" in kinds(stays.landed()))
    assert Counter(kinds(events)) == {"page_view": 2, "view_item": 1, "add_to_cart": 1}
    assert len({event["event_id"] for event in left.landed()}) == len(left.landed())
    assert Counter(kinds(stays.landed()))["view_item"] == 1

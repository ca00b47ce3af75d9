"""Snowplow's, PostHog's and Mixpanel's own libraries for browsers, unchanged, in a real Chromium."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from nextclick.settings import DEFAULT_CONF
from tests.collector_process import Collector, Records, collecting
from tests.e2e.browsing import Site, chromium, serving
from tests.npm import installed

PACKAGES: Final = ("@snowplow/browser-tracker@4.10.1", "posthog-js@1.449.2", "mixpanel-browser@2.83.0")
SCRIPTS: Final = {
    "snowplow": "@snowplow/browser-tracker/dist/index.umd.min.js",
    "posthog": "posthog-js/dist/array.full.no-external.js",
    "mixpanel": "mixpanel-browser/dist/mixpanel.umd.js",
}
ORDER: Final = """{order_id: 'o1', currency: 'EUR',
  products: [{product_id: 'A1', price: 5, quantity: 2}, {product_id: 'A2', price: 3, quantity: 1}]}"""
COMMERCE: Final = "iglu:com.snowplowanalytics.snowplow.ecommerce"
CODE: Final = {
    "snowplow": f"""
        const tracker = snowplowBrowserTracking
        const entity = (name, data) => ({{schema: `{COMMERCE}/${{name}}/jsonschema/1-0-0`, data}})
        tracker.newTracker('sp', COLLECTOR, {{appId: 'shop'}})
        tracker.enableActivityTracking({{minimumVisitLength: 1, heartbeatDelay: 1}})
        tracker.trackPageView()
        tracker.setUserId('ann')
        tracker.trackStructEvent({{category: 'video', action: 'like'}})
        tracker.trackSelfDescribingEvent({{
          event: {{schema: '{COMMERCE}/snowplow_ecommerce_action/jsonschema/1-0-2', data: {{type: 'transaction'}}}},
          context: [entity('transaction', {{transaction_id: 'o1', revenue: 13, currency: 'EUR'}}),
            entity('product', {{id: 'A1', category: 'shoes', price: 5, quantity: 2, currency: 'EUR'}}),
            entity('product', {{id: 'A2', category: 'hats', price: 3, quantity: 1, currency: 'EUR'}})]}})""",
    "posthog": f"""
        posthog.init('K', {{api_host: COLLECTOR, request_queue_config: {{flush_interval_ms: 250}},
          opt_out_useragent_filter: true}})  // of a browser that a program drives it sends nothing
        posthog.capture('Product Viewed', {{product_id: 'A1', price: 5}})
        posthog.identify('ann', {{plan: 'pro'}})
        posthog.capture('Order Completed', {ORDER})""",
    "mixpanel": f"""
        mixpanel.init('K', {{api_host: COLLECTOR, track_pageview: true, batch_flush_interval_ms: 250}})
        mixpanel.track('Product Viewed', {{product_id: 'A1', price: 5}})
        mixpanel.identify('ann')
        mixpanel.people.set({{plan: 'pro'}})
        mixpanel.track('Order Completed', {ORDER})""",
}


class Visited(NamedTuple):
    """What was landed of the pages, and what their browser complained of."""

    collector: Collector
    complaints: list[str]

    def events(self, tracker: str, last: str) -> dict[str, Records]:
        """A tracker's events by kind, once `last` is there."""

        def own(records: Records) -> Records:
            return [record for record in records if record["source"] == tracker]

        landed = own(self.collector.wait_for(lambda records: last in [record["event"] for record in own(records)]))
        return {
            kind: [each for each in landed if each["event"] == kind] for kind in Counter(r["event"] for r in landed)
        }


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def collector(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that takes cookies' bearers of the site's pages: Snowplow's library sends them unless told not to."""
    folder = tmp_path_factory.mktemp("trackers")
    text = (DEFAULT_CONF / "default.toml").read_text()
    (folder / "default.toml").write_text(text.replace("origins = []", f'origins = ["{site.address}"]', 1))
    with collecting(folder / "lake", "--conf-dir", str(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def visited(collector: Collector, site: Site, request: pytest.FixtureRequest) -> Iterator[Visited]:
    """One page a tracker, visited and left."""
    with chromium() as browser:
        assert request.config.cache
        modules = installed(request.config.cache, *PACKAGES)
        complaints: list[str] = []
        pages = [_visit(browser(), site, collector, modules, name, complaints) for name in SCRIPTS]
        tracked = Visited(collector, complaints)
        tracked.events("snowplow", "engagement")
        tracked.events("posthog", "purchase")
        tracked.events("mixpanel", "identify")
        for page in pages:
            page.goto("about:blank")
        yield tracked


def _visit(page: Any, site: Site, collector: Collector, modules: Path, name: str, complaints: list[str]) -> Any:
    site.put(f"/{name}.js", (modules / SCRIPTS[name]).read_bytes())
    code = CODE[name].replace("COLLECTOR", f"'{collector.address}'")
    body = f'<body style="height: 3000px"><script src="/{name}.js"></script><script>{code}</script>'
    site.put(f"/{name}", f'<!doctype html><title>{name}</title><link rel="icon" href="data:">{body}')
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{site.address}/{name}?utm_source=mail")
    page.mouse.wheel(0, 500)
    return page


def orders(events: Records) -> list[tuple[Any, ...]]:
    return [(each["order_id"], each["item_id"], each["price"], each["quantity"], each["currency"]) for each in events]


BOUGHT: Final = [("o1", "A1", "5", 2, "EUR"), ("o1", "A2", "3", 1, "EUR")]


def test_snowplows_library_sends_here(visited: Visited) -> None:
    events = visited.events("snowplow", "engagement")
    (viewed,) = events["page_view"]
    assert viewed["page_url"].endswith("/snowplow?utm_source=mail")
    assert viewed["properties"]["aid"] == "shop"
    assert events["like"][0]["user_id"] == "ann"
    assert orders(events["purchase"]) == BOUGHT
    assert events["engagement"][0]["dwell_ms"] > 0


def test_posthogs_library_sends_here(visited: Visited) -> None:
    events = visited.events("posthog", "engagement")
    (viewed,) = events["page_view"]
    assert (viewed["page_url"].endswith("/posthog?utm_source=mail"), viewed["utm_source"]) == (True, "mail")
    assert (events["view_item"][0]["item_id"], events["view_item"][0]["price"]) == ("A1", "5")
    (known,) = events["identify"]
    assert (known["user_id"], known["visitor_id"]) == ("ann", viewed["visitor_id"])
    assert orders(events["purchase"]) == BOUGHT
    assert events["purchase"][0]["user_id"] == "ann"
    assert events["engagement"][0]["dwell_ms"] > 0


def test_mixpanels_library_sends_here(visited: Visited) -> None:
    events = visited.events("mixpanel", "purchase")
    (viewed,) = events["page_view"]
    assert (viewed["page_url"].endswith("/mixpanel?utm_source=mail"), viewed["utm_source"]) == (True, "mail")
    assert (events["view_item"][0]["item_id"], events["view_item"][0]["price"]) == ("A1", "5")
    assert {(each["user_id"], each["visitor_id"]) for each in events["identify"]} == {("ann", viewed["visitor_id"])}
    assert orders(events["purchase"]) == BOUGHT


def test_nothing_is_rejected_and_no_library_complains(visited: Visited) -> None:
    assert visited.collector.rejects() == []
    assert visited.complaints == []

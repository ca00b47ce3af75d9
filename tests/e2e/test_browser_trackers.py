"""Own libraries of Snowplow, PostHog, Mixpanel, RudderStack and Jitsu for browsers, unchanged, in a real Chromium."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from nextclick.settings import DEFAULT_CONF
from tests.collector_process import Collector, Records, collecting
from tests.e2e.browsing import Browser, Site, serving
from tests.npm import installed

PACKAGES: Final = (
    "@snowplow/browser-tracker@4.10.1", "posthog-js@1.449.2", "mixpanel-browser@2.83.0",
    "rudder-sdk-js@2.52.21", "@rudderstack/analytics-js@3.34.1", "@jitsu/js@1.11.0",
)  # fmt: skip
SCRIPTS: Final = {
    "snowplow": "@snowplow/browser-tracker/dist/index.umd.min.js",
    "posthog": "posthog-js/dist/array.full.no-external.js",
    "mixpanel": "mixpanel-browser/dist/mixpanel.umd.js",
    "rudder2": "rudder-sdk-js/dist/npm/index.js",
    "rudder2beacon": "rudder-sdk-js/dist/npm/index.js",
    "rudder3": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
    "rudder3beacon": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
    "jitsu": "@jitsu/js/dist/jitsu.es.js",
}
SEGMENTS: Final = ("rudder2", "rudder2beacon", "rudder3", "rudder3beacon", "jitsu")
ORDER: Final = """{order_id: 'o1', currency: 'EUR',
  products: [{product_id: 'A1', price: 5, quantity: 2}, {product_id: 'A2', price: 3, quantity: 1}]}"""
COMMERCE: Final = "iglu:com.snowplowanalytics.snowplow.ecommerce"
SAME: Final = f"""
    client.page()
    client.track('Product Viewed', {{product_id: 'A1', price: 5}})
    client.identify('ann', {{plan: 'pro'}})
    for (let n = 0; n < 20; n++) client.track('Liked', {{n}})
    client.track('Order Completed', {ORDER})"""
"""What those that speak Segment's protocol are called to send; each in the name of a visitor who is named as the tracker."""
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
    **{
        name: f"""
        const client = rudderanalytics.RudderAnalytics ? new rudderanalytics.RudderAnalytics() : rudderanalytics
        const useBeacon = {"true" if "beacon" in name else "false"}
        client.load('K', COLLECTOR, {{configUrl: COLLECTOR, useBeacon, beaconQueueOptions: {{flushQueueInterval: 250}}}})
        client.setAnonymousId('{name}')
        {SAME}"""
        for name in ("rudder2", "rudder2beacon", "rudder3", "rudder3beacon")
    },
    "jitsu": f"""
        import('/jitsu.js').then(async ({{jitsuAnalytics}}) => {{
          const client = jitsuAnalytics({{host: COLLECTOR, writeKey: 'shop:secret'}})
          await client.setAnonymousId('jitsu')
          {SAME}
        }})""",
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

    def visitor(self, name: str) -> Records:
        """The events of one visitor in Segment's protocol, once all that SAME calls for are there."""

        def own(records: Records) -> Records:
            return [record for record in records if record.get("visitor_id") == name]

        return own(self.collector.wait_for(lambda records: len(own(records)) >= 25))


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
def visited(collector: Collector, site: Site, browser: Browser, request: pytest.FixtureRequest) -> Visited:
    """One page a tracker, visited and left; one after another, since a page that is there costs a tenth of a new one."""
    assert request.config.cache
    modules = installed(request.config.cache, *PACKAGES)
    complaints: list[str] = []
    tracked = Visited(collector, complaints)
    last = {"snowplow": "engagement", "posthog": "purchase", "mixpanel": "identify"}
    for name in SCRIPTS:
        with browser.lending() as open_page:
            _visit(open_page(), site, collector, modules, name, complaints)
            tracked.events(name, last[name]) if name in last else tracked.visitor(name)
    return tracked


def _visit(page: Any, site: Site, collector: Collector, modules: Path, name: str, complaints: list[str]) -> None:
    site.put(f"/{name}.js", (modules / SCRIPTS[name]).read_bytes())
    code = CODE[name].replace("COLLECTOR", f"'{collector.address}'")
    library = "" if name == "jitsu" else f'<script src="/{name}.js"></script>'  # which is a module
    body = f'<body style="height: 3000px">{library}<script>{code}</script>'
    site.put(f"/{name}", f'<!doctype html><title>{name}</title><link rel="icon" href="data:">{body}')
    page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{site.address}/{name}?utm_source=mail")
    page.mouse.wheel(0, 500)


def is_complaint(message: Any) -> bool:
    """Whether it is an error; rudder-sdk-js says as one at each start that a newer library is there."""
    return message.type == "error" and not message.text.startswith(
        "This RudderStack JavaScript SDK package is deprecated"
    )


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


@pytest.mark.parametrize("name", SEGMENTS)
def test_rudderstacks_and_jitsus_libraries_send_here(visited: Visited, name: str) -> None:
    events = visited.visitor(name)
    kinds = Counter(each["event"] for each in events)
    assert kinds == {"page_view": 1, "view_item": 1, "identify": 1, "Liked": 20, "purchase": 2}
    by_kind = {each["event"]: each for each in events}
    assert (
        by_kind["page_view"]["page_url"].endswith(f"/{name}?utm_source=mail"),
        by_kind["page_view"]["utm_source"],
    ) == (True, "mail")
    assert (by_kind["view_item"]["item_id"], by_kind["view_item"]["price"]) == ("A1", "5")
    assert by_kind["identify"]["user_id"] == by_kind["purchase"]["user_id"] == "ann"
    assert orders([each for each in events if each["event"] == "purchase"]) == BOUGHT
    assert sorted(int(each["properties"]["n"]) for each in events if each["event"] == "Liked") == list(range(20))


def test_nothing_is_rejected_and_no_library_complains(visited: Visited) -> None:
    assert visited.collector.rejects() == []
    assert visited.complaints == []

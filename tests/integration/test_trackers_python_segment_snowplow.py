"""Segment's and Snowplow's own Python libraries, unchanged, send to a running collector."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from segment.analytics.client import Client
from snowplow_tracker.emitters import Emitter
from snowplow_tracker.events.page_ping import PagePing
from snowplow_tracker.events.page_view import PageView
from snowplow_tracker.events.screen_view import ScreenView
from snowplow_tracker.events.self_describing import SelfDescribing
from snowplow_tracker.events.structured_event import StructuredEvent
from snowplow_tracker.self_describing_json import SelfDescribingJson
from snowplow_tracker.subject import Subject
from snowplow_tracker.tracker import Tracker

from tests.collector_process import Collector, Records

SHOP = "iglu:com.snowplowanalytics.snowplow.ecommerce"
PRODUCT = {"product_id": "i1", "name": "Mug", "category": "home", "price": 7.5}
ORDER = {
    "order_id": "o1",
    "currency": "EUR",
    "total": 20.5,
    "products": [PRODUCT | {"quantity": 2}, {"product_id": "i2", "price": 5.5, "quantity": 1}],
}


def kinds(records: Records, source: str, visitor: str) -> list[str]:
    return sorted(r["event"] for r in records if r["source"] == source and r.get("visitor_id") == visitor)


def arrived(collector: Collector, source: str, visitor: str, count: int) -> dict[str, Any]:
    """A visitor's events, once there are `count`, by kind; of a kind the last by id."""
    landed = collector.wait_for(lambda records: len(kinds(records, source, visitor)) >= count)
    own = [record for record in landed if record["source"] == source and record.get("visitor_id") == visitor]
    assert len(own) == count
    return {record["event"]: record for record in sorted(own, key=lambda record: str(record["event_id"]))}


@pytest.mark.parametrize("gzip", [False, True])
def test_everything_that_segments_library_sends_arrives(collector: Collector, gzip: bool) -> None:
    failed: list[Exception] = []
    client = Client(
        "key", host=collector.address, gzip=gzip, upload_interval=0.05, on_error=lambda error, _: failed.append(error)
    )
    who: dict[str, Any] = {"anonymous_id": f"python-{gzip}"}
    client.page(**who, name="Home", properties={"url": "https://shop.example/", "title": "Home"})
    client.screen(**who, name="Start")
    client.track(**who, event="Product Viewed", properties=PRODUCT, message_id=f"own-{gzip}")
    client.track(**who, event="Product Added", properties=PRODUCT | {"quantity": 2})
    client.track(**who, event="Products Searched", properties={"query": "mug"})
    client.track(**who, event="Product List Viewed", properties={"list_id": "new", "products": ORDER["products"]})
    client.track(**who, event="Order Completed", properties=ORDER)
    client.track(**who, event="Mug Dropped", properties={"height": 1.5}, timestamp=datetime(2025, 5, 1, tzinfo=UTC))
    client.identify(**who, user_id="ann", traits={"plan": "pro"})
    client.group(**who, group_id="g1")
    client.alias("ann-before", "ann")
    client.shutdown()
    assert not failed

    events = arrived(collector, "segment", f"python-{gzip}", 12)
    assert events["view_item"]["event_id"] == f"own-{gzip}"
    assert {name: events["view_item"][name] for name in ("item_id", "name", "category", "price")} == {
        "item_id": "i1", "name": "Mug", "category": "home", "price": "7.5",
    }  # fmt: skip
    assert events["search"]["query"] == "mug"
    assert (events["impression"]["item_id"], events["impression"]["position"]) == ("i2", 2)
    assert (events["purchase"]["item_id"], events["purchase"]["order_id"]) == ("i2", "o1")
    assert events["purchase"]["event_id"].endswith("#1")
    assert events["Mug Dropped"]["client_time"] == 1_746_057_600_000
    assert (events["identify"]["user_id"], events["identify"]["properties"]["plan"]) == ("ann", "pro")
    assert events["group"]["properties"]["group_id"] == "g1"
    assert "user_agent" not in events["page_view"]
    assert abs(events["page_view"]["occurred_at"] - events["page_view"]["client_time"]) < 60_000
    aliases = [record for record in collector.landed() if record["event"] == "alias"]
    assert {record["properties"]["previous_id"] for record in aliases} == {"ann-before"}


@pytest.fixture(params=[("post", True), ("post", False), ("get", True), ("get", False)], ids=str)
def snowplow(request: pytest.FixtureRequest, collector: Collector) -> Iterator[tuple[Tracker, str]]:
    """A tracker of each way of sending, and its visitor; nothing may be left to send again."""
    method, packed = request.param
    visitor, failed = f"snowplow-{method}-{packed}", list[Any]()
    emitter = Emitter(
        "127.0.0.1", "http", collector.port, method, on_failure=lambda _, events: failed.extend(events)
    )  # fmt: skip
    subject = Subject().set_domain_user_id(visitor).set_user_id("ann").set_viewport(1200, 600)
    tracker = Tracker("shop", [emitter], subject, app_id="shop", encode_base64=packed)
    yield tracker, visitor
    assert not failed


def test_everything_that_snowplows_library_sends_arrives(collector: Collector, snowplow: tuple[Tracker, str]) -> None:
    tracker, visitor = snowplow
    products = [
        SelfDescribingJson(
            f"{SHOP}/product/jsonschema/1-0-0",
            {"id": item, "category": "home", "price": price, "currency": "EUR", "quantity": 1},
        )
        for item, price in (("i1", 7.5), ("i2", 5.5))
    ]
    order = SelfDescribingJson(
        f"{SHOP}/transaction/jsonschema/1-0-0", {"transaction_id": "o1", "revenue": 13, "currency": "EUR"}
    )

    def act(kind: str, *entities: SelfDescribingJson) -> SelfDescribing:
        schema = f"{SHOP}/snowplow_ecommerce_action/jsonschema/1-0-2"
        return SelfDescribing(SelfDescribingJson(schema, {"type": kind, "name": "new"}), context=list(entities))

    viewed = tracker.track(
        PageView("https://shop.example/?utm_source=x", page_title="Ünder", referrer="https://r.example/")
    )
    tracker.track(PagePing("https://shop.example/", min_x=0, max_x=0, min_y=0, max_y=300))
    tracker.track(StructuredEvent("video", "like", label="intro", value=3.5))
    tracker.track(ScreenView("screen-1", "Start"))
    tracker.track(act("product_view", products[0]))
    tracker.track(act("add_to_cart", products[0]))
    tracker.track(act("list_view", *products))
    tracker.track(act("transaction", *products, order))
    tracker.track(
        SelfDescribing(SelfDescribingJson("iglu:com.acme/mug_dropped/jsonschema/1-0-0", {"height": 1.5}), true_timestamp=1_746_057_600_000)
    )  # fmt: skip
    tracker.flush()

    events = arrived(collector, "snowplow", visitor, 11)
    assert kinds(collector.landed(), "snowplow", visitor).count("page_view") == 2
    page = next(record for record in collector.landed() if record["event_id"] == viewed)
    assert (page["page_url"], page["referrer"]) == ("https://shop.example/?utm_source=x", "https://r.example/")
    assert (page["user_id"], page["properties"]["page"]) == ("ann", "Ünder")
    assert "user_agent" not in page
    assert events["engagement"]["dwell_ms"] == 10_000
    assert events["like"]["properties"]["se_la"] == "intro"
    assert (events["view_item"]["item_id"], events["view_item"]["price"]) == ("i1", "7.5")
    assert (events["impression"]["item_id"], events["impression"]["position"]) == ("i2", 2)
    assert (events["purchase"]["item_id"], events["purchase"]["order_id"]) == ("i2", "o1")
    assert events["purchase"]["event_id"].endswith("#1")
    assert events["mug_dropped"]["occurred_at"] == 1_746_057_600_000


def test_a_poison_event_is_kept_in_quarantine_and_snowplows_library_does_not_send_it_again(
    collector: Collector,
) -> None:
    answers: list[str] = []
    emitter = Emitter(
        "127.0.0.1", "http", collector.port, on_success=lambda _: answers.append("ok"), on_failure=lambda *_: answers.append("again")
    )  # fmt: skip
    Tracker("shop", [emitter]).track(PageView("https://shop.example/poison"))
    emitter.flush()
    assert answers == ["ok"]
    (reject,) = collector.wait_for_rejects(1)
    assert (reject["reason"], reject["source"]) == ("missing_visitor", "snowplow")
    assert "poison" in reject["payload"]

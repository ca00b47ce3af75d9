"""The Python libraries of Mixpanel, PostHog and Amplitude, unchanged, send to a running collector."""

from datetime import UTC, datetime
from typing import Any

import pytest
from amplitude import Amplitude, BaseEvent, EventOptions, Identify, Revenue
from mixpanel import BufferedConsumer, Consumer, Mixpanel, MixpanelException
from posthog import Posthog
from posthog.capture_mode import CaptureMode

from tests.collector_process import Collector

PRODUCT = {"product_id": "i1", "name": "Mug", "category": "home", "price": 7.5}
ORDER = {
    "order_id": "o1",
    "currency": "EUR",
    "products": [PRODUCT | {"quantity": 2}, {"product_id": "i2", "price": 5.5, "quantity": 1}],
}
SECOND = 1_746_057_600


def arrived(collector: Collector, source: str, who: str, count: int) -> dict[str, Any]:
    """What one visitor or user did, once it is `count` events, by kind; of a kind the last by id."""

    def own(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            each
            for each in records
            if each["source"] == source and who in (each.get("visitor_id"), each.get("user_id"))
        ]

    events = own(collector.wait_for(lambda records: len(own(records)) >= count))
    assert len(events) == count
    return {each["event"]: each for each in sorted(events, key=lambda each: str(each["event_id"]))}


def shopped(events: dict[str, Any]) -> None:
    """The product view and the order of a visitor are whole."""
    view, last = events["view_item"], events["purchase"]
    assert (view["item_id"], view["name"], view["category"], view["price"]) == ("i1", "Mug", "home", "7.5")
    assert (last["item_id"], last["order_id"], last["price"], last["quantity"]) == ("i2", "o1", "5.5", 1)
    assert last["event_id"].endswith("#1")
    assert "user_agent" not in view


@pytest.mark.parametrize("kind", [Consumer, BufferedConsumer])
def test_everything_that_mixpanels_library_sends_arrives(collector: Collector, kind: Any) -> None:
    verbs = {"events": "track", "people": "engage", "groups": "groups", "import": "import"}
    consumer = kind(**{f"{name}_url": f"{collector.address}/{path}" for name, path in verbs.items()})
    client, who = Mixpanel("token", consumer), f"mixpanel-{kind.__name__}"
    client.track(who, "Song Liked", {"stars": 5, "$insert_id": f"own-{who}", "time": SECOND})
    client.track(who, "Product Viewed", PRODUCT)
    client.track(who, "Order Completed", ORDER)
    client.import_data("key", who, "Long Ago", SECOND - 10**8)
    client.merge("key", who, f"{who}-before")
    client.people_set(who, {"plan": "pro", "since": datetime(2025, 5, 1)})
    client.group_set("company", "acme", {"size": 3})
    if isinstance(consumer, BufferedConsumer):
        consumer.flush()

    events = arrived(collector, "mixpanel", who, 7)
    shopped(events)
    liked = events["Song Liked"]
    assert (liked["event_id"], liked["client_time"], liked["properties"]["stars"]) == (f"own-{who}", SECOND * 1000, "5")
    assert events["Long Ago"]["client_time"] == (SECOND - 10**8) * 1000
    assert events["identify"]["properties"]["$set"] == '{"plan":"pro","since":"2025-05-01T00:00:00"}'
    assert events["alias"]["properties"]["previous_id"] == f"{who}-before"
    assert {reject["reason"] for reject in collector.wait_for_rejects(1) if reject["source"] == "mixpanel"} == {
        "group_profile"
    }


def test_mixpanels_library_hears_why_an_event_was_not_taken(collector: Collector) -> None:
    client = Mixpanel("token", Consumer(events_url=f"{collector.address}/track"))
    with pytest.raises(MixpanelException, match="neither a visitor's nor a user's id"):
        client.track("", "Song Liked")


@pytest.mark.parametrize("mode", [CaptureMode.V0, CaptureMode.V1])
@pytest.mark.parametrize("gzip", [False, True])
def test_everything_that_posthogs_library_sends_arrives(collector: Collector, mode: CaptureMode, gzip: bool) -> None:
    failed: list[Exception] = []
    client = Posthog(
        "key",
        host=collector.address,
        gzip=gzip,
        capture_mode=mode,
        flush_interval=0.05,
        on_error=lambda error, _: failed.append(error),
    )
    who, uuid = f"posthog-{mode.name}-{gzip}", f"00000000-0000-4000-8000-0000000000{mode.name[1]}{int(gzip)}"
    client.capture("Song Liked", distinct_id=who, properties={"stars": 5}, uuid=uuid)
    client.capture("$pageview", distinct_id=who, properties={"$current_url": "https://shop.example/"})
    client.capture("Product Viewed", distinct_id=who, properties=PRODUCT)
    client.capture("Order Completed", distinct_id=who, properties=ORDER)
    client.capture("Long Ago", distinct_id=who, timestamp=datetime.fromtimestamp(SECOND, UTC))
    client.set(distinct_id=who, properties={"plan": "pro"})
    client.alias(who, f"{who}-other")
    client.group_identify("company", "acme", {"size": 3}, distinct_id=f"{who}-group")
    client.shutdown()
    assert not failed

    events = arrived(collector, "posthog", who, 8)
    shopped(events)
    assert (events["Song Liked"]["event_id"], events["Song Liked"]["properties"]["stars"]) == (uuid, "5")
    assert events["page_view"]["page_url"] == "https://shop.example/"
    assert events["Long Ago"]["client_time"] == SECOND * 1000
    assert events["identify"]["properties"]["$set"] == '{"plan":"pro"}'
    assert events["alias"]["properties"]["previous_id"] == f"{who}-other"
    assert arrived(collector, "posthog", f"{who}-group", 1)["identify"]["properties"]["$group_key"] == "acme"


@pytest.mark.parametrize("batch", [False, True])
def test_everything_that_amplitudes_library_sends_arrives(collector: Collector, batch: bool) -> None:
    heard: list[tuple[int, str | None]] = []
    client, who = Amplitude("key"), f"amplitude-{batch}"
    client.configuration.server_url = collector.address + ("/batch" if batch else "/2/httpapi")
    client.configuration.flush_interval_millis = 50
    client.configuration.callback = lambda event, code, message=None: heard.append((code, message))
    client.track(
        BaseEvent(
            "Song Liked", who, f"{who}-device", time=SECOND * 1000, insert_id=f"own-{who}", session_id=SECOND * 1000
        )
    )
    client.track(BaseEvent("Product Viewed", who, event_properties=PRODUCT))
    client.track(BaseEvent("Order Completed", who, event_properties=ORDER))
    client.track(BaseEvent("Played", who, price=2.5, quantity=2, product_id="i3", ip="$remote", country="NO"))
    client.revenue(Revenue(3.5, 2, "i9", currency="EUR"), EventOptions(who, insert_id=f"0-{who}"))
    plan = Identify()
    plan.set("plan", "pro")
    client.identify(plan, EventOptions(who, f"{who}-device"))
    client.shutdown()

    events = arrived(collector, "amplitude", who, 7)
    shopped(events)
    liked = events["Song Liked"]
    assert (liked["event_id"], liked["client_time"], liked["session_hint"]) == (
        f"own-{who}",
        SECOND * 1000,
        f"{SECOND}000",
    )
    assert (events["Played"]["item_id"], events["Played"]["price"], events["Played"]["country"]) == ("i3", "2.5", "NO")
    assert (events["identify"]["visitor_id"], events["identify"]["user_id"]) == (f"{who}-device", who)
    assert events["identify"]["properties"]["$set"] == '{"plan":"pro"}'
    (sold,) = (each for each in collector.landed() if each.get("item_id") == "i9" and each["user_id"] == who)
    assert (sold["event"], sold["price"], sold["quantity"], sold["currency"]) == ("purchase", "3.5", 2, "EUR")
    assert {code for code, _ in heard} == {200}

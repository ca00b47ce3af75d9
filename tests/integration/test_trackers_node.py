"""Segment's, RudderStack's, Jitsu's and Snowplow's own libraries for node, unchanged, send to a running collector."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.collector_process import Collector
from tests.npm import installed

PACKAGES = (
    "@segment/analytics-node@3.1.0", "@snowplow/node-tracker@4.8.0", "@rudderstack/rudder-sdk-node@3.0.13", "@jitsu/js@1.11.0",
)  # fmt: skip
SNOWPLOW = ("node-post-true", "node-post-false", "node-get-true", "node-get-false")


@pytest.fixture(scope="module")
def sent(collector: Collector, request: pytest.FixtureRequest) -> Collector:
    """The collector, once the libraries have sent and were told that all of it arrived."""
    assert request.config.cache
    surroundings = os.environ | {"NODE_PATH": str(installed(request.config.cache, *PACKAGES))}
    script = Path(__file__).with_name("trackers.js")
    ran = subprocess.run(
        ["node", script, collector.address], env=surroundings, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == []
    return collector


def arrived(collector: Collector, visitor: str, count: int) -> dict[str, Any]:
    """A visitor's events, once there are `count`, by kind; of a kind the last by id."""

    def own(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [record for record in records if record.get("visitor_id") == visitor]

    events = own(collector.wait_for(lambda records: len(own(records)) >= count))
    assert len(events) == count
    return {record["event"]: record for record in sorted(events, key=lambda record: str(record["event_id"]))}


def test_everything_that_segments_library_sends_arrives(sent: Collector) -> None:
    events = arrived(sent, "node", 9)
    assert events["view_item"]["event_id"] == "own"
    assert (events["view_item"]["item_id"], events["view_item"]["price"]) == ("i1", "7.5")
    assert events["search"]["query"] == "mug"
    assert (events["purchase"]["item_id"], events["purchase"]["order_id"], events["purchase"]["currency"]) == (
        "i2", "o1", "EUR",
    )  # fmt: skip
    assert events["Mug Dropped"]["client_time"] == 1_746_057_600_000
    assert (events["identify"]["user_id"], events["identify"]["properties"]["plan"]) == ("ann", "pro")
    assert events["group"]["properties"]["group_id"] == "g1"
    aliases = [record for record in sent.landed() if record["event"] == "alias"]
    assert [(record["user_id"], record["properties"]["previous_id"]) for record in aliases] == [("ann", "ann-before")]


@pytest.mark.parametrize("visitor", ["rudder-node", "jitsu-node"])
def test_everything_that_rudderstacks_and_jitsus_libraries_send_arrives(sent: Collector, visitor: str) -> None:
    events = arrived(sent, visitor, 4)
    assert (events["view_item"]["item_id"], events["view_item"]["price"]) == ("i1", "7.5")
    assert (events["identify"]["user_id"], events["identify"]["properties"]["plan"]) == ("ann", "pro")
    assert (events["purchase"]["item_id"], events["purchase"]["order_id"], events["purchase"]["currency"]) == (
        "i2", "o1", "EUR",
    )  # fmt: skip


@pytest.mark.parametrize("visitor", SNOWPLOW)
def test_everything_that_snowplows_library_sends_arrives(sent: Collector, visitor: str) -> None:
    events = arrived(sent, visitor, 10)
    assert (events["page_view"]["page_url"], events["page_view"]["properties"]["page"]) == (
        "https://shop.example/", "Ünder",
    )  # fmt: skip
    assert events["page_view"]["user_id"] == "ann"
    assert events["engagement"]["dwell_ms"] == 10_000
    assert events["like"]["properties"]["se_ca"] == "video"
    assert events["search"]["query"] == "blue mug"
    assert (events["add_to_cart"]["item_id"], events["add_to_cart"]["price"]) == ("i1", "7.5")
    assert (events["impression"]["item_id"], events["impression"]["position"]) == ("i2", 2)
    bought = {
        (record["order_id"], record["item_id"], record["price"], record["quantity"])
        for record in sent.landed()
        if record.get("visitor_id") == visitor and record["event"] == "purchase"
    }
    assert bought == {("o0", "i3", "1.5", 3), ("o1", "i1", "7.5", 2), ("o1", "i2", "5.5", 1)}


def test_nothing_of_it_is_rejected(sent: Collector) -> None:
    assert sent.rejects() == []

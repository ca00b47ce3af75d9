"""The demo's abusers, as the detector sees them in what the trackers sent: it knows neither their names nor the file of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from demo.outcome.abuse_seen import abuse_seen
from demo.traffic.abuse import load_abuse, make_abuse, write_abuse
from demo.traffic.catalogue import make_catalogue
from demo.traffic.generate import make_traffic, write_traffic
from ml.jobs import anomalies
from nextclick.contracts.gold_anomalies import ABUSE
from nextclick.settings import load
from tests.demo_lines import as_collected
from tests.table_rows import write

_FIELDS = (
    "visitor_id",
    "event_id",
    "event",
    "item_id",
    "order_id",
    "currency",
    "quantity",
    "page_url",
    "referrer",
    "user_agent",
)


@pytest.mark.parametrize(
    ("seed", "visitors"),
    [(8, 300), *(pytest.param(*each, marks=pytest.mark.stress) for each in ((7, 600), (9, 1_400)))],
)
def test_abusers_are_suspected_and_hardly_anybody_else(seed: int, visitors: int, tmp_path: Path) -> None:
    settings = load(tmp_path / "lake", profile="demo", environ={})
    settings.lake.prepare()
    traffic = make_traffic(seed, visitors, timedelta(minutes=30))
    write_traffic(traffic, tmp_path)
    events = {event["event_id"]: event for event in as_collected(traffic.lines) if event.get("visitor_id")}
    rows = []
    for event in events.values():
        at = datetime.fromtimestamp(event["client_time"] / 1000, UTC)
        known = {name: event.get(name) for name in _FIELDS} | {"properties": [*event.get("properties", {}).items()]}
        rows.append(known | {"site": "default", "occurred_at": at, "received_at": datetime(2026, 11, 1, tzinfo=UTC)})
    write(settings.lake, "silver.events", rows)
    anomalies.run(settings)
    seen = abuse_seen(settings.lake, tmp_path)
    assert (seen.planted, seen.missed) == (max(7, visitors // 100), ())
    assert seen.recall >= 0.95
    assert seen.false_share <= 0.01
    assert seen.wrong <= 0.01 * visitors


def test_each_kind_of_abuse_is_there_and_comes_back_as_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    abusers, acts = make_abuse(rng, make_catalogue(rng, 12), visitors=60, days=2)
    assert [one.kind for one in abusers] == [*ABUSE]
    assert {fields["visitor_id"] for _, fields in acts} == {one.visitor_id for one in abusers}
    write_abuse(abusers, tmp_path)
    assert load_abuse(tmp_path) == abusers

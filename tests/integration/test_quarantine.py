"""`nextclick quarantine`: rejects are shown, and what is mended is taken once, however often it is replayed."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import cli
from nextclick.lake.paths import Lake
from nextclick.landing.reader import read_segment, segments
from tests import table_rows
from tests.collector_process import Collector, collecting

NOW = time.time_ns() // 1_000_000
LONG = {"event": "search", "visitor_id": "v", "timestamp": NOW, "query": "x" * 2_000}
WRONG = {"event": "view_item", "visitor_id": "v", "timestamp": "dear"}


def nextclick(lake: Lake, *call: str, **settings: str) -> Any:
    """The JSON that a call prints."""
    done = CliRunner().invoke(
        cli, ["--lake", str(lake.root), *call, "--json"], env=settings, obj=None, standalone_mode=False
    )
    assert done.exception is None, done.exception
    return json.loads(done.stdout)


@pytest.fixture
def stopped(tmp_path: Path) -> Collector:
    """A collector that rejected a long event (its limit was small) and a wrong one, in silver.quarantine by now."""
    with collecting(tmp_path / "lake", NEXTCLICK_LANDING__MAX_EVENT_BYTES="1000") as collector:
        for path, body in (
            ("/v1/events", [LONG, WRONG]),
            (
                "/v1/track",
                {
                    "type": "track",
                    "event": "Song Liked",
                    "anonymousId": "s",
                    "messageId": "m",
                    "properties": {"text": "x" * 2_000},
                },
            ),
        ):
            assert collector.post(path, body).status == 200
        collector.stop()
    _into_silver(collector.lake)
    return collector


def _into_silver(lake: Lake) -> None:
    """What ingest_rejects does, by hand: the quarantine log as rows of the table."""
    rows = []
    for segment in segments(lake.quarantine):
        for line in read_segment(segment.path):
            reject = json.loads(line.payload)
            assert line.position is not None
            assert line.received_at is not None
            rows.append(
                {
                    "seq": table_rows.seq(line.position, segment.path.name),
                    "origin": "door",
                    "replayable": True,
                    "source": line.source,
                    "received_at": datetime.fromtimestamp(line.received_at / 1000, UTC),
                }
                | {name: reject[name] for name in ("reason", "message", "payload")}
            )
    table_rows.write(lake, "silver.quarantine", rows)


def arrivals(log: Path) -> set[int | None]:
    """The times at which the lines of a log came."""
    return {line.received_at for segment in segments(log) for line in read_segment(segment.path)}


def test_rejects_are_counted_by_reason_and_shown_whole(stopped: Collector) -> None:
    rows = nextclick(stopped.lake, "quarantine", "list")
    assert {(row["reason"], row["source"], row["rejects"]) for row in rows} == {
        ("too_large", "plain", 1),
        ("too_large", "segment", 1),
        ("bad_time", "plain", 1),
    }
    [wrong] = nextclick(stopped.lake, "quarantine", "show", "--reason", "bad_time")
    assert json.loads(wrong["payload"]) == [WRONG]
    assert "'dear'" in wrong["message"]
    assert nextclick(stopped.lake, "quarantine", "show", wrong["id"]) == [wrong]


def test_a_replay_takes_what_is_mended_once_with_the_time_at_which_it_came(stopped: Collector) -> None:
    lake = stopped.lake
    nothing = nextclick(lake, "quarantine", "replay", NEXTCLICK_LANDING__MAX_EVENT_BYTES="1000")
    assert nothing["replayed"] == 0
    assert nothing["still_rejected"] == {"bad_time": 1, "too_large": 2}

    would = nextclick(lake, "quarantine", "replay", "--dry-run")
    assert (would["replayed"], stopped.landed()) == (2, [])
    mended = nextclick(lake, "quarantine", "replay")
    assert (mended["replayed"], mended["still_rejected"]) == (2, {"bad_time": 1})
    again = nextclick(lake, "quarantine", "replay")
    assert (again["replayed"], again["before"]) == (0, 2)

    landed = {event["event"]: event for event in stopped.landed()}
    assert len(landed["search"]["query"]) == 2_000
    assert landed["Song Liked"]["event_id"] == "m"
    assert arrivals(lake.landing) <= arrivals(lake.quarantine)


def test_a_lake_without_rejects_says_what_to_do(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["--lake", str(tmp_path), "quarantine", "list"])
    assert "Run `nextclick run`" in str(done.exception)

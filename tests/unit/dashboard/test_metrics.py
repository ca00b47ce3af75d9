"""`/metrics` of the dashboard: what a lake made by hand is said to be, and to whom."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from dashboard.app import app
from dashboard.watching.metrics import LakeMetrics, _number
from expectations.measures.facts import reconciled
from expectations.results import Result, append
from nextclick.lake import delta
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings, load
from tests.table_rows import write

Labels = tuple[str, ...]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / "lake", profile="test", environ={})
    settings.lake.prepare()
    return settings


def metrics(settings: Settings, now: float | None = None) -> dict[str, dict[Labels, float]]:
    """Name → values of its labels → value."""
    text = LakeMetrics(settings, *([lambda: now] if now else [])).text().decode()
    return {
        family.name.removeprefix("nextclick_"): {
            tuple(sample.labels.values()): sample.value for sample in family.samples
        }
        for family in text_string_to_metric_families(text)
    }


def result(**fields: Any) -> Result:
    usual: dict[str, Any] = {
        "table_name": "silver.events",
        "table_id": "a",
        "table_version": 1,
        "expectation": "residual",
    }
    usual |= {"meaning": "Nothing is lost.", "severity": "stop", "success": True, "scope": "all", "run_id": "r"}
    return Result(**{**usual, "checked_at": NOW, **fields})


def test_of_an_empty_lake_nothing_is_said_but_that_it_was_read(settings: Settings) -> None:
    there = metrics(settings)
    assert there.pop("readable") == {("tables",): 1, ("lag",): 1, ("checks",): 1, ("lists",): 1, ("anomalies",): 1}
    lag = there.pop("table_lag_seconds")
    assert {*lag.values()} == {0}
    assert {name: samples for name, samples in there.items() if samples} == {}


def test_anomalies_that_last_are_counted_by_what_they_are_and_others_are_none(settings: Settings) -> None:
    rows = [("traffic", "events", "open"), ("traffic", "sessions", "open"), ("click_flood", "i1", "closed")]
    write(settings.lake, "gold.anomalies", [{"kind": kind, "subject": of, "state": state} for kind, of, state in rows])
    there = metrics(settings)["anomalies_open"]
    assert {labels: count for labels, count in there.items() if count} == {("traffic", "notice"): 2}
    assert there["click_flood", "notice"] == there["traffic", "alarm"] == 0


def test_a_table_has_its_rows_version_and_time(settings: Settings) -> None:
    write(settings.lake, "gold.visits", [{"session_id": "a"}, {"session_id": "b"}])
    write(settings.lake, "gold.visits", [{"session_id": "c"}])
    there = metrics(settings)
    assert there["table_rows"] == {("gold.visits",): 3}
    assert there["table_version"] == {("gold.visits",): 1}
    written = there["table_written_timestamp_seconds"][("gold.visits",)]
    assert abs(written - datetime.now(UTC).timestamp()) < 3600


def test_checks_say_what_fails_what_stops_and_what_is_nowhere(settings: Settings) -> None:
    append(
        settings.lake,
        [
            result(success=False, observed="1,234 events are nowhere (5,678 accepted)"),
            result(expectation="fresh", severity="warn", success=False, observed="50.0 hours ago"),
            result(expectation="volume", severity="warn", success=True),
            result(table_name="gold.visits", expectation="types", table_id="b", success=True),
        ],
    )
    there = metrics(settings)
    assert there["open_stops"] == {("silver.events",): 1, ("gold.visits",): 0}
    assert there["checks_failed"][("stop", "silver.events")] == 1
    assert there["checks_failed"][("warn", "silver.events")] == 1
    assert there["checks_failed"][("stop", "gold.visits")] == 0
    assert there["residual_events"] == {(): 1234}
    assert there["checked_timestamp_seconds"][("silver.events",)] == NOW.timestamp()


def test_an_override_takes_the_stop_away_and_not_the_failure(settings: Settings) -> None:
    failed = result(success=False, observed="3 events are nowhere (9 accepted)")
    append(settings.lake, [failed])
    append(
        settings.lake,
        [result(kind="override", success=False, actor="ann", reason="known", checked_at=datetime.now(UTC))],
    )
    there = metrics(settings)
    assert there["open_stops"] == {("silver.events",): 0}
    assert there["checks_failed"][("stop", "silver.events")] == 1


def test_the_words_of_the_check_begin_with_the_count() -> None:
    """The measure of the residual says what the metric reads."""

    class Look:
        class lakewide:  # noqa: N801
            class reconciliation:  # noqa: N801
                residual, accepted = 1234, 5678

    assert _number(reconciled("residual", "events are nowhere")(Look).observed) == 1234  # type: ignore[arg-type]


def checkpoint(settings: Settings, job: str, **versions: int) -> None:
    """One batch that is done, in Spark's form: it covers these versions of its sources, which are named with __ for a dot."""
    folder = Path(settings.lake.checkpoint(job))
    lines = ["v1", json.dumps({"batchWatermarkMs": 0})]
    for name, version in versions.items():
        table = delta.require(settings.lake, name.replace("__", "."))
        lines.append(json.dumps({"reservoirId": str(table.metadata().id), "reservoirVersion": version, "index": 0}))
    for log in ("offsets", "commits"):
        (folder / log).mkdir(parents=True, exist_ok=True)
        (folder / log / "0").write_text("\n".join(lines))


def commit_at(settings: Settings, name: str, version: int, seconds: float) -> None:
    """Say in the log that a commit was made then."""
    log = Path(settings.lake.table(name)) / "_delta_log" / f"{version:020}.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "commitInfo" in line:
            line["commitInfo"]["timestamp"] = int(seconds * 1000)
    log.write_text("\n".join(map(json.dumps, lines)))


def test_news_waits_from_the_first_commit_that_its_job_has_not_taken(settings: Settings) -> None:
    for number in range(3):
        write(settings.lake, "silver.events", [{"event_id": str(number)}])
        commit_at(settings, "silver.events", number, 1000 * (number + 1))
    checkpoint(settings, "build_sessions", silver__events=0)
    assert metrics(settings, 5000)["table_lag_seconds"][("silver.sessions",)] == 3000
    checkpoint(settings, "build_sessions", silver__events=2)
    assert metrics(settings, 5000)["table_lag_seconds"][("silver.sessions",)] == 0


def test_joining_small_files_is_no_news(settings: Settings) -> None:
    for number in range(2):
        write(settings.lake, "silver.events", [{"event_id": str(number)}])
    checkpoint(settings, "build_sessions", silver__events=1)
    delta.require(settings.lake, "silver.events").optimize.compact()
    assert delta.require(settings.lake, "silver.events").version() == 2
    assert metrics(settings)["table_lag_seconds"][("silver.sessions",)] == 0


def test_a_segment_that_no_job_has_read_makes_bronze_late(settings: Settings) -> None:
    with SegmentWriter(settings.lake.landing, settings.landing) as writer:
        writer.extend([b"{}"], "plain", 0)
    [segment] = settings.lake.landing.glob("*.log")
    os.utime(segment, (1000, 1000))
    assert metrics(settings, 1600)["table_lag_seconds"][("bronze.events",)] == 600


def test_what_cannot_be_read_is_said_and_costs_no_other_metric(settings: Settings) -> None:
    write(settings.lake, "gold.visits", [{"session_id": "a"}])
    folder = Path(settings.lake.table("gold.data_quality")) / "_delta_log"
    folder.mkdir(parents=True)
    (folder / f"{0:020}.json").write_text("broken")
    there = metrics(settings)
    assert there["readable"][("checks",)] == 0
    assert there["readable"][("lists",)] == 1


def test_it_is_read_again_after_ten_seconds_alone(settings: Settings) -> None:
    now = [100.0]
    there = LakeMetrics(settings, lambda: now[0])
    first = there.text()
    write(settings.lake, "gold.visits", [{"session_id": "a"}])
    now[0] = 109.9
    assert there.text() == first
    now[0] = 110.0
    assert there.text() != first


def test_the_key_of_the_lake_opens_the_metrics_and_nothing_else(settings: Settings) -> None:
    browser = TestClient(app(settings, "t" * 43), "http://127.0.0.1")
    key = settings.lake.state / "metrics_key"
    assert key.stat().st_mode & 0o777 == 0o600
    bearer = {"authorization": f"Bearer {key.read_text()}"}
    answer = browser.get("/metrics", headers=bearer)
    assert answer.status_code == 200
    assert b"nextclick_readable" in answer.content
    assert answer.headers["content-type"].startswith("text/plain")
    for path in ("/overview", "/quality", "/api/traffic", "/live/stream", "/", "/metrics/"):
        assert browser.get(path, headers=bearer, follow_redirects=False).status_code == 401, path
    for wrong in ("", "x", "t" * 42):
        assert browser.get("/metrics", headers={"authorization": f"Bearer {wrong}"}).status_code == 401
    assert browser.get("/metrics", headers={"authorization": f"Bearer {'t' * 43}"}).status_code == 200
    again = TestClient(app(settings, "u" * 43), "http://127.0.0.1")
    assert again.get("/metrics", headers=bearer).status_code == 200

"""When a Spark job has nothing to do, by checkpoints made by hand in Spark's own form."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from nextclick.lake.paths import Lake, lake_at
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import load
from orchestration import new_data
from orchestration.new_data import has_new_data
from orchestration.pipeline import step
from tests import table_rows

INGEST, SESSIONS = step("ingest_events"), step("build_sessions")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake in which the targets of both jobs exist."""
    lake = lake_at(tmp_path)
    lake.prepare()
    for table in ("bronze.events", "silver.sessions"):
        write_deltalake(lake.table(table), pa.table({"n": [1]}))
    return lake


def write(path: Path, *lines: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["v1", *map(json.dumps, lines)]))


def batch(lake: Lake, job: str, number: int, *offsets: dict[str, Any], done: bool = True) -> None:
    """One micro-batch in the checkpoint."""
    write(Path(lake.checkpoint(job)) / "offsets" / str(number), {"batchWatermarkMs": 0}, *offsets)
    if done:
        write(Path(lake.checkpoint(job)) / "commits" / str(number), {"nextBatchWatermarkMs": 0})


def segment(lake: Lake) -> str:
    """Publish a segment; its name."""
    with SegmentWriter(lake.landing, load(lake.root, environ={}).landing) as writer:
        writer.extend([b"{}"], "plain", 0)
    return max(path.name for path in lake.landing.glob("*.log"))


def listed(lake: Lake, number: int, name: str) -> None:
    """The file source listed a segment for a batch."""
    entry = {"path": f"file://{lake.landing}/{name}", "timestamp": 0, "batchId": number}
    write(Path(lake.checkpoint("ingest_events")) / "sources" / "0" / str(number), entry)


def test_an_empty_log_is_no_news_and_its_first_segment_is(lake: Lake) -> None:
    assert not has_new_data(lake, INGEST)
    segment(lake)
    assert has_new_data(lake, INGEST)


def test_segments_of_committed_batches_are_no_news_and_one_more_is(lake: Lake) -> None:
    for number in range(2):
        listed(lake, number, segment(lake))
        batch(lake, "ingest_events", number, {"logOffset": number})
    assert not has_new_data(lake, INGEST)
    segment(lake)
    assert has_new_data(lake, INGEST)


def test_a_batch_that_was_begun_and_not_committed_is_news(lake: Lake) -> None:
    listed(lake, 0, segment(lake))
    batch(lake, "ingest_events", 0, {"logOffset": 0}, done=False)
    assert has_new_data(lake, INGEST)


def test_a_segment_that_was_listed_but_is_in_no_batch_is_news(lake: Lake) -> None:
    listed(lake, 0, segment(lake))
    batch(lake, "ingest_events", 0, {"logOffset": 0})
    listed(lake, 1, segment(lake))
    assert has_new_data(lake, INGEST)


def offset(lake: Lake, version: int, index: int) -> dict[str, Any]:
    table_id = str(DeltaTable(lake.table("silver.events")).metadata().id)
    return {"sourceVersion": 1, "reservoirId": table_id, "reservoirVersion": version, "index": index}


@pytest.mark.parametrize(
    ("version", "index", "news"),
    [
        (2, -1, False),  # version 1 is read whole, 2 would be next
        (1, 5, False),  # version 1 up to its last file
        (1, -1, True),  # version 1 would be next
        (0, 5, True),
    ],
)
def test_a_source_table_is_news_where_its_newest_version_is_not_covered(
    lake: Lake, version: int, index: int, news: bool
) -> None:
    for _ in range(2):
        write_deltalake(lake.table("silver.events"), pa.table({"n": [1]}), mode="append")
    batch(lake, "build_sessions", 0, offset(lake, version, index))
    assert has_new_data(lake, SESSIONS) is news


def test_another_table_in_the_source_s_place_is_news(lake: Lake) -> None:
    write_deltalake(lake.table("silver.events"), pa.table({"n": [1]}))
    batch(lake, "build_sessions", 0, offset(lake, 1, -1) | {"reservoirId": "another"})
    assert has_new_data(lake, SESSIONS)


def test_a_target_that_is_gone_is_news(lake: Lake) -> None:
    write_deltalake(lake.table("silver.events"), pa.table({"n": [1]}))
    batch(lake, "build_items", 0, offset(lake, 1, -1))
    assert has_new_data(lake, step("build_items"))


def test_a_job_that_never_ran_has_new_data(lake: Lake) -> None:
    write_deltalake(lake.table("silver.events"), pa.table({"n": [1]}))
    assert has_new_data(lake, SESSIONS)


def test_where_no_event_names_an_answer_impressions_are_no_news(lake: Lake) -> None:
    served, performance = step("build_served_items"), step("build_recommendation_performance")
    assert not has_new_data(lake, served)
    table_rows.write(lake, "silver.events", [{"event_id": "e1"}])
    assert not has_new_data(lake, served)
    table_rows.write(lake, "silver.events", [{"event_id": "e2", "request_id": "r1"}])
    assert has_new_data(lake, served)
    assert not has_new_data(lake, performance)
    table_rows.write(lake, "silver.served_items", [{"request_id": "r1"}])
    assert has_new_data(lake, performance)


@pytest.mark.parametrize(
    ("ends", "news"),
    [({0: 5, 1: 2}, False), ({0: 6, 1: 2}, True), ({0: 5, 1: 2, 2: 1}, True), (None, True), ({}, False)],
)
def test_a_topic_is_news_where_it_goes_further_than_what_was_taken_or_does_not_say(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, ends: dict[int, int] | None, news: bool
) -> None:
    kafka = load(lake.root, environ={"NEXTCLICK_STREAMING__SOURCE": "kafka"})
    monkeypatch.setattr(new_data, "topic_ends", lambda _, topic: {"nextclick.events": ends}[topic])
    listed(lake, 0, segment(lake))
    batch(lake, "ingest_events", 0, {"logOffset": 0}, {"nextclick.events": {"0": 5, "1": 2}})
    assert has_new_data(lake, INGEST, kafka) is news


def test_a_batch_of_kafka_alone_has_a_dash_for_the_log(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = load(lake.root, environ={"NEXTCLICK_STREAMING__SOURCE": "kafka"})
    monkeypatch.setattr(new_data, "topic_ends", lambda *_: {0: 5})
    batch(lake, "ingest_events", 0)
    offsets = Path(lake.checkpoint("ingest_events"), "offsets", "0")
    offsets.write_text('v1\n{"batchWatermarkMs":0}\n-\n{"nextclick.events":{"0":5}}')
    assert not has_new_data(lake, INGEST, kafka)
    segment(lake)
    assert has_new_data(lake, INGEST, kafka)

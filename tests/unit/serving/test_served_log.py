"""What was served is put on record, within bounds."""

import shutil
from pathlib import Path

import msgspec
import pytest

from nextclick.landing.reader import read_segment, segments
from nextclick.settings import load
from serving.metrics import ServingMetrics
from serving.served_log import Recorder, open_record
from tests.wait import wait_until


@pytest.mark.parametrize("limit", ["RECORDS_PER_SECOND", "RECORD_QUEUE"])
def test_records_above_a_limit_are_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    settings = load(lake=tmp_path / "lake", environ={f"NEXTCLICK_SERVING__{limit}": "3"})
    settings.lake.prepare()
    metrics = ServingMetrics()
    recorder = Recorder(settings, metrics)
    for number in range(10):
        recorder.put(msgspec.json.encode({"n": number}))
    recorder.start()
    recorder.close()
    landed = [line.payload for segment in segments(settings.lake.landing) for line in read_segment(segment.path)]
    assert landed == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
    assert metrics.records_lost._value.get() == 7


def test_it_says_that_records_are_lost_and_that_they_are_kept_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What must be on record, such as a next best action, is not answered meanwhile."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    settings = load(lake=tmp_path / "lake", environ={"NEXTCLICK_SERVING__GROUP_MILLISECONDS": "1"})
    settings.lake.prepare()
    landing = settings.lake.landing
    shutil.rmtree(landing)
    landing.write_text("no folder")
    recorder = Recorder(settings, ServingMetrics())
    recorder.start()
    try:
        assert recorder.is_up, "nothing is known to fail"
        wait_until(lambda: recorder.put(b"{}") and not recorder.is_up)
        landing.unlink()
        settings.lake.prepare()
        wait_until(lambda: recorder.put(b"{}") and recorder.is_up)
    finally:
        recorder.close()
    assert segments(landing)


def test_with_kafka_records_that_no_broker_takes_are_lost_and_counted_and_nothing_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("confluent_kafka")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    away = {
        "NEXTCLICK_COLLECTOR__SINK": "kafka",
        "NEXTCLICK_KAFKA__SERVERS": "127.0.0.1:1",
        "NEXTCLICK_KAFKA__DELIVERY_SECONDS": "0.5",
    }
    settings, metrics = load(lake=tmp_path / "lake", environ=away), ServingMetrics()
    recorder = open_record(settings, metrics)
    recorder.start()
    assert recorder.put(msgspec.json.encode({"event": "served", "visitor_id": "v"}))
    assert not recorder.put(b'"' + b"x" * settings.landing.max_event_bytes + b'"')
    recorder.close()
    wait_until(lambda: metrics.records_lost._value.get() == 2)
    assert metrics.recorded._value.get() == 0
    assert not list(tmp_path.rglob("*.log"))

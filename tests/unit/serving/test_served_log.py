"""What was served is put on record, within bounds."""

from pathlib import Path

import msgspec
import pytest

from nextclick.landing.reader import read_segment, segments
from nextclick.settings import load
from serving.metrics import ServingMetrics
from serving.served_log import Recorder


def test_records_above_the_rate_are_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    settings = load(lake=tmp_path / "lake", environ={"NEXTCLICK_SERVING__RECORDS_PER_SECOND": "3"})
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

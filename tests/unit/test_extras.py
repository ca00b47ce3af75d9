"""Without an extra's package the errors say how to get it, and everything else works."""

import sys
from pathlib import Path

import pytest

from collector.http import server
from collector.replay import replay
from nextclick.errors import SetupError
from nextclick.settings import Settings, load
from spark_jobs.checkpoints import retention

TOLD = r"confluent-kafka is not installed\. Run `make extras` in a checkout, or `pip install 'nextclick\[kafka\]'` elsewhere"


@pytest.fixture(autouse=True)
def _no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("collector.sinks.kafka", "collector.live.kafka_follower", "collector.replay.kafka_records"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path / "lake", environ={"NEXTCLICK_COLLECTOR__SINK": "kafka"})


def test_a_collector_with_kafka_as_its_sink_does_not_start(settings: Settings) -> None:
    with pytest.raises(SetupError, match=f"^collector.sink is kafka, but the package {TOLD}"):
        server.serve(settings)


def test_rejects_of_a_topic_are_not_replayed(settings: Settings) -> None:
    with pytest.raises(SetupError, match=f"^Rejects of a Kafka topic .* {TOLD}"):
        replay._lines(settings, "nextclick.rejects-0", {7})


def test_bronze_is_not_rebuilt_from_topics_that_cannot_be_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_first_offsets", lambda *_: [("nextclick.events", 0, 7)])
    with pytest.raises(SetupError, match=f"^Bronze has records of Kafka, .* {TOLD}"):
        retention.refuse_loss(settings)

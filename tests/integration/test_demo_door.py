"""The demo's collector: a process of its own that takes everything and never outlives the demo."""

import socket
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from demo.http_client import send
from demo.outcome.ground_truth import Truth
from demo.service import running
from demo.traffic.generate import Traffic, make_traffic
from nextclick.errors import NextclickError
from nextclick.landing.reader import read_segment, segments
from nextclick.settings import Settings, load


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path / "lake", profile="demo", environ={})


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return make_traffic(seed=7, visitors=20, gap=timedelta(minutes=30), items=24, days=2)


def published(log: Path) -> list[str | None]:
    """The source of each line that is published."""
    return [line.source for segment in segments(log) for line in read_segment(segment.path)]


def listens(address: str) -> bool:
    host, port = urlsplit(address).netloc.split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def refused_at_the_door(truth: Truth) -> int:
    """Of the broken lines those that silver is not needed to judge."""
    later = ("future_time", "out_of_range", "bad_text", "id_collision")
    return sum(count for reason, count in truth.reasons.items() if reason not in later)


def test_all_that_is_sent_is_published_once_the_collector_has_ended(
    settings: Settings, traffic: Traffic, tmp_path: Path
) -> None:
    with running(settings, "collect", tmp_path) as collector:
        assert send(collector, traffic.lines) > 3
        assert listens(collector.address)
    assert not listens(collector.address)
    events, rejects = published(settings.lake.landing), published(settings.lake.quarantine)
    assert len(rejects) == refused_at_the_door(traffic.truth)
    assert len(events) + len(rejects) == traffic.truth.arrived
    assert set(events) == set(traffic.truth.trackers)


def test_an_interrupted_demo_leaves_no_collector_running(settings: Settings, tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), running(settings, "collect", tmp_path) as collector:
        assert listens(collector.address)
        raise KeyboardInterrupt
    assert not listens(collector.address)


def test_a_collector_that_does_not_start_is_an_error_that_names_its_log(settings: Settings, tmp_path: Path) -> None:
    wrong = msgspec.structs.replace(settings, profile="nowhere")
    with pytest.raises(NextclickError, match="log says why"), running(wrong, "collect", tmp_path) as collector:
        send(collector, [])
    assert "nowhere" in (tmp_path / "collect.log").read_text()

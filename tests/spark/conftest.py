"""One Spark session for the whole run; a fresh lake for each test; events that land as the door lands them."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyspark.sql import SparkSession

from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings, load
from spark_jobs.session import open_session
from tests.conftest import LAKE

pytest.register_assert_rewrite("tests.spark.path", "tests.spark.sites")  # so that they tell what differs

RECEIVED = 1_767_225_600_000
"""2026-01-01T00:00:00Z in milliseconds: when test events arrive, unless a test says otherwise."""

MINUTE = 60_000

Row = Mapping[str, Any] | bytes
"""An event as a dict, or the bytes of a payload that is none."""

Land = Callable[..., None]


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    session = open_session(load(tmp_path_factory.mktemp("spark") / "lake", profile="test", environ={}), "tests")
    yield session
    session.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / LAKE, profile="test", environ={})
    settings.lake.prepare()
    return settings


@pytest.fixture
def land(settings: Settings) -> Land:
    """`land(rows, log="landing", received=…)` publishes one segment with a line a row."""

    return partial(publish, settings)


def publish(settings: Settings, rows: Iterable[Row], log: str = "landing", received: int = RECEIVED) -> None:
    """One segment with a line a row, as the door lands it, and the API what it served."""
    folder = settings.lake.landing if log == "landing" else settings.lake.quarantine
    with SegmentWriter(folder, settings.landing) as writer:
        for row in rows:
            served = not isinstance(row, bytes) and row.get("event") == "served"
            payload = row if isinstance(row, bytes) else msgspec.json.encode(row)
            writer.append(payload, "server" if served else "plain", received)


def new_events(**always: Any) -> Callable[..., dict[str, Any]]:
    """`event(minute, **fields)`: an event `minute` minutes before its arrival's day began, with an id of its own."""
    numbers = itertools.count()

    def make(minute: float = 0, **fields: Any) -> dict[str, Any]:
        time = RECEIVED - 24 * 60 * MINUTE + round(minute * MINUTE)
        return (
            {"event": "page_view", "event_id": f"e{next(numbers)}", "client_time": time, "visitor_id": "v"}
            | always
            | fields
        )

    return make

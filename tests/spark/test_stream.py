"""`nextclick stream` as a person starts it: it holds its tables, survives being killed, and nothing is lost or doubled."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from nextclick.errors import TableBusy
from nextclick.settings import Settings
from spark_jobs import jobs
from spark_jobs.jobs import build_events
from tests import oracle, wait
from tests.spark import path
from tests.spark.conftest import Land
from tests.spark.histories import clicks

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@contextmanager
def stream(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """The verb in a process of its own, with small settings; killed at the end if it still runs."""
    verb = str(Path(sys.executable).parent / "nextclick")
    command = [verb, "--lake", str(settings.lake.root), "--profile", "test", "stream"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Return as soon as it holds; fail if the process ends before."""

    def held() -> bool:
        if holds():
            return True
        assert_alive(process)
        return False

    wait.wait_until(held, seconds=120, every=0.3)


def assert_alive(process: subprocess.Popen[str]) -> None:
    assert process.poll() is None, process.stderr.read() if process.stderr else ""


def silver_rows(settings: Settings) -> int:
    from deltalake import DeltaTable

    folder = settings.lake.table("silver.events")
    return int(DeltaTable(folder).count()) if DeltaTable.is_deltatable(str(folder)) else 0


@pytest.mark.servers
def test_a_stream_that_is_killed_loses_and_doubles_nothing_and_one_that_is_asked_to_stop_ends_cleanly(
    spark: SparkSession, settings: Settings, land: Land
) -> None:
    events: list[dict[str, Any]] = clicks(7, 60)
    land(events[:30])
    with stream(settings) as first:
        wait_until(lambda: silver_rows(settings) > 0, first)

        # A second writer is refused while the holder lives, even while it is stopped.
        first.send_signal(signal.SIGSTOP)
        with pytest.raises(TableBusy, match=f"process {first.pid}"):
            build_events.run(spark, settings)
        first.send_signal(signal.SIGCONT)

        land(events[30:])
        wait_until(lambda: any(Path(settings.lake.checkpoint("ingest_events")).glob("offsets/1")), first)
        first.kill()
        first.wait()

    distinct, _, _ = oracle.first_arrivals(events)
    with stream(settings) as second:
        wait_until(lambda: silver_rows(settings) == len(distinct), second)
        second.send_signal(signal.SIGTERM)
        _, log = second.communicate(timeout=60)
        assert second.returncode == 0, log
        assert "nothing is lost" in log

    path.run_jobs(spark, settings, jobs.STREAMED)
    path.assert_silver_equals_oracle(settings, events)


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_a_stream_that_is_killed_at_random_moments_loses_and_doubles_nothing(
    spark: SparkSession, settings: Settings, land: Land
) -> None:
    """Each life begins with new events, and ends somewhere between its first batch and its last commit."""
    draw, kills = random.Random(11), 10
    events: list[dict[str, Any]] = clicks(12, 20 * kills)
    pieces = [events[kill::kills] for kill in range(kills)]
    for piece in pieces:
        land(piece)
        live_on(settings, draw.uniform(0, 15))
    path.run_jobs(spark, settings, jobs.STREAMED)
    path.assert_silver_equals_oracle(settings, [event for piece in pieces for event in piece])


def live_on(settings: Settings, seconds: float) -> None:
    """Stream until so long after its first new file, and be killed."""
    before = files(settings)
    with stream(settings) as process:
        wait_until(lambda: files(settings) > before, process)
        time.sleep(seconds)
        assert_alive(process)


def files(settings: Settings) -> int:
    """How many files the jobs' checkpoints hold."""
    return sum(1 for _ in Path(settings.lake.checkpoint("ingest_events")).parent.rglob("*"))

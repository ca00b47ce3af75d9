"""Nothing that the collector acknowledged is lost: killed, with a failing disk, with a full one, and told to stop."""

import ctypes
import json
import os
import random
import shutil
import signal
import socket
import threading
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nextclick.landing.reader import check_segment, read_segment, segments
from nextclick.landing.writer import recover
from tests.collector_process import Collector, collecting


def view(number: object) -> dict[str, object]:
    return {
        "event": "view_item",
        "event_id": f"e{number}",
        "visitor_id": "v",
        "item_id": "lamp",
        "timestamp": 1_795_341_600_000,
    }


class Load:
    """Clients that post one event after the other and remember which ones were acknowledged."""

    def __init__(self, collector: Collector, name: str, clients: int = 4) -> None:
        self.acknowledged: list[str] = []
        self._collector = collector
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._post, args=(f"{name}-{number}",), daemon=True) for number in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)

    def _post(self, name: str) -> None:
        number = 0
        while not self._stopped.is_set():
            number += 1
            try:
                if self._collector.post("/v1/events", view(f"{name}-{number}")).status == 200:
                    self.acknowledged.append(f"e{name}-{number}")
            except (OSError, urllib.error.URLError):
                return


def landed_ids(collector: Collector) -> set[str]:
    """Ids in the landing log, once what the killed left is recovered; every published segment must be sound."""
    recover(collector.lake.landing)
    published = segments(collector.lake.landing)
    assert all(check_segment(segment.path).sound for segment in published)
    return {json.loads(line.payload)["event_id"] for segment in published for line in read_segment(segment.path)}


def killed_at_random(lake: Path, times: int, seed: int) -> None:
    """Kill the collector under load, `times` over; what it acknowledged is in the log each time."""
    draw, acknowledged = random.Random(seed), set[str]()
    for number in range(times):
        with collecting(lake) as collector:
            load = Load(collector, str(number))
            time.sleep(draw.uniform(0.05, 0.4))
            collector.stop(signal.SIGKILL)
            load.stop()
            acknowledged.update(load.acknowledged)
            assert acknowledged <= landed_ids(collector)
    assert len(acknowledged) > times, "the load never got through: nothing was tested"


def test_what_is_acknowledged_outlives_four_kills(tmp_path: Path) -> None:
    killed_at_random(tmp_path / "lake", 4, seed=1)


def test_a_worker_whose_main_process_is_killed_ends_and_publishes_what_it_acknowledged(tmp_path: Path) -> None:
    with collecting(tmp_path / "lake", NEXTCLICK_COLLECTOR__PUBLISH_SECONDS="600") as collector:
        assert collector.post("/v1/events", view(1)).status == 200
        collector.process.kill()
        assert collector.wait_for(lambda all: len(all) == 1)[0]["event_id"] == "e1"


@pytest.mark.stress
def test_what_is_acknowledged_outlives_two_hundred_kills(tmp_path: Path) -> None:
    killed_at_random(tmp_path / "lake", 200, seed=2)


def test_an_fsync_that_fails_acknowledges_nothing_and_the_next_one_heals_it(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed (Debian: apt-get install strace)")
    # Every worker process counts its own calls; the first two fsyncs of events fail, later ones do not.
    fault = (
        strace,
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=1..2",
    )
    with collecting(tmp_path / "lake", under=fault) as collector:
        first = collector.post("/v1/events", view(1))
        assert (first.status, first.headers["retry-after"]) == (503, "5")
        assert collector.ask("/sink-health").status == 503
        assert "sink_up 0.0" in collector.ask("/metrics").body.decode()
        assert collector.post("/v1/events", view(2)).status == 200
        assert collector.ask("/sink-health").status == 200
        assert [event["event_id"] for event in collector.wait_for(lambda all: len(all) == 1)] == ["e2"]


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder.mkdir()
    size = f"size={mebibytes}m".encode()
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, size):
        pytest.skip(f"a tmpfs cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    try:
        yield folder
    finally:
        libc.umount2(os.fsencode(folder), 2)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_a_full_disk_is_said_and_heals_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2) as disk, collecting(disk / "lake") as collector:
        acknowledged, large = set[str](), "x" * 3_000
        for number in range(100):
            reply = collector.post("/v1/events", [view(f"{number}-{part}") | {"text": large} for part in range(20)])
            if reply.status != 200:
                break
            acknowledged.update(f"e{number}-{part}" for part in range(20))
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space left"):
            fill(ballast)
        assert collector.ask("/sink-health").status == 503
        wrong: list[tuple[str, Any]] = [
            ("/v1/events", {"event": "x", "visitor_id": "v", name: "dear"})
            for name in ("price", "quantity", "currency", "dwell_ms")
        ]
        wrong += [
            (path, {"a": 1})
            for path in ("/v1/track", "/track", "/2/httpapi", "/e", "/mp/collect", "/api/event", "/v1/batch")
        ]
        for _ in range(9):  # what had to be counted for the first time once ended a worker
            assert {collector.post(path, body).status for path, body in wrong} <= {200, 202, 204, 400, 503}

        os.truncate(ballast, 0)
        for segment in segments(collector.lake.landing)[:-1]:  # as if they were moved to a larger disk
            acknowledged -= {json.loads(line.payload)["event_id"] for line in read_segment(segment.path)}
            segment.path.unlink()
        assert collector.post("/v1/events", view("healed")).status == 200
        assert collector.ask("/sink-health").status == 200
        collector.stop()
        assert acknowledged | {"ehealed"} <= landed_ids(collector)


def test_told_to_stop_it_answers_who_waits_and_does_not_wait_for_who_stalls(tmp_path: Path) -> None:
    with collecting(tmp_path / "lake", NEXTCLICK_COLLECTOR__DRAIN_SECONDS="1") as collector:
        stalled = [socket.create_connection(("127.0.0.1", collector.port)) for _ in range(20)]
        for client in stalled:
            client.sendall(b'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{"event":')
        load = Load(collector, "drain")
        time.sleep(0.3)
        started = time.monotonic()
        collector.stop(signal.SIGTERM)
        assert time.monotonic() - started < 20
        load.stop()
        assert load.acknowledged
        assert set(load.acknowledged) <= landed_ids(collector)
        assert not list((collector.lake.landing / ".open").glob("*.log")), "a clean end leaves nothing unpublished"


def test_two_workers_write_segments_of_their_own_and_count_together(tmp_path: Path) -> None:
    with collecting(tmp_path / "lake", "--workers", "2") as collector:
        load = Load(collector, "both", clients=8)
        time.sleep(0.5)
        load.stop()
        page = collector.ask("/metrics").body.decode()
        assert f'accepted_total{{dialect="plain"}} {len(load.acknowledged)}.0' in page
        collector.stop()
        assert set(load.acknowledged) <= landed_ids(collector)

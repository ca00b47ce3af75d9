"""A real collector in a process of its own, and what it landed."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from nextclick.lake.paths import lake_at
from nextclick.landing.reader import Segment, SegmentLine, read_segment, segments
from nextclick.settings import environment, load

Records = list[dict[str, Any]]
_PATIENCE_SECONDS = 30
_QUICK = {"NEXTCLICK_COLLECTOR__PUBLISH_SECONDS": "0.1"}


class Reply(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Collector:
    """A running `nextclick collect`: its address, its process, its lake."""

    def __init__(self, process: subprocess.Popen[str], address: str, lake: Path) -> None:
        self.process = process
        self.address = address
        self.port = int(address.rpartition(":")[2])
        self.lake = lake_at(lake)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        """POST bytes, text, or anything else as JSON; header names with _ for -."""
        data = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        return self.ask(path, data, "POST", **headers)

    def ask(self, path: str, data: bytes | None = None, method: str = "GET", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.address + path, data, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return Reply(reply.status, reply.read(), {key.lower(): value for key, value in reply.headers.items()})
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.read(), {key.lower(): value for key, value in error.headers.items()})

    def landed(self) -> Records:
        """The events that are published in the landing log, each with its `source`."""
        return _records(self.lake.landing)

    def rejects(self) -> Records:
        """The records of the quarantine log, each with its `source`."""
        return _records(self.lake.quarantine)

    def wait_for(self, holds: Callable[[Records], bool]) -> Records:
        """The landed events, once `holds` says that they are what is waited for."""
        return _wait(self.landed, holds)

    def wait_for_rejects(self, count: int) -> Records:
        """The rejects, once there are at least `count`."""
        return _wait(self.rejects, lambda records: len(records) >= count)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, its workers and what it runs under by a signal; its exit code."""
        os.killpg(self.process.pid, number)
        code = self.process.wait(timeout=60)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while _is_alive(
            self.process.pid
        ):  # a killed worker may outlive the main process, and hold its locks, for a moment
            assert time.monotonic() < deadline, "a worker does not end"
            time.sleep(0.01)
        return code


@contextmanager
def collecting(lake: Path, *options: str, under: tuple[str, ...] = (), **settings: str) -> Iterator[Collector]:
    """Start a collector on any free port; `settings` are environment variables, `under` a program that runs it."""
    with running("collect", lake, _QUICK | settings, *options, under=under) as collector:
        yield collector


@contextmanager
def running(
    verb: str, lake: Path, settings: Mapping[str, str], *options: str, under: tuple[str, ...] = ()
) -> Iterator[Collector]:
    """Start a verb that listens, on any free port; end it and whatever it has started."""
    program = (*under, str(Path(sys.executable).parent / "nextclick"))
    command = [*program, "--lake", str(lake), verb, "--port", "0", "--json", *options]
    with subprocess.Popen(
        command, env=environment(load(lake), **settings), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            assert line, f"nextclick {verb} ended with code {process.wait()}"
            yield Collector(process, json.loads(line)["address"], lake)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(30)
                os.killpg(process.pid, signal.SIGKILL)


def _is_alive(group: int) -> bool:
    """Whether any process of a group still runs (Linux: /proc)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                state, _, process_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(process_group) == group and state not in "ZX":
                    return True
    return False


def _wait(read: Callable[[], Records], holds: Callable[[Records], bool]) -> Records:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds(records := read()):
        assert time.monotonic() < deadline, f"it did not come; there is: {records}"
        time.sleep(0.05)
    return records


def _records(log: Path) -> Records:
    lines = (line for segment in segments(log) for line in _lines_of(segment))
    return [json.loads(line.payload) | {"source": line.source} for line in lines]


@lru_cache(10_000)
def _lines_of(segment: Segment) -> tuple[SegmentLine, ...]:
    """Of a segment, which never changes: who waits looks at the new ones alone."""
    return (*read_segment(segment.path),)

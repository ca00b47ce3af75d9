"""The dashboard's pages over gold of a year: linked ranges, others, asked again, by fifty people at once; ready, memory.

    make bench ARGS="dashboard [--rows 10000000] [--people 50] [--rounds 4] [--keep DIR]"

Makes gold as the benchmark `reports` does, starts `nextclick dashboard` on it, and asks each page first of the ranges that it links, when
the server has come to rest, then of days that nobody has asked for, then of the first again; then people ask pages at random, each the
next when the last one came. Milliseconds of the clock, at the client, stand beside those of the server's processor: what else runs on the
machine changes them less.
"""

import argparse
import json
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from benchmarks.measure import cpu_seconds, lake_folder, own_mb, resident_mb
from benchmarks.speed.reports import make_gold
from dashboard.pages import PAGES
from nextclick.lake.paths import Lake, lake_at
from nextclick.settings import CHECKOUT, environment, load

_RANGES: Final = ("28d", "7d", "90d")
_PATHS: Final = tuple(f"/{page.stem}?range={range_}" for range_ in _RANGES for page in PAGES)
_OTHERS: Final = tuple(
    f"/{page.stem}?from={first}&to={last}"
    for first, last in (("2025-10-03", "2025-10-30"), ("2025-08-01", "2025-08-07"))
    for page in PAGES
)
_REST: Final = 3.0
"""Seconds without work after which the server is taken to have made what it makes ahead."""
_GOALS: Final = {
    "a page linked p95, ms": 200,
    "a page of other days p95, ms": 200,
    "a page asked again p95, ms": 200,
    "50 people p95, ms": 500,
    "ready, s": 2,
    "memory, MB": 400,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=4, help="Pages that each of them asks for.")
    parser.add_argument(
        "--keep", metavar="DIR", help="Make the lake there, leave it, and take it as it is the next time."
    )
    options = parser.parse_args()
    with lake_folder("dashboard", options.keep) as folder:
        lake = lake_at(folder / "lake")
        lake.prepare()
        make_gold(lake, options.rows)
        measure(lake, options.people, options.rounds)


class _Server(NamedTuple):
    """A dashboard that runs."""

    process: "subprocess.Popen[str]"
    address: str
    token: str
    ready: float
    """Seconds from its start to its first answer."""

    def ask(self, path: str) -> float:
        """Milliseconds of the clock until the page is there."""
        request = urllib.request.Request(self.address + path, headers={"Authorization": f"Bearer {self.token}"})
        started = time.monotonic()
        with urllib.request.urlopen(request, timeout=120) as answer:
            answer.read()
        return (time.monotonic() - started) * 1000


def measure(lake: Lake, people: int, rounds: int) -> None:
    """Print the figures."""
    with _dashboard(lake) as server:
        figures = {"ready, s": server.ready}
        print(f"made ahead in {_rest(server):.0f} s")
        for name, paths in (("linked", _PATHS), ("of other days", _OTHERS), ("asked again", _PATHS)):
            taken = [_cost(server, path) for path in paths]
            for path, (clock, processor) in zip(paths, taken, strict=True):
                print(f"{name:<13} {path:<44} {clock:7.0f} ms of the clock {processor:7.0f} of the processor")
            clocks, processors = ([each[place] for each in taken] for place in (0, 1))
            print(f"{name}: p95 {_p95(clocks):.0f} ms of the clock, {_p95(processors):.0f} of the processor")
            figures[f"a page {name} p95, ms"] = _p95(clocks)
            time.sleep(_REST)  # so that no page is one that was made a moment ago
        crowd = _crowd(server, people, rounds)
        figures |= {"50 people p95, ms": _p95(crowd), "memory, MB": resident_mb(server.process.pid)}
        print(f"{len(crowd)} pages of {people} people at once: median {median(crowd):.0f} ms, p95 {_p95(crowd):.0f} ms")
        print(f"memory {resident_mb(server.process.pid):.0f} MB, of it {own_mb(server.process.pid):.0f} its own")
    for name, goal in _GOALS.items():
        print(f"{name}: {figures[name]:.1f} (goal ≤ {goal}: {'holds' if figures[name] <= goal else 'MISSED'})")


def _rest(server: _Server) -> float:
    """Seconds from now until the server rests."""
    started = time.monotonic()
    before, now = -1.0, cpu_seconds(server.process.pid)
    while now - before > _REST / 10:
        time.sleep(_REST)
        before, now = now, cpu_seconds(server.process.pid)
    return time.monotonic() - started - _REST


def _cost(server: _Server, path: str) -> tuple[float, float]:
    """Milliseconds of the clock, and of the server's processor."""
    before = cpu_seconds(server.process.pid)
    clock = server.ask(path)
    return clock, (cpu_seconds(server.process.pid) - before) * 1000


def _crowd(server: _Server, people: int, rounds: int) -> list[float]:
    """Each of them asks for pages of her own choice, one after the other."""

    def person(seed: int) -> Iterable[float]:
        return [server.ask(path) for path in random.Random(seed).choices(_PATHS, k=rounds)]

    with ThreadPoolExecutor(people) as pool:
        return [taken for times in pool.map(person, range(people)) for taken in times]


@contextmanager
def _dashboard(lake: Lake) -> Iterator[_Server]:
    command = (sys.executable, "-c", "from cli.main import main; main()", "dashboard", "--port", "0", "--json")
    started = time.monotonic()
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=environment(load(lake.root)), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            link = urlsplit(json.loads(process.stdout.readline())["dashboard"])  # type: ignore[union-attr]
            ready = time.monotonic() - started
            yield _Server(process, f"{link.scheme}://{link.netloc}", link.query.partition("=")[2], ready)
        finally:
            process.terminate()
            process.wait(30)


def _p95(taken: list[float]) -> float:
    return quantiles(taken, n=20)[18]


if __name__ == "__main__":
    main()

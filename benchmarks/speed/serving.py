"""Answers of the API under load against an empty answer of the same server, and from an event to a changed answer.

    .venv/bin/python -m benchmarks.speed.serving [--seconds 10] [--rate 1000] [--workers 2] [--people 50000] [--items 20000] [--redis]

The load comes from wrk (Debian: apt-get install wrk) on the same cores. Half of the visitors have a live profile of
40 actions; every answer ranks 200 candidates out of the catalogue, draws a banner and puts itself on record. The second
part runs a collector beside it, with 500 events/s and 500 requests/s, and posts events of new visitors one by one.
`--redis` starts a redis-server of its own for lists and profiles.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from benchmarks.measure import cpu_seconds, ratio
from benchmarks.speed.collector import need_wrk, serving
from benchmarks.speed.export import make_lists
from nextclick.kv import open_profiles
from nextclick.profile import profile
from nextclick.profile.profile import Action
from nextclick.settings import Settings, hand_down, load
from serving.export import export

CONNECTIONS = 32
EMPTY, API, COLLECTOR, REDIS = 8093, 8094, 8095, 8096
PROBES = 200
PATIENCE_SECONDS = 60
WARM_SECONDS = 3
ASK = """
request = function()
  return wrk.format("GET", string.format("/v1/personalize?visitor_id=%08d", math.random(0, {people} - 1)))
end
"""
POST = """
wrk.method = "POST"
local sent = 0
request = function()
  sent = sent + 1
  return wrk.format(nil, nil, nil, string.format('{{"event":"view_item","event_id":"%d-%d","visitor_id":"%08d",' ..
    '"item_id":"%08d","timestamp":%d}}', os.time(), sent, math.random(0, {people} - 1), math.random(0, {items} - 1),
    os.time() * 1000))
end
"""
PACE = "delay = function() return math.random(0, {most}) end\n"
"""At random, since connections that wait equally long would ask together."""
REPORT = """
done = function(summary, latency)
  io.write(string.format('{{"rate": %f, "p50": %f, "p90": %f, "p99": %f, "errors": %d}}',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
    latency:percentile(99) / 1e3, summary.errors.status + summary.errors.timeout + summary.errors.read))
end
"""


class LatencyFigure(NamedTuple):
    """What wrk saw: requests a second, and milliseconds of three percentiles."""

    rate: float
    p50: float
    p90: float
    p99: float
    errors: int

    def __str__(self) -> str:
        return (
            f"{self.rate:>8,.0f} requests/s   p50 {self.p50:.1f}  p90 {self.p90:.1f}  p99 {self.p99:.1f} ms"
            f"   {self.errors} errors"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"seconds": 10, "rate": 1_000, "workers": 2, "people": 50_000, "items": 20_000}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--redis", action="store_true")
    options = parser.parse_args()
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="nextclick-bench-") as name, ExitStack() as stack:
        if options.redis:
            stack.enter_context(_redis(Path(name)))
        settings = load(Path(name) / "lake")
        hand_down(settings)
        furnish(settings, options.people, options.items)
        measure(settings, options)


def furnish(settings: Settings, people: int, items: int) -> None:
    """Lists of all people, a catalogue of 50 categories, and live profiles of half the visitors."""
    settings.lake.prepare()
    make_lists(settings, people, items, 100)
    rng = np.random.default_rng(1)
    now = datetime.now(UTC)
    columns = {
        "site": [settings.site] * items,
        "item_id": [f"{number:08d}" for number in range(items)],
        "name": [f"Item number {number}" for number in range(items)],
        "category": [f"category {code}" for code in rng.integers(0, 50, items)],
        "price": rng.uniform(1, 100, items),
        "currency": ["EUR"] * items,
        "available": rng.random(items) < 0.95,
        "attributes": pa.nulls(items, pa.map_(pa.string(), pa.string())),
        "first_seen": [now - timedelta(days=float(days)) for days in rng.uniform(0, 365, items)],
        "last_seen": [now] * items,
        "in_catalogue": [True] * items,
    }
    write_deltalake(settings.lake.table("silver.items"), pa.table(columns))
    export.run(settings)
    profiles, start = open_profiles(settings), int(now.timestamp() * 1000)
    for first in range(0, people // 2, 1000):
        profiles.merge(
            {
                profile.visitor_key(settings.site, f"{person:08d}"): [
                    Action(start - 1000 * place, place, 2, f"{item:08d}")
                    for place, item in enumerate(rng.integers(0, items, 40).tolist())
                ]
                for person in range(first, min(first + 1000, people // 2))
            }
        )


def measure(settings: Settings, options: argparse.Namespace) -> None:
    """Print the figures."""
    folder, seconds, rate = settings.lake.root.parent, options.seconds, options.rate
    granian = (str(Path(sys.executable).parent / "granian"), "--interface", "asgi", "--loop", "uvloop", "--no-ws")
    workers = ("--workers", str(options.workers))
    ask = ASK.format(people=options.people)
    with serving(
        (*granian, *workers, "--log-level", "error", "--port", str(EMPTY), "benchmarks.speed.collector:empty"),
        EMPTY,
        folder,
    ) as process:
        baseline, spent = _spent(process.pid, EMPTY, ask, seconds, rate)
    print(f"an empty answer      {baseline}, {spent:.2f} ms of processor time each")
    nextclick = str(Path(sys.executable).parent / "nextclick")
    with serving((nextclick, "serve", "--port", str(API), *workers), API, folder) as process:
        load_of(API, ask, WARM_SECONDS, rate)
        calm, spent = _spent(process.pid, API, ask, seconds, rate)
        print(f"/v1/personalize      {calm}")
        print(f"processor time       {spent:.2f} ms an answer, its record included")
        print(f"p50 {calm.p50 / baseline.p50:.1f} ×, p99 {calm.p99 / baseline.p99:.1f} × an empty answer's")
        print(ratio("p90", calm.p90, "7 ms", 7, 1))
        print(ratio("p99", calm.p99, "15 ms", 15, 1))
        print(f"as fast as it goes   {load_of(API, ask, seconds)}")
        with serving((nextclick, "collect", "--port", str(COLLECTOR)), COLLECTOR, folder):
            until_changed(options, ask)


def _spent(server: int, port: int, script: str, seconds: int, rate: float) -> tuple[LatencyFigure, float]:
    """What wrk saw, and milliseconds of the server's processor time an answer."""
    before = cpu_seconds(server)
    seen = load_of(port, script, seconds, rate)
    return seen, (cpu_seconds(server) - before) / (seen.rate * seconds) * 1000


def until_changed(options: argparse.Namespace, ask: str) -> None:
    """From the first byte of an event to an answer that shows it, with both servers under load."""
    post = POST.format(people=options.people, items=options.items)
    with ExitStack() as stack:
        for port, script, path in ((API, ask, "/"), (COLLECTOR, post, "/v1/events")):
            command = wrk(stack, port, script, options.seconds + 20, options.rate / 2, path)
            stack.enter_context(under_load(command))
        time.sleep(1)
        waits = sorted(_one_change(number) for number in range(PROBES))
    p99 = waits[int(0.99 * len(waits))]
    print(f"event → changed answer  p50 {statistics.median(waits):.1f}  p99 {p99:.1f} ms of {PROBES}")
    print(ratio("p99 from an event to a changed answer", p99, "50 ms", 50, 1))


def _one_change(number: int) -> float:
    """Milliseconds until the answer for a visitor who was never seen before is another one after their first view."""
    connection = http.client.HTTPConnection("127.0.0.1", COLLECTOR)
    api = http.client.HTTPConnection("127.0.0.1", API)
    visitor = f"new-{time.time_ns()}"
    event = {
        "event": "view_item",
        "visitor_id": visitor,
        "item_id": f"{number:08d}",
        "timestamp": time.time_ns() // 1_000_000,
    }

    def answer() -> Any:
        api.request("GET", f"/v1/personalize?visitor_id={visitor}")
        return json.loads(api.getresponse().read())["recommendations"]

    before, started = answer(), time.perf_counter()
    connection.request("POST", "/v1/events", json.dumps(event))
    connection.getresponse().read()
    while answer() == before:
        if time.perf_counter() - started > PATIENCE_SECONDS:
            raise SystemExit(f"The answer for {visitor} is still the stranger's after {PATIENCE_SECONDS} s.")
    return (time.perf_counter() - started) * 1000


def load_of(port: int, script: str, seconds: int, rate: float | None = None) -> LatencyFigure:
    """Ask for `seconds`, about `rate` times a second (None: as often as answers come)."""
    with ExitStack() as stack:
        said = subprocess.run(
            wrk(stack, port, script, seconds, rate), capture_output=True, text=True, check=True
        ).stdout
    return LatencyFigure(**json.loads(said[said.index("{") :]))


def wrk(stack: ExitStack, port: int, script: str, seconds: int, rate: float | None, path: str = "/") -> list[str]:
    pace = PACE.format(most=round(2 * (CONNECTIONS / rate * 1000 - 2))) if rate else ""
    file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "load.lua")
    file.write_text(script + pace + REPORT.format())
    address = f"http://127.0.0.1:{port}{path}"
    return ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "-s", str(file), address]


@contextmanager
def under_load(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def _redis(folder: Path) -> Iterator[None]:
    """A redis-server that the settings of this process and its children name."""
    command = ("redis-server", "--port", str(REDIS), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder))
    hand_down(
        load(folder / "lake"), NEXTCLICK_KV__BACKEND="redis", NEXTCLICK_KV__REDIS_URL=f"redis://127.0.0.1:{REDIS}/0"
    )
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            time.sleep(1)
            yield
        finally:
            server.terminate()


if __name__ == "__main__":
    main()

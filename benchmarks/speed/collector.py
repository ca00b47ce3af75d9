"""Durable acknowledgements: single posts and batches of 50 against an empty ASGI reply of the same server.

    .venv/bin/python -m benchmarks.speed.collector [--seconds 10] [--workers 2] [--soak 0]

The load comes from wrk (Debian: apt-get install wrk) on the same cores. Every post is a new event that is
validated, landed and fsynced before it is answered. Both servers have as many workers. `--soak 600` goes on
posting for ten minutes and compares the collector's memory at the end with that after the first minute.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import cpu_seconds, ratio, resident_mb
from nextclick.errors import SetupError
from nextclick.settings import CHECKOUT, environment, load

CONNECTIONS = 64
BATCH = 50
LOAD = """
wrk.method = "POST"
local sent, batch, wait = 0, {batch}, {wait}
local base = math.floor((tonumber(tostring(wrk):match("0x(%x+)"), 16) or 1) % 1000000)
local function event()
  sent = sent + 1
  return string.format('{{"event":"view_item","event_id":"%d-%d-%d","visitor_id":"v%d","item_id":"i%d","timestamp":%d,' ..
    '"page_url":"https://shop.example/i%d"}}', os.time(), base, sent, sent % 1000, sent % 500, 1795341600000 + sent, sent % 500)
end
request = function()
  if batch == 1 then return wrk.format(nil, nil, nil, event()) end
  local events = {{}}
  for i = 1, batch do events[i] = event() end
  return wrk.format(nil, nil, nil, "[" .. table.concat(events, ",") .. "]")
end
delay = function() return wait end
done = function(summary, latency)
  io.write(string.format('{{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}}', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status + summary.errors.timeout + summary.errors.read + summary.errors.connect))
end
"""


async def empty(scope: Any, receive: Any, send: Any) -> None:
    """The baseline: reads the body and answers two bytes."""
    if scope["type"] == "lifespan":
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


class LoadFigure(NamedTuple):
    """What wrk saw: requests a second, and milliseconds of the median and the 99th percentile."""

    rate: float
    p50: float
    p99: float
    errors: int

    @property
    def latencies(self) -> str:
        return f"p50 {self.p50:.1f} ms  p99 {self.p99:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--soak", type=int, default=0, metavar="SECONDS")
    options = parser.parse_args()
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="nextclick-bench-") as folder:
        measure(Path(folder), options.seconds, options.workers, options.soak)


def need_wrk() -> None:
    """SetupError without the program that makes the load."""
    if not shutil.which("wrk"):
        raise SetupError("wrk, which makes the load, is not installed (Debian: `apt-get install wrk`).")


def measure(folder: Path, seconds: int, workers: int, soak: int) -> None:
    """Print the rates and their ratios."""
    server = str(Path(sys.executable).parent / "granian")
    options = ("--interface", "asgi", "--loop", "uvloop", "--no-ws", "--log-level", "error", "--workers", str(workers))
    with serving((server, *options, "--port", "8091", "benchmarks.speed.collector:empty"), 8091, folder):
        baseline = load_of("http://127.0.0.1:8091/", seconds)
    print(f"empty reply          {baseline.rate:>10,.0f} requests/s")
    command = (str(Path(sys.executable).parent / "nextclick"), "collect", "--port", "8092", "--workers", str(workers))
    address = "http://127.0.0.1:8092/v1/events"
    with serving(command, 8092, folder) as process:
        before = cpu_seconds(process.pid)
        single = load_of(address, seconds)
        print(f"single durable posts {single.rate:>10,.0f} requests/s   {single.latencies}")
        print(processor_time("post", before, process.pid, single.rate * seconds))
        wait = pause_for(0.7 * single.rate, address)
        calm = load_of(address, seconds, wait=wait)
        part = f"at {calm.rate / single.rate:.0%} of that load"
        print(f"{part}  {calm.rate:>10,.0f} requests/s   {calm.latencies}")
        before = cpu_seconds(process.pid)
        batches = load_of(address, seconds, batch=BATCH)
        print(f"batches of {BATCH}        {batches.rate * BATCH:>10,.0f} events/s     {batches.latencies}")
        print(processor_time("event", before, process.pid, batches.rate * BATCH * seconds))
        after = load_of(address, seconds, wait=wait)
        print(f"calm again, profiles behind {after.rate:>3,.0f} requests/s   {after.latencies}")
        print(ratio("single durable posts", single.rate, "an empty reply", baseline.rate, 0.16, at_least=True))
        print(ratio("batches", batches.rate * BATCH, "150,000 events/s", 150_000, 1.0, at_least=True))
        print(ratio(f"p99 of the acknowledgement {part}", calm.p99, "25 ms", 25, 1.0))
        failed = sum(figure.errors for figure in (single, calm, batches, after))
        print(f"answers other than 200: {failed}")
        if soak:
            load_of(address, 60, wait=wait)
            early = resident_mb(process.pid)
            load_of(address, soak - 60, wait=wait)
            print(ratio(f"memory after {soak} s", resident_mb(process.pid), f"after 60 s ({early:.0f} MB)", early, 1.1))


def processor_time(of: str, before: float, root: int, count: float) -> str:
    """What each of `count` took of the processors, which others on them hardly change: compare this, not rates, with another commit's."""
    spent = (cpu_seconds(root) - before) / count * 1e6
    return f"processor time       {spent:>10,.1f} µs each {of}, live profiles included"


def pause_for(rate: float, address: str) -> int:
    """Milliseconds between an answer and the next post with which about so many posts a second come."""
    pause = 5
    for _ in range(3):
        pause += round(1000 * (CONNECTIONS / rate - CONNECTIONS / load_of(address, 2, wait=pause).rate))
        pause = max(1, pause)
    return pause


@contextmanager
def serving(command: tuple[str, ...], port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server, once it answers; its lake is in `folder`."""
    surroundings = environment(load(folder / "lake"))
    with subprocess.Popen(command, cwd=CHECKOUT, env=surroundings, stderr=subprocess.DEVNULL) as process:
        try:
            while subprocess.run(("curl", "-s", "-o", os.devnull, f"http://127.0.0.1:{port}/health")).returncode:
                time.sleep(0.2)
            yield process
        finally:
            process.terminate()
            process.wait(30)


def load_of(address: str, seconds: int, batch: int = 1, wait: int = 0) -> LoadFigure:
    """Post for `seconds` over CONNECTIONS connections; `wait` milliseconds lie between an answer and the next post."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        text = LOAD.format(batch=batch, wait=wait)
        script.write(text if wait else re.sub(r"delay = .*\n", "", text))
        script.flush()
        command = ("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "-s", script.name, address)
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    summary = json.loads(said[said.index("{") :])
    return LoadFigure(summary["requests"] / summary["seconds"], summary["p50"], summary["p99"], summary["errors"])


if __name__ == "__main__":
    main()

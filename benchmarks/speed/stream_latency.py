"""Event → row of silver: seconds between arrival and commit, while `nextclick stream` and `collect` run.

    .venv/bin/python -m benchmarks.speed.stream_latency [--rate 1000] [--warm 240] [--seconds 120] [--visitors 20000]

Posts `rate` views a second, 50 at a time. The latency of an event is the time of the first commit of silver.events that has
its row, or of silver.sessions whose row of its visitor spans it, less its `received_at`. It is said of each minute of
arrivals, from the first on, and judged in the last `seconds`, when the JVM had `warm` seconds to compile what a stream of
days runs. Processor seconds of the stream go with it, which other work on the machine hardly changes.
"""

import argparse
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measure import cpu_seconds, ratio
from benchmarks.speed.collector import serving
from nextclick.lake import delta
from nextclick.lake.duck import connect
from nextclick.lake.paths import Lake
from nextclick.settings import environment, load

PORT, BATCH = 8093, 50
GOALS = {"silver.events": (4, 10), "silver.sessions": (8, 15)}
"""Seconds: the median, and the 99th percentile."""
_LATENCY = """
WITH latency AS (
    SELECT event.received_at, min(epoch(version.committed_at) - epoch(event.received_at)) AS seconds
    FROM events AS event LEFT JOIN versions AS version
        ON version.visitor_id = event.visitor_id AND event.occurred_at BETWEEN version.started_at AND version.ended_at
    GROUP BY event.event_id, event.received_at
)
SELECT CAST(floor((epoch(received_at) - ?) / ?) AS INTEGER), count(*), count(seconds), quantile_cont(seconds, 0.5),
    quantile_cont(seconds, 0.99)
FROM latency WHERE epoch(received_at) >= ? GROUP BY ALL ORDER BY ALL
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"rate": 1000, "warm": 240, "seconds": 120, "visitors": 20_000}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nextclick-bench-") as folder, ExitStack() as stack:
        lake = load(Path(folder) / "lake").lake
        command = str(Path(sys.executable).parent / "nextclick")
        stack.enter_context(serving((command, "collect", "--port", str(PORT)), PORT, Path(folder)))
        stream = stack.enter_context(streaming(command, lake))
        sent = send(options.rate, options.warm + options.seconds, options.visitors)
        wait_for(lake, sent)
        print(f"{sent:,} events; processor time of the stream {cpu_seconds(stream.pid):.0f} s")
        report(lake, options.warm)


@contextmanager
def streaming(command: str, lake: Lake) -> Iterator["Popen[bytes]"]:
    """`nextclick stream`, once its first checkpoint is there."""
    with Popen((command, "--lake", str(lake.root), "stream"), env=environment(load(lake.root))) as process:
        try:
            while not Path(lake.checkpoint("ingest_events"), "metadata").exists():
                time.sleep(0.2)
            yield process
        finally:
            process.terminate()


def send(rate: int, seconds: int, visitors: int) -> int:
    """Post that many events a second, for so long; how many were acknowledged."""
    draw, started, sent = random.Random(1), time.monotonic(), 0
    while (now := time.monotonic()) < started + seconds:
        if (pause := started + sent / rate - now) > 0:
            time.sleep(pause)
        moment = time.time_ns() // 1_000_000
        events = [
            {
                "event": "view_item",
                "event_id": f"e{sent + place}",
                "visitor_id": f"v{draw.randrange(visitors)}",
                "item_id": f"i{draw.randrange(500)}",
                "page_url": f"https://shop.example/i{draw.randrange(500)}",
                "timestamp": moment,
            }
            for place in range(BATCH)
        ]
        body = json.dumps(events).encode()
        address = f"http://127.0.0.1:{PORT}/v1/events"
        with urllib.request.urlopen(urllib.request.Request(address, body, {"Content-Type": "application/json"})):
            sent += BATCH
    return sent


def wait_for(lake: Lake, events: int) -> None:
    """Until silver.events has so many rows, and its sessions count them, or neither has grown for a minute."""
    seen, since = 0, time.monotonic()
    while seen < 2 * events and time.monotonic() < since + 60:
        time.sleep(1)
        present, sessions = (delta.open_table(lake, name) for name in GOALS)
        rows = present.count() if present else 0
        rows += sum(sessions.to_pyarrow_table(columns=["events"])["events"].to_pylist()) if sessions else 0
        if rows != seen:
            seen, since = rows, time.monotonic()


def report(lake: Lake, warm: int) -> None:
    """Print the latencies of each minute, and those after `warm` seconds with their ratios to the goals."""
    events = committed(lake, "silver.events", ["event_id", "visitor_id", "occurred_at", "received_at"])
    spans = committed(lake, "silver.sessions", ["visitor_id", "started_at", "ended_at"])
    moments = {
        "silver.events": events.append_column("started_at", events["occurred_at"]).append_column(
            "ended_at", events["occurred_at"]
        ),
        "silver.sessions": spans,
    }
    for name, (median, last) in GOALS.items():
        with connect(lake) as duck:
            duck.register("events", events)
            duck.register("versions", moments[name])
            first = duck.execute("SELECT min(epoch(received_at)) FROM events").fetchall()[0][0]
            minutes = duck.execute(_LATENCY, [first, 60, first]).fetchall()
            [(_, count, there, p50, p99)] = duck.execute(_LATENCY, [first, 1e9, first + warm]).fetchall()
        for minute, *_, half, most in minutes:
            print(f"{name:<16} minute {minute + 1}: p50 {half:.1f} s   p99 {most:.1f} s")
        print(
            f"{name:<16} p50 {p50:.1f} s   p99 {p99:.1f} s   of {count:,} events, {count - there:,} of them not there"
        )
        print(ratio(f"  {name} p50", p50, f"{median} s", median, 1.0))
        print(ratio(f"  {name} p99", p99, f"{last} s", last, 1.0))


def committed(lake: Lake, name: str, columns: list[str]) -> pa.Table:
    """The rows that each commit of a table brought, and when; what only joins small files is left out."""
    rows = []
    for log in sorted(Path(lake.table(name), "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        at = next(action["commitInfo"]["timestamp"] for action in actions if "commitInfo" in action)
        for add in (action["add"] for action in actions if "add" in action):
            if add["dataChange"]:
                part = pq.read_table(Path(lake.table(name), add["path"]), columns=columns)
                part = part.cast(pa.schema([utc(field) for field in part.schema]))
                moment = pa.array([at] * part.num_rows, pa.timestamp("ms", "UTC"))
                rows.append(part.append_column("committed_at", moment))
    return pa.concat_tables(rows)


def utc(field: pa.Field) -> pa.Field:
    """A time as deltalake writes it; Spark's files say it as INT96, which knows no zone."""
    return field.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(field.type) else field


if __name__ == "__main__":
    main()

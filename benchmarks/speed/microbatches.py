"""Micro-batches stay as quick as they were: the last 20 of 200 against batches 11 to 30.

    .venv/bin/python -m benchmarks.speed.microbatches [--batches 200] [--events 2000]

Lands one segment a batch (random visitors over a moving day, a tenth of the events up to a
day late) and brings each to bronze, silver and sessions by the jobs themselves. Processor time is listed too, which other
work on the machine hardly changes.
"""

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import cpu_seconds, ratio
from nextclick.contracts.events import Event, encode
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings, load
from spark_jobs.run_jobs import job
from spark_jobs.session import open_session
from spark_jobs.streaming import Trigger

JOBS = ("ingest_events", "build_events", "build_sessions")
START = 1_767_225_600_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=200)
    parser.add_argument("--events", type=int, default=2000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="nextclick-bench-"))
    try:
        run(load(lake=folder), options.batches, options.events)
    finally:
        shutil.rmtree(folder)


def run(settings: Settings, batches: int, events: int) -> None:
    """Print seconds a batch, by job, and the ratio of the late batches to the early ones."""
    settings.lake.prepare()
    spark, draw = open_session(settings, "benchmark"), random.Random(1)
    seconds: dict[str, list[float]] = {name: [] for name in JOBS}
    processor: list[float] = []
    for number in range(batches):
        land(settings, batch(draw, number, events))
        before = cpu_seconds(os.getpid())
        for name in JOBS:
            started = time.monotonic()
            job(name)(spark, settings, Trigger.AVAILABLE_NOW)
            seconds[name].append(time.monotonic() - started)
        processor.append(cpu_seconds(os.getpid()) - before)
    whole = [sum(parts) for parts in zip(*seconds.values(), strict=True)]
    for name, values in (*seconds.items(), ("all", whole), ("processor time", processor)):
        early, late = statistics.median(values[10:30]), statistics.median(values[-20:])
        print(f"{name:<16} batches 11–30: {early:.2f} s   last 20: {late:.2f} s   {late / early:.2f} ×")
    late, early = statistics.median(whole[-20:]), statistics.median(whole[10:30])
    print(ratio("the last 20 batches", late, "batches 11 to 30", early, 1.2))


def batch(draw: random.Random, number: int, events: int) -> list[Event]:
    """`events` views around minute `number`, a tenth of them up to a day late."""
    now = START + number * 60_000
    return [
        Event(
            event="view_item",
            event_id=f"{number}-{index}",
            client_time=now - draw.randrange(60_000) - (draw.randrange(86_400_000) if draw.random() < 0.1 else 0),
            visitor_id=f"v{draw.randrange(20_000)}",
            item_id=f"i{draw.randrange(500)}",
            page_url=f"https://shop.example/i{index % 500}",
        )
        for index in range(events)
    ]


def land(settings: Settings, events: Sequence[Event]) -> None:
    with SegmentWriter(settings.lake.landing, settings.landing) as writer:
        writer.extend(map(encode, events), "plain", START + 86_400_000)


if __name__ == "__main__":
    main()

"""Sessions by interval merge, against applyInPandasWithState; silver, against a stateless typed copy.

    .venv/bin/python -m benchmarks.speed.sessions --lake DIR [--events N]

DIR is a lake whose bronze and silver are built (`nextclick run --stop-after build_sessions`).
1. All events of silver.events, or the first N, one batch: our build_sessions against a state
   function in Python that keeps each visitor's intervals; both give the same sessions and measures.
2. All of bronze: build_events + build_sessions against `from_json` → Delta, no state at all.
Nothing is written into DIR.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.state import GroupState, GroupStateTimeout

from benchmarks.measure import ratio
from nextclick.contracts import bronze, silver
from nextclick.contracts.events import OUTSIDE_SESSIONS
from nextclick.lake.paths import Lake, lake_at
from nextclick.settings import Settings, load
from spark_jobs import tables
from spark_jobs.jobs import build_events, build_sessions
from spark_jobs.session import open_session
from spark_jobs.transforms.silver.sessionize import COUNTS
from spark_jobs.transforms.silver.type_events import FIELDS

FILES = 8
"""Files that the events of 1. lie in, so that both read them by all cores."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", required=True)
    parser.add_argument("--events", type=int, help="take the first N for 1. (default: all of them)")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="nextclick-bench-"))
    try:
        settings = load(lake=scratch)
        spark = open_session(settings, "benchmark")
        against_state(spark, settings, lake_at(options.lake), options.events)
        against_copy(spark, settings, lake_at(options.lake))
    finally:
        shutil.rmtree(scratch)


def seconds(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def against_state(spark: SparkSession, settings: Settings, source: Lake, events: int | None) -> None:
    """One batch of events, after a small one of each that warms the JVM."""
    everything = tables.read(spark, source, silver.EVENTS)
    events = events or everything.count()
    for name, size in (("warm", events // 50), ("timed", events)):
        lake = part(settings, name)
        tables.ensure(spark, lake, silver.EVENTS)
        rows = everything.orderBy("occurred_at").limit(size).repartition(FILES)
        rows.write.format("delta").mode("append").save(str(lake.lake.table("silver.events")))
        target = lake.lake.root / "state"
        ours = seconds(lambda lake=lake: build_sessions.run(spark, lake))  # type: ignore[misc]
        state = seconds(lambda lake=lake, target=target: with_state(spark, lake, target))  # type: ignore[misc]
    totals = ["count(*)", *(f"sum({name})" for name in MEASURES), "count(entry_page)", "count(distinct device)"]
    results = [
        tuple(rows.selectExpr(*totals).collect()[0])
        for rows in (tables.read(spark, lake.lake, silver.SESSIONS), spark.read.parquet(str(target / "out")))
    ]
    same = "the same" if results[0] == results[1] else f"NOT THE SAME: {results}"
    print(f"{events:,} events: ours {ours:.1f} s, state in Python {state:.1f} s, {same} {results[0][0]:,} sessions")
    print(ratio("sessions a second", events / ours, "applyInPandasWithState", events / state, 5, at_least=True))


STATE_COLUMNS = ("event_id", "event", "page_url", "channel", "device", "country", "currency", "dwell_ms", "scroll_pct")
MEASURES = ("events", *COUNTS, "engaged_ms")


def with_state(spark: SparkSession, settings: Settings, target: Path) -> None:
    """The sessions with all their measures, by a function that keeps each visitor's intervals as state and emits them."""
    paid = F.expr("CASE WHEN event = 'purchase' THEN double(price * coalesce(quantity, 1)) END")
    gap_ms = settings.sessions.gap_ms_for(settings.site)
    stream = tables.stream(spark, settings.lake, silver.EVENTS).where(~F.col("event").isin(*OUTSIDE_SESSIONS))
    sums = ", ".join(f"{name} bigint" for name in MEASURES)
    query = (
        stream.select("visitor_id", F.unix_millis("occurred_at").alias("at"), paid.alias("paid"), *STATE_COLUMNS)
        .groupBy("visitor_id")
        .applyInPandasWithState(
            lambda key, batches, state: merge_state(key, batches, state, gap_ms),
            f"visitor_id string, started bigint, ended bigint, {sums}, revenue string, max_scroll_pct double, "
            "entry_page string, exit_page string, channel string, device string, country string",
            "intervals string",  # arrays as state end Spark 4.2's Python worker with a KeyError
            "update",
            GroupStateTimeout.NoTimeout,
        )
        .writeStream.foreachBatch(lambda batch, _: batch.write.mode("append").parquet(str(target / "out")))
        .outputMode("update")
        .option("checkpointLocation", str(target / "checkpoint"))
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()


def merge_state(
    key: tuple[str], batches: Iterator[pd.DataFrame], state: GroupState, gap_ms: int
) -> Iterator[pd.DataFrame]:
    """Intervals of one visitor: those of the state and one for each event, merged."""
    intervals = json.loads(state.get[0]) if state.exists else []
    for batch in batches:
        plain = batch.astype(object).where(batch.notna(), None)
        intervals += [interval(dict(zip(plain.columns, row, strict=True))) for row in plain.to_numpy().tolist()]
    merged: list[dict[str, Any]] = []
    for one in sorted(intervals, key=lambda one: one["started"]):
        if merged and one["started"] - merged[-1]["ended"] <= gap_ms:
            merged[-1] = join(merged[-1], one)
        else:
            merged.append(one)
    state.update((json.dumps(merged),))
    rows = [
        {name: one[name] for name in ("started", "ended", *MEASURES, "max_scroll_pct")}
        | dict(zip(("channel", "device", "country"), one["first"][2:], strict=True))
        | {"visitor_id": key[0], "revenue": json.dumps(one["revenue"])}
        | {f"{end}_page": one[end] and one[end][2] for end in ("entry", "exit")}
        for one in merged
    ]
    yield pd.DataFrame(rows)


def interval(event: dict[str, Any]) -> dict[str, Any]:
    """One event as an interval of length zero."""
    at, page = event["at"], event["page_url"] and [event["at"], event["event_id"], event["page_url"]]
    counts = {name: int(event["event"] in kinds) for name, kinds in COUNTS.items()}
    return counts | {
        "started": at, "ended": at, "events": 1, "entry": page, "exit": page, "engaged_ms": event["dwell_ms"] or 0,
        "first": [at, event["event_id"], event["channel"], event["device"], event["country"]],
        "revenue": {event["currency"] or "": event["paid"]} if event["paid"] else {},
        "max_scroll_pct": event["scroll_pct"],
    }  # fmt: skip


def join(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two intervals as one."""
    pages = [[page for page in (one[end], other[end]) if page] for end in ("entry", "exit")]
    depths = [depth for depth in (one["max_scroll_pct"], other["max_scroll_pct"]) if depth is not None]
    money = {*one["revenue"], *other["revenue"]}
    return {name: one[name] + other[name] for name in MEASURES} | {
        "started": min(one["started"], other["started"]), "ended": max(one["ended"], other["ended"]),
        "first": min(one["first"], other["first"], key=lambda first: first[:2]),
        "entry": min(pages[0], default=None), "exit": max(pages[1], default=None),
        "revenue": {name: one["revenue"].get(name, 0) + other["revenue"].get(name, 0) for name in money},
        "max_scroll_pct": max(depths, default=None),
    }  # fmt: skip


def against_copy(spark: SparkSession, settings: Settings, source: Lake) -> None:
    """All of bronze; the copy runs first and last, and its better time counts."""
    rows = tables.read(spark, source, bronze.EVENTS)
    copies = [seconds(lambda name=name: typed_copy(rows, settings.lake.root / name)) for name in ("copy1", "copy2")]  # type: ignore[misc]
    lake = part(settings, "silver")
    shutil.copytree(source.table("bronze.events"), lake.lake.table("bronze.events"))
    events = seconds(lambda: build_events.run(spark, lake))
    sessions = seconds(lambda: build_sessions.run(spark, lake))
    copies.append(seconds(lambda: typed_copy(rows, settings.lake.root / "copy3")))
    print(f"bronze → silver {events:.1f} s, sessions {sessions:.1f} s; stateless typed copy {min(copies):.1f} s")
    print(ratio("silver and sessions", events + sessions, "a stateless typed copy", min(copies), 5))


def typed_copy(rows: DataFrame, target: Path) -> None:
    """bronze → `from_json` to typed columns → Delta: no check, no identity, no session."""
    types = {column.name: column.type for column in silver.EVENTS.columns if column.name in FIELDS}
    wire = types | {name: "bigint" for name in types if types[name] == "timestamp"}
    schema = ", ".join(f"`{name}` {kind}" for name, kind in wire.items())
    parsed = rows.select("seq", F.from_json("payload", schema).alias("event")).select("seq", "event.*")
    parsed.write.format("delta").mode("overwrite").save(str(target))


def part(settings: Settings, name: str) -> Settings:
    """The same settings on a lake of their own inside the scratch folder."""
    moved = msgspec.structs.replace(settings, lake=lake_at(settings.lake.root / name))
    moved.lake.prepare()
    return moved


if __name__ == "__main__":
    main()

"""A funnel of three steps over 3 M events, against the plain SQL of its definition, side by side in one run.

    make bench ARGS="funnel [--events 3000000] [--visitors 200000] [--times 3] [--keep DIR]"

Makes a silver.events of random views, carts and purchases of 30 days in a folder that is removed at the end unless it is kept: each of
them a step, so nothing is left out early. The plain SQL keeps, per step, the latest start as a window over the visitor's events. Seconds
of the processor, of all cores, stand beside those of the clock: what else runs changes them less.
"""

import argparse
import shutil
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median
from typing import NamedTuple, TypeVar

import pyarrow as pa
from deltalake import write_deltalake

from analytics.funnel import answer, question
from benchmarks.measure import lake_folder, ratio
from nextclick.contracts import arrow
from nextclick.contracts.duckdb_types import duckdb_type
from nextclick.contracts.silver import EVENTS, USER_AGENTS
from nextclick.lake import commits, delta, duck
from nextclick.lake.paths import Lake
from nextclick.lake.people import human_events
from nextclick.settings import Settings, load

STEPS = ("view_item", "add_to_cart", "purchase")
WITHIN = timedelta(days=7)
T = TypeVar("T")
_EVENTS = """
SELECT 'shop' AS site, 'e' || n AS event_id, ['view_item', 'add_to_cart', 'purchase'][1 + (hash(n, 1) % 3)::INT] AS event,
       make_timestamptz(2026, 1, 1, 0, 0, 0, 'UTC') + to_microseconds((hash(n, 2) % 2592000000000)::BIGINT) AS occurred_at,
       'v' || (hash(n, 3) % $visitors) AS visitor_id, 'agent ' || (hash(n, 4) % 50) AS user_agent
FROM range($events) t(n)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--visitors", type=int, default=200_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument(
        "--keep", metavar="DIR", help="Make the lake there, leave it, and take it as it is the next time."
    )
    options = parser.parse_args()
    with lake_folder("funnel", options.keep) as folder:
        settings = load(lake=folder / "lake")
        if not delta.exists(settings.lake, USER_AGENTS.name):  # what is written last
            make(settings.lake, options.events, options.visitors)
        compare(settings, options.events, options.times)


def make(lake: Lake, events: int, visitors: int) -> None:
    """silver.events of random events, in files of half a million, and silver.user_agents, where one of fifty is a bot's."""
    lake.prepare()
    shutil.rmtree(lake.table(EVENTS.name), ignore_errors=True)  # what was begun and never ended
    drawn = ("site", "event_id", "event", "occurred_at", "visitor_id", "user_agent")
    columns = (
        each.name if each.name in drawn else f"NULL::{duckdb_type(each.type)} AS {each.name}" for each in EVENTS.columns
    )
    with duck.connect(lake) as database:
        rows = database.sql(
            f"SELECT {', '.join(columns)} FROM ({_EVENTS})", params={"events": events, "visitors": visitors}
        )
        for batch in rows.to_arrow_reader(500_000):
            write_deltalake(lake.table(EVENTS.name), batch, mode="append")
    agents = [{"user_agent": f"agent {n}", "device": "other", "is_bot": n == 7} for n in range(50)]
    commits.write(lake, USER_AGENTS, pa.Table.from_pylist(agents, arrow.schema(USER_AGENTS)), "append")


def compare(settings: Settings, events: int, times: int) -> None:
    """Print the figures."""
    ours, plain = list[Elapsed](), list[Elapsed]()
    for _ in range(times):
        seconds, funnel = timed(lambda: answer(settings, question(settings, STEPS, "7d")))
        ours.append(seconds)
        seconds, units = timed(lambda: plain_sql(settings))
        plain.append(seconds)
        if units != [step.units for step in funnel.steps]:
            raise SystemExit(f"The same was not counted: {funnel.steps}, {units}")
    print(f"{events:,} events, {units}")
    for name, figures in (("ours", ours), ("plain SQL", plain)):
        print(
            f"{name}: {median(each.clock for each in figures):.2f} s, {median(each.processor for each in figures):.2f} s of the processor"
        )
    for part in Elapsed._fields:
        mine, theirs = (median(getattr(each, part) for each in figures) for figures in (ours, plain))
        print(ratio(f"seconds of the {part}", mine, "plain SQL", theirs, 0.6))


class Elapsed(NamedTuple):
    """Of the clock, and of the processor over all cores."""

    clock: float
    processor: float


def timed(work: Callable[[], T]) -> tuple[Elapsed, T]:
    clock, processor = time.monotonic(), time.process_time()
    result = work()
    return Elapsed(time.monotonic() - clock, time.process_time() - processor), result


def plain_sql(settings: Settings) -> list[int]:
    """Visitors by step: of each event that is a step, the latest start of a chain that the event completes up to there."""
    query = f"WITH s1 AS (SELECT visitor_id, occurred_at AS t, event, CASE WHEN event = '{STEPS[0]}' THEN occurred_at END AS r1 FROM events)"  # noqa: E501
    for k, step in enumerate(STEPS[1:], start=2):
        latest = (
            f"max(r{k - 1}) OVER (PARTITION BY visitor_id ORDER BY t RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
        )
        reached = f"CASE WHEN event = '{step}' AND t - {latest} <= INTERVAL {WITHIN.days} DAY THEN {latest} END"
        query += f", s{k} AS (SELECT *, {reached} AS r{k} FROM s{k - 1})"
    counts = ", ".join(f"count(DISTINCT visitor_id) FILTER (r{k} IS NOT NULL)" for k in range(1, len(STEPS) + 1))
    with duck.connect(settings.lake) as database:
        human_events.show(database, "events", settings, EVENTS.name, delta.require(settings.lake, EVENTS.name))
        [units] = database.execute(f"{query} SELECT {counts} FROM s{len(STEPS)}").fetchall()
    return list(units)


if __name__ == "__main__":
    main()

"""silver.events → silver.sessions: exact, whatever the order of arrival."""

from collections.abc import Collection

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import silver
from nextclick.lake.lookup import Reach
from nextclick.lake.paths import Lake
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.held import are_few
from spark_jobs.launch import launch
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.silver.sessionize import (
    OWNER,
    as_sessions,
    deleted_sessions,
    event_intervals,
    first_sends,
    merge_intervals,
    near_intervals,
    same_orders,
    session_intervals,
)
from spark_jobs.transforms.time_ranges import spans, time_ranges


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Merge each batch's events with the sessions that they touch, and upsert the result."""
    lake, overlong = settings.lake, settings.sessions.overlong
    merge, margin = merge_intervals(settings.sessions), int(settings.sessions.longest_gap.total_seconds())

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, silver.EVENTS)

    def process(events: DataFrame, batch: MicroBatch) -> None:
        few = are_few(events) and not batch.replaces
        fresh = batch.hold(events.transform(event_intervals).transform(merge), few)
        hours = "sequence(div(unix_seconds(started_at), 3600), div(unix_seconds(ended_at), 3600))"
        measures = F.sum("events"), F.count("*"), F.collect_set(F.expr(hours)), F.max(F.size("lines"))
        seen, count, hours_of_each, orders = fresh.agg(*measures).collect()[0]
        batch.counts.read += seen or 0
        if batch.replaces:
            rows = fresh.transform(first_sends).transform(as_sessions(overlong))
            tables.replace(rows, lake, silver.SESSIONS, batch.commit("sessions"))
            return
        if not count:
            return
        near = {hour for some in hours_of_each for hour in some}
        present = _present(fresh, lake, near, margin, bool(orders), few)
        bounded = present.where(time_ranges(near, "started_at", "ended_at", margin))
        touched = bounded.transform(session_intervals).transform(near_intervals(fresh, settings.sessions))
        if orders:
            again = present.transform(same_orders(fresh)).transform(session_intervals)
            touched = touched.unionByName(again).dropDuplicates(["session_id"])
        touched = batch.hold(touched, few)
        known = [row[0] for row in touched.select("session_id").limit(tables.MOST_EXCHANGED + 1).collect()]

        # Intervals of one batch are merged with each other already.
        merged = fresh.unionByName(touched.drop("session_id")).transform(merge) if known else fresh
        if orders:
            merged = merged.transform(first_sends)
        sessions = merged.transform(as_sessions(overlong))
        commit, most = batch.commit("sessions"), count + len(known)
        if not known:  # nothing to update: an append needs no scan of the table
            tables.append(sessions, lake, silver.SESSIONS, commit, most)
        elif tables.can_exchange(lake, silver.SESSIONS, len(known), most):
            tables.exchange(sessions, lake, silver.SESSIONS, commit, known, most)
        else:
            prune = "true" if orders else time_ranges(near, "t.started_at", "t.ended_at", margin)
            changes = sessions.transform(deleted_sessions(touched))
            tables.merge(changes, lake, silver.SESSIONS, commit, prune)

    return run_query(spark, settings, trigger, "build_sessions", (silver.SESSIONS,), source, process)


def _present(fresh: DataFrame, lake: Lake, near: Collection[int], margin: int, orders: bool, few: bool) -> DataFrame:
    """The sessions that `fresh` intervals may touch, and more: of `few`, those of their visitors near them; of `orders`, at any time."""
    if not few:
        return tables.read(fresh.sparkSession, lake, silver.SESSIONS)
    reach = None if orders else Reach(spans(near, margin), "started_at", "ended_at")
    return tables.alike(fresh, lake, silver.SESSIONS, OWNER, few, reach)


if __name__ == "__main__":
    launch(run)

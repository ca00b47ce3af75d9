"""silver.events → silver.sessions: exact, whatever the order of arrival."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import silver
from nextclick.lake.lookup import Reach
from nextclick.report import JobReport
from nextclick.settings import SessionsSettings, Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.plans import held
from spark_jobs.plans.prepared import Prepared, once
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


class SessionSteps(NamedTuple):
    """What is made of the rows of a batch; of some, two of a kind: whether there are lines of orders."""

    fresh: Prepared
    """Events → intervals, those of one batch merged."""
    measures: Prepared
    """Fresh intervals → one row: events, intervals, the hours that each touches, most lines of one."""
    owners: Prepared
    """Fresh intervals → whose they are."""
    touched: Mapping[bool, Prepared]
    """Fresh intervals, rows of silver.sessions near them, and all → those that merge with them, as intervals."""
    ids: Prepared
    """Touched intervals → their ids, of too many not all."""
    sessions: Mapping[bool, Prepared]
    """Fresh and touched intervals → rows of silver.sessions."""


@once
def steps(settings: SessionsSettings) -> SessionSteps:
    merge = merge_intervals(settings)
    hours = "sequence(div(unix_seconds(started_at), 3600), div(unix_seconds(ended_at), 3600))"
    measures = F.sum("events"), F.count("*"), F.collect_set(F.expr(hours)), F.max(F.size("lines"))

    def touched(fresh: DataFrame, near: DataFrame, present: DataFrame, orders: bool) -> DataFrame:
        merging = near.transform(session_intervals).transform(near_intervals(fresh, settings))
        if not orders:
            return merging
        again = present.transform(same_orders(fresh)).transform(session_intervals)
        return merging.unionByName(again).dropDuplicates(["session_id"])

    def sessions(fresh: DataFrame, touched: DataFrame, orders: bool) -> DataFrame:
        merged = fresh.unionByName(touched.drop("session_id")).transform(merge)
        return _sessions(merged, settings, orders)

    return SessionSteps(
        Prepared(lambda events: events.transform(event_intervals).transform(merge)),
        Prepared(lambda fresh: fresh.agg(*measures)),
        Prepared(lambda fresh: fresh.select(*OWNER)),
        {orders: Prepared(partial(touched, orders=orders)) for orders in (False, True)},
        Prepared(lambda touched: touched.select("session_id").limit(tables.MOST_EXCHANGED + 1)),
        {orders: Prepared(partial(sessions, orders=orders)) for orders in (False, True)},
    )


def _sessions(intervals: DataFrame, settings: SessionsSettings, orders: bool) -> DataFrame:
    """Merged intervals as rows of silver.sessions."""
    resolved = intervals.transform(first_sends) if orders else intervals
    return resolved.transform(as_sessions(settings.overlong)).select(*silver.SESSIONS.column_names)


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Merge each batch's events with the sessions that they touch, and upsert the result."""
    lake, step = settings.lake, steps(settings.sessions)
    margin = int(settings.sessions.longest_gap.total_seconds())

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, silver.EVENTS)

    def process(events: DataFrame, batch: MicroBatch) -> None:
        few = held.are_few(events)
        fresh = batch.hold(step.fresh(events, few=few), few)
        [(seen, count, hours_of_each, most_lines)] = held.collect(step.measures(fresh, few=few))
        batch.counts.read += seen or 0
        if batch.replaces:
            rows = _sessions(fresh, settings.sessions, orders=True)
            tables.replace(rows, lake, silver.SESSIONS, batch.commit("sessions"), few=few)
            return
        if not count and not batch.rehearsal:
            return
        orders, hours = bool(most_lines), {hour for some in hours_of_each for hour in some}
        if few:  # the sessions of their visitors near them; where there are orders, at any time
            reach = None if orders else Reach(spans(hours, margin), "started_at", "ended_at")
            near = present = tables.alike(step.owners(fresh, few=few), lake, silver.SESSIONS, OWNER, few, reach)
        else:
            present = tables.read(events.sparkSession, lake, silver.SESSIONS)
            near = present.where(time_ranges(hours, "started_at", "ended_at", margin))
        touched = batch.hold(step.touched[orders](fresh, near, present, few=few), few)
        known = [row[0] for row in held.collect(step.ids(touched, few=few))]

        # Intervals of one batch are merged with each other already.
        alone = not known and not few
        sessions = (
            _sessions(fresh, settings.sessions, orders) if alone else step.sessions[orders](fresh, touched, few=few)
        )
        commit, most = batch.commit("sessions"), count + len(known)
        if not known:  # nothing to update: an append needs no scan of the table
            tables.append(sessions, lake, silver.SESSIONS, commit, most)
        elif len(known) <= tables.MOST_EXCHANGED:
            tables.exchange(sessions, lake, silver.SESSIONS, commit, known, most)
        else:
            prune = "true" if orders else time_ranges(hours, "t.started_at", "t.ended_at", margin)
            changes = sessions.transform(deleted_sessions(touched))
            tables.merge(changes, lake, silver.SESSIONS, commit, prune)

    return run_query(spark, settings, trigger, "build_sessions", (silver.SESSIONS,), source, process)


if __name__ == "__main__":
    launch(run)

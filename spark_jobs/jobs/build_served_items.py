"""silver.events → silver.served_items: what became of each item that was served, whatever the order of arrival."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import silver
from nextclick.contracts.silver_served import SERVED_ITEMS
from nextclick.lake.lookup import Reach, matching
from nextclick.report import JobReport
from nextclick.settings import AttributionSettings, Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.plans import held
from spark_jobs.plans.prepared import Prepared, once
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms import orders
from spark_jobs.transforms.silver.served_items import (
    KEY,
    OWNER,
    SERVED,
    acts,
    attribute,
    is_act,
    is_answer,
    items_of_answers,
    touched_owners,
)
from spark_jobs.transforms.time_ranges import HOUR, spans, time_ranges

CHANGED, READ, EVENTS = 4, 7, 8
"""How far from a new event, in lengths of the longest window, lie rows that it can change; rows that these
compete with for acts; and the events of all of them. docs/loop.md counts them out."""

_ACTED: Final = (*OWNER, "request_id", "occurred_at", "order_id")
_COUNTED: Final = (*_ACTED, "event", "event_id", "user_agent", "currency", "price", "quantity")
"""Columns of events that say what became of an item."""
_ASKED: Final = tuple(
    name for name in silver.EVENTS.column_names if name in {*SERVED, *_COUNTED, "source", "properties"}
)


class ServedSteps(NamedTuple):
    """What is made of the rows of a batch of few."""

    counts: Prepared
    """Events → one row: answers, acts, and those of them that name a line of an order."""
    acted: Prepared
    """Events → acts: whose, of which answer and order, and when."""
    fresh: Prepared
    """Events → the items of answers."""
    rows: Prepared
    """Items of answers, of earlier ones, and the events of all of them → rows of silver.served_items."""


@once
def steps(limits: AttributionSettings) -> ServedSteps:
    def rows(fresh: DataFrame, present: DataFrame, events: DataFrame) -> DataFrame:
        return _served(present, fresh).transform(attribute(_counted(events), limits))

    counts = F.count_if(is_answer()), F.count_if(is_act()), F.count_if(F.expr(orders.SENT_OR_REFUNDED))
    return ServedSteps(
        Prepared(lambda events: events.agg(*counts)),
        Prepared(lambda events: events.where(is_act()).select(*_ACTED)),
        Prepared(items_of_answers),
        Prepared(rows),
    )


class _Touched(NamedTuple):
    """What a batch may change: all that silver.served_items says of these items anew."""

    hours: set[int]
    """Of its events, since 1970."""
    known: int
    """How many items at most."""
    rows: DataFrame


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the rows that each batch's answers and acts touch, and upsert those that differ."""
    lake = settings.lake

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, silver.EVENTS)

    def process(events: DataFrame, batch: MicroBatch) -> None:
        few = held.are_few(events)
        if batch.replaces:
            everything = tables.read(events.sparkSession, lake, silver.EVENTS)
            rows = everything.transform(items_of_answers).transform(
                attribute(_counted(everything), settings.attribution)
            )
            tables.replace(rows, lake, SERVED_ITEMS, batch.commit("rows"), few=few)
            return
        mine = batch.hold(events.where(is_answer() | is_act()).select(*_ASKED), few)
        [(answers, done, sends)] = held.collect(steps(settings.attribution).counts(mine, few=few))
        batch.counts.read += answers + done
        if not answers and (not done or tables.is_empty(lake, SERVED_ITEMS)):  # nothing that an act could count for
            return
        touched = _of_few(mine, settings) if few else _of_many(mine, batch, settings, sends > 0)
        if touched.known:
            near = partial(time_ranges, touched.hours, margin_seconds=CHANGED * _window(settings))
            changed, commit = touched.rows.where(near("served_at")), batch.commit("rows")
            tables.merge(
                changed, lake, SERVED_ITEMS, commit, near("t.served_at"), only_changed=True, at_most=touched.known
            )

    return run_query(spark, settings, trigger, "build_served_items", (SERVED_ITEMS,), source, process)


def _window(settings: Settings) -> int:
    """Seconds of the longest window."""
    return int(settings.attribution.longest.total_seconds())


def _counted(events: DataFrame) -> DataFrame:
    """The acts that count: of an order each line once, and a refund in the place of what it pays back."""
    return events.transform(orders.settled("visitor_id")).transform(acts)


def _served(present: DataFrame, fresh: DataFrame) -> DataFrame:
    return present.unionByName(fresh).dropDuplicates(list(KEY))


def _of_few(mine: DataFrame, settings: Settings) -> _Touched:
    """By looking up what is of the same visitor and item, or of the same answer; to have more of it than counts changes nothing."""
    lake, step = settings.lake, steps(settings.attribution)
    events: Callable[..., pa.Table] = partial(matching, lake, silver.EVENTS.name)
    served: Callable[..., pa.Table] = partial(matching, lake, SERVED_ITEMS.name)
    fresh = step.fresh(mine, few=True)
    answered, acted = fresh.select(*KEY, "visitor_id", "served_at").toArrow(), step.acted(mine, few=True).toArrow()
    acted = _with_orders(acted, events, _ACTED)  # another send may count now, or less of one
    moments = (*answered["served_at"].to_pylist(), *acted["occurred_at"].to_pylist())
    hours = {int(moment.timestamp()) // HOUR for moment in moments}
    named = pc.is_valid(acted["request_id"])
    owners = _together(
        answered.select(OWNER),
        acted.filter(pc.invert(named)).select(OWNER),
        served(acted.filter(named).select(KEY), OWNER),
    )
    present = served(owners, SERVED, Reach(spans(hours, READ * _window(settings)), "served_at", "served_at"))
    reach = Reach(spans(hours, EVENTS * _window(settings)), "occurred_at", "occurred_at")
    by_answer = events(_together(answered.select(KEY), present.select(KEY)), OWNER, reach)
    counted = _with_orders(events(_together(owners, by_answer), _COUNTED, reach), events, _COUNTED)
    spark, known = mine.sparkSession, answered.num_rows + present.num_rows
    here = tables.local(spark, SERVED_ITEMS, present), tables.local(spark, silver.EVENTS, counted)
    return _Touched(hours, known, step.rows(fresh, *here, few=True))


def _with_orders(of: pa.Table, events: Callable[..., pa.Table], columns: tuple[str, ...]) -> pa.Table:
    """Events, and where one names an order, all sends and refunds of that line of it, whenever they were."""
    ordered = pc.is_valid(of["order_id"])
    lines = of.filter(ordered).select(orders.VISITORS_LINE)
    return _together(of.filter(pc.invert(ordered)), events(lines, columns)) if lines.num_rows else of


def _together(*parts: pa.Table) -> pa.Table:
    return pa.concat_tables(parts, promote_options="permissive")


def _of_many(mine: DataFrame, batch: MicroBatch, settings: Settings, ordered: bool) -> _Touched:
    lake, window = settings.lake, _window(settings)
    everything = tables.read(mine.sparkSession, lake, silver.EVENTS)
    fresh, touching = batch.hold(mine.transform(items_of_answers)), batch.hold(mine.transform(acts))
    if ordered:  # another send may count now, or less of one
        sends = everything.transform(orders.other_sends(mine, orders.SENT_OR_REFUNDED))
        touching = touching.unionByName(sends.transform(acts))
    times = fresh.select(F.col("served_at").alias("at")).unionByName(touching.select("at"))
    hours = {*times.agg(F.collect_set(F.expr(f"div(unix_seconds(at), {HOUR})"))).collect()[0][0]}

    def near(lengths: int, column: str) -> str:
        return time_ranges(hours, column, margin_seconds=lengths * window)

    present = tables.read(mine.sparkSession, lake, SERVED_ITEMS).where(near(READ, "served_at"))
    served = batch.hold(_served(present.select(*SERVED), fresh))
    rows = served.join(served.transform(touched_owners(touching, fresh)), list(OWNER), "left_semi")
    counted = _counted(everything).where(near(EVENTS, "at"))
    return _Touched(hours, served.count(), rows.transform(attribute(counted, settings.attribution)))


if __name__ == "__main__":
    launch(run)

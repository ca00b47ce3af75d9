"""silver.events → silver.served_items: what became of each item that was served, whatever the order of arrival."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import silver, silver_served
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.plans.held import are_few
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms import orders
from spark_jobs.transforms.silver.served_items import (
    OWNER,
    SERVED,
    acts,
    attribute,
    is_act,
    is_answer,
    items_of_answers,
    touched_owners,
)
from spark_jobs.transforms.time_ranges import time_ranges

CHANGED, READ, EVENTS = 4, 7, 8
"""How far from a new event, in lengths of the longest window, lie rows that it can change; rows that these
compete with for acts; and the events of all of them. docs/loop.md counts them out."""


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the rows that each batch's answers and acts touch, and upsert those that differ."""
    lake, window = settings.lake, int(settings.attribution.longest.total_seconds())

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, silver.EVENTS)

    def process(events: DataFrame, batch: MicroBatch) -> None:
        if batch.replaces:
            everything = tables.read(events.sparkSession, lake, silver.EVENTS)
            counted = everything.transform(orders.settled("visitor_id")).transform(acts)
            rows = everything.transform(items_of_answers).transform(attribute(counted, settings.attribution))
            tables.replace(rows, lake, silver_served.SERVED_ITEMS, batch.commit("rows"))
            return
        answers, done, sends = events.agg(
            F.count_if(is_answer()), F.count_if(is_act()), F.count_if(F.expr(orders.SENT_OR_REFUNDED))
        ).collect()[0]
        batch.counts.read += answers + done
        if not answers and (
            not done or tables.is_empty(lake, silver_served.SERVED_ITEMS)
        ):  # nothing that an act could count for
            return
        everything = tables.read(events.sparkSession, lake, silver.EVENTS)
        few = are_few(events)
        fresh, touching = batch.hold(events.transform(items_of_answers), few), batch.hold(events.transform(acts), few)
        if sends:  # another send of their orders may count now, or less of one
            touching = touching.unionByName(
                everything.transform(orders.other_sends(events, orders.SENT_OR_REFUNDED)).transform(acts)
            )
        times = fresh.select(F.col("served_at").alias("at")).unionByName(touching.select("at"))
        hours = times.agg(F.collect_set(F.expr("div(unix_seconds(at), 3600)"))).collect()[0][0]

        def near(lengths: int, column: str) -> str:
            return time_ranges(hours, column, margin_seconds=lengths * window)

        present = tables.read(events.sparkSession, lake, silver_served.SERVED_ITEMS).where(near(READ, "served_at"))
        served = batch.hold(
            present.select(*SERVED).unionByName(fresh).dropDuplicates(list(silver_served.SERVED_ITEMS.key))
        )
        if known := served.count():
            rows = served.join(served.transform(touched_owners(touching, fresh)), list(OWNER), "left_semi")
            purchased = everything.transform(orders.settled("visitor_id"))
            counted = acts(purchased.where(near(EVENTS, "occurred_at")))
            changed = rows.transform(attribute(counted, settings.attribution)).where(near(CHANGED, "served_at"))
            prune, commit = near(CHANGED, "t.served_at"), batch.commit("rows")
            tables.merge(changed, lake, silver_served.SERVED_ITEMS, commit, prune, only_changed=True, at_most=known)

    return run_query(spark, settings, trigger, "build_served_items", (silver_served.SERVED_ITEMS,), source, process)


if __name__ == "__main__":
    launch(run)

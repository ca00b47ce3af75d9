"""silver.events → silver.served_items: what became of each item that was served, whatever the order of arrival."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import silver
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms import orders
from spark_jobs.transforms.silver.served_items import OWNER, SERVED, acts, attribute, items_of_answers, touched_owners
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
        everything = tables.read(events.sparkSession, lake, silver.EVENTS)
        purchased = everything.transform(orders.once("visitor_id"))
        if batch.replaces:
            rows = everything.transform(items_of_answers).transform(attribute(acts(purchased), settings.attribution))
            tables.replace(rows, lake, silver.SERVED_ITEMS, batch.commit("rows"))
            return
        fresh, new_acts = batch.hold(events.transform(items_of_answers)), batch.hold(events.transform(acts))
        again = everything.transform(orders.other_sends(events)).transform(acts)  # another send may count now
        times = fresh.select(F.col("served_at").alias("at")).unionByName(new_acts.select("at"))
        times = times.withColumn("new", F.lit(True)).unionByName(again.select("at", F.lit(False).alias("new")))
        hours = F.collect_set(F.expr("div(unix_seconds(at), 3600)"))
        seen, hours = times.agg(F.count_if("new"), hours).collect()[0]
        batch.counts.read += seen

        def near(lengths: int, column: str) -> str:
            return time_ranges(hours, column, margin_seconds=lengths * window)

        present = tables.read(events.sparkSession, lake, silver.SERVED_ITEMS).where(near(READ, "served_at"))
        served = batch.hold(present.select(*SERVED).unionByName(fresh).dropDuplicates(list(silver.SERVED_ITEMS.key)))
        if seen and not served.isEmpty():
            rows = served.join(
                served.transform(touched_owners(new_acts.unionByName(again), fresh)), list(OWNER), "left_semi"
            )
            counted = acts(purchased.where(near(EVENTS, "occurred_at")))
            changed = rows.transform(attribute(counted, settings.attribution)).where(near(CHANGED, "served_at"))
            prune, differ = near(CHANGED, "t.served_at"), tables.differ(silver.SERVED_ITEMS)
            tables.merge(changed, lake, silver.SERVED_ITEMS, batch.commit("rows"), prune, differ)

    return run_query(spark, settings, trigger, "build_served_items", (silver.SERVED_ITEMS,), source, process)


if __name__ == "__main__":
    launch(run)

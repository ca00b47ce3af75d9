"""silver.events → silver.items: what is known of each item."""

from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import silver
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.held import are_few
from spark_jobs.launch import launch
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.silver.items import KEY, as_items, item_facts, merge_facts, stored_facts


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Merge each batch's facts with those that are there, and upsert the result."""
    lake, conf = settings.lake, settings.items

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, silver.EVENTS)

    def process(events: DataFrame, batch: MicroBatch) -> None:
        few = are_few(events)
        fresh = batch.hold(events.transform(item_facts(conf)), few)
        count = fresh.count()
        batch.counts.read += count
        if batch.replaces:
            tables.replace(fresh.transform(as_items), lake, silver.ITEMS, batch.commit("items"))
        elif count:
            touched = tables.alike(fresh, lake, silver.ITEMS, KEY, few).transform(stored_facts(conf))
            rows = fresh.unionByName(touched).transform(merge_facts).transform(as_items)
            tables.merge(rows, lake, silver.ITEMS, batch.commit("items"), only_changed=True, at_most=count)

    return run_query(spark, settings, trigger, "build_items", (silver.ITEMS,), source, process)


if __name__ == "__main__":
    launch(run)

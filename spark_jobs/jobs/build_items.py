"""silver.events → silver.items: what is known of each item."""

from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import silver
from nextclick.report import JobReport
from nextclick.settings import ItemsSettings, Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.plans import held
from spark_jobs.plans.prepared import Prepared, once
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.silver.items import KEY, as_items, item_facts, merge_facts, stored_facts


class ItemSteps(NamedTuple):
    """What is made of the rows of a batch."""

    fresh: Prepared
    """Events → facts of items, those of one batch merged."""
    rows: Prepared
    """Fresh facts, the rows of silver.items that they are about → those rows as they are now."""


@once
def steps(conf: ItemsSettings) -> ItemSteps:
    facts, stored = item_facts(conf), stored_facts(conf)

    def rows(fresh: DataFrame, present: DataFrame) -> DataFrame:
        return fresh.unionByName(present.transform(stored)).transform(merge_facts).transform(as_items)

    return ItemSteps(Prepared(lambda events: events.transform(facts)), Prepared(rows))


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Merge each batch's facts with those that are there, and upsert the result."""
    lake, step = settings.lake, steps(settings.items)

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, silver.EVENTS)

    def process(events: DataFrame, batch: MicroBatch) -> None:
        few = held.are_few(events)
        fresh = batch.hold(step.fresh(events, few=few), few)
        count = held.count(fresh)
        batch.counts.read += count
        if batch.replaces:
            tables.replace(fresh.transform(as_items), lake, silver.ITEMS, batch.commit("items"), few=few)
        elif count:
            rows = step.rows(fresh, tables.alike(fresh, lake, silver.ITEMS, KEY, few), few=few)
            tables.merge(rows, lake, silver.ITEMS, batch.commit("items"), only_changed=True, at_most=count)

    return run_query(spark, settings, trigger, "build_items", (silver.ITEMS,), source, process)


if __name__ == "__main__":
    launch(run)

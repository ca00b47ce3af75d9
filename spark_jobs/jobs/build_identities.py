"""silver.events → silver.identities: which visitor is which user."""

from collections.abc import Set
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import silver
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.plans import held
from spark_jobs.plans.prepared import Prepared, once
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.silver.identities import KEY, as_identities, as_links, identity_links, merge_links


class IdentitySteps(NamedTuple):
    """What is made of the rows of a batch."""

    fresh: Prepared
    """Events → links, those of one batch merged."""
    rows: Prepared
    """Fresh links, the rows of silver.identities that are the same links → those rows as they are now."""


@once
def steps(nobody_words: Set[str]) -> IdentitySteps:
    links = identity_links(nobody_words)

    def rows(fresh: DataFrame, present: DataFrame) -> DataFrame:
        return fresh.unionByName(present.transform(as_links)).transform(merge_links).transform(as_identities)

    return IdentitySteps(Prepared(lambda events: events.transform(links)), Prepared(rows))


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Merge each batch's links with those that are there, and upsert the result."""
    lake, step = settings.lake, steps(settings.events.nobody_words)

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, silver.EVENTS)

    def process(events: DataFrame, batch: MicroBatch) -> None:
        few = held.are_few(events)
        fresh = batch.hold(step.fresh(events, few=few), few)
        count = held.count(fresh)
        batch.counts.read += count
        if batch.replaces:
            tables.replace(fresh.transform(as_identities), lake, silver.IDENTITIES, batch.commit("links"), few=few)
        elif count:  # most batches of anonymous traffic link nobody
            rows = step.rows(fresh, tables.alike(fresh, lake, silver.IDENTITIES, KEY, few), few=few)
            tables.merge(rows, lake, silver.IDENTITIES, batch.commit("links"), only_changed=True, at_most=count)

    return run_query(spark, settings, trigger, "build_identities", (silver.IDENTITIES,), source, process)


if __name__ == "__main__":
    launch(run)

"""silver.events → silver.identities: which visitor is which user."""

from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import silver
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.held import are_few
from spark_jobs.launch import launch
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.silver.identities import KEY, as_identities, as_links, identity_links, merge_links


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Merge each batch's links with those that are there, and upsert the result."""
    lake = settings.lake

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream(spark, lake, silver.EVENTS)

    def process(events: DataFrame, batch: MicroBatch) -> None:
        few = are_few(events)
        fresh = batch.hold(events.transform(identity_links(settings.events.nobody_words)), few)
        count = fresh.count()
        batch.counts.read += count
        if batch.replaces:
            tables.replace(fresh.transform(as_identities), lake, silver.IDENTITIES, batch.commit("links"))
        elif count:  # most batches of anonymous traffic link nobody
            touched = tables.alike(fresh, lake, silver.IDENTITIES, KEY, few).transform(as_links)
            rows = fresh.unionByName(touched).transform(merge_links).transform(as_identities)
            tables.merge(rows, lake, silver.IDENTITIES, batch.commit("links"), only_changed=True, at_most=count)

    return run_query(spark, settings, trigger, "build_identities", (silver.IDENTITIES,), source, process)


if __name__ == "__main__":
    launch(run)

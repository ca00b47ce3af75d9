"""gold.visits and silver.costs → gold.campaign_daily: whole days, recomputed when visits or costs of theirs changed."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import silver
from nextclick.contracts.gold_analytics import CAMPAIGN_DAILY, VISITS
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.gold.campaigns import campaign_daily
from spark_jobs.transforms.time_ranges import among


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days of visits and costs that came, changed or went, from all visits and costs of those days.

    Both are replaced by whole days, so the change feeds say which days those are: of the rows that went, too.
    """
    lake = settings.lake

    def stream(spark: SparkSession) -> DataFrame:
        visits, costs = (tables.stream_changes(spark, lake, table).select("date") for table in (VISITS, silver.COSTS))
        return visits.unionByName(costs)

    def process(changed: DataFrame, batch: MicroBatch) -> None:
        [(seen, days)] = changed.agg(F.count("*"), F.collect_set("date")).collect()
        batch.counts.read += seen
        where = None if batch.replaces else among(days, "date")
        if days or batch.replaces:
            visits, costs = (
                tables.read(changed.sparkSession, lake, table).where(where or "true")
                for table in (VISITS, silver.COSTS)
            )
            tables.replace(campaign_daily(visits, costs), lake, CAMPAIGN_DAILY, batch.commit("days"), where)

    return run_query(spark, settings, trigger, CAMPAIGN_DAILY.job, (CAMPAIGN_DAILY,), stream, process)


if __name__ == "__main__":
    launch(run)

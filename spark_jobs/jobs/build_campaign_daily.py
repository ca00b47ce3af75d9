"""gold.visits and silver.costs → gold.campaign_daily: whole days, recomputed when visits or costs of theirs changed."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts import silver_imported
from nextclick.contracts.gold_analytics import CAMPAIGN_DAILY, VISITS
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.streaming import MicroBatch, Trigger, run_query
from spark_jobs.transforms.gold.campaigns import campaign_daily
from spark_jobs.transforms.time_ranges import among

_SOURCES = (VISITS, silver_imported.COSTS)


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days of visits and costs that came, changed or went, from all visits and costs of those days.

    Both are replaced by whole days, so the change feeds say which days those are: of the rows that went, too.
    """
    lake = settings.lake

    def stream(spark: SparkSession) -> DataFrame:
        visits, costs = (tables.stream_changes(spark, lake, table).select("date") for table in _SOURCES)
        return visits.unionByName(costs)

    def process(changed: DataFrame, batch: MicroBatch) -> None:
        [(seen, days)] = changed.agg(F.count("*"), F.collect_set("date")).collect()
        batch.counts.read += seen
        sources = [tables.read(changed.sparkSession, lake, table) for table in _SOURCES]
        if batch.replaces:
            few = tables.have_few(lake, *_SOURCES)
            tables.replace(campaign_daily(*sources), lake, CAMPAIGN_DAILY, batch.commit("days"), few=few)
        elif days:
            rows = campaign_daily(*(source.where(among(days, "date")) for source in sources))
            most = sum(tables.rows_on(lake, table, days) for table in _SOURCES)  # that each has a row of its own
            tables.replace_days(rows, lake, CAMPAIGN_DAILY, batch.commit("days"), days, most)

    return run_query(spark, settings, trigger, CAMPAIGN_DAILY.job, (CAMPAIGN_DAILY,), stream, process)


if __name__ == "__main__":
    launch(run)

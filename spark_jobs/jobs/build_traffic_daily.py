"""silver.sessions → gold.traffic_daily: whole days, recomputed when a session of theirs changed."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.report import JobReport
from nextclick.settings import Settings
from nextclick.tables import gold, silver
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.streaming import Batch, Trigger, run_query
from spark_jobs.transforms.gold.daily import traffic_daily
from spark_jobs.transforms.time_ranges import among, on_days


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days of the sessions that came, changed or went, from all sessions of those days."""
    lake = settings.lake

    def source(spark: SparkSession) -> DataFrame:
        return tables.stream_changes(spark, lake, silver.SESSIONS).select("started_at")

    def process(changed: DataFrame, batch: Batch) -> None:
        seen, days = changed.agg(F.count("*"), F.collect_set(F.to_date("started_at"))).collect()[0]
        batch.counts.read += seen
        sessions = tables.read(changed.sparkSession, lake, silver.SESSIONS)
        if batch.replaces:
            tables.replace(sessions.transform(traffic_daily), lake, gold.TRAFFIC_DAILY, batch.commit("days"))
        elif days:
            rows = sessions.where(on_days(days, "started_at")).transform(traffic_daily)
            tables.replace(rows, lake, gold.TRAFFIC_DAILY, batch.commit("days"), among(days, "date"))

    return run_query(spark, settings, trigger, "build_traffic_daily", (gold.TRAFFIC_DAILY,), source, process)


if __name__ == "__main__":
    launch(run)

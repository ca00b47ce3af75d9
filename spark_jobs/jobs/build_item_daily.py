"""silver.events and user_agents → gold.item_daily: whole days, recomputed when an event of theirs came."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.report import JobReport
from nextclick.settings import Settings
from nextclick.tables import gold, silver
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.streaming import Batch, Trigger, run_query
from spark_jobs.transforms.gold.bots import of_agents, without_bots
from spark_jobs.transforms.gold.daily import item_daily
from spark_jobs.transforms.time_ranges import among, on_days


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days of the new events, and of all events of new bots, from all events of those days."""
    lake, day = settings.lake, F.to_date("occurred_at")

    def source(spark: SparkSession) -> DataFrame:
        bots = tables.stream(spark, lake, silver.USER_AGENTS).where("is_bot").select("user_agent")
        events = tables.stream(spark, lake, silver.EVENTS).select("occurred_at")
        return events.unionByName(bots, allowMissingColumns=True)

    def process(changed: DataFrame, batch: Batch) -> None:
        seen, bots, days = changed.agg(F.count("occurred_at"), F.count("user_agent"), F.collect_set(day)).collect()[0]
        batch.counts.read += seen
        everything = tables.read(changed.sparkSession, lake, silver.EVENTS)
        events = everything.transform(without_bots(tables.read(changed.sparkSession, lake, silver.USER_AGENTS)))
        if batch.replaces:
            tables.replace(events.transform(item_daily), lake, gold.ITEM_DAILY, batch.commit("days"))
            return
        if bots:
            days += everything.transform(of_agents(changed)).agg(F.collect_set(day)).collect()[0][0]
        if days:
            rows = events.where(on_days(days, "occurred_at")).transform(item_daily)
            tables.replace(rows, lake, gold.ITEM_DAILY, batch.commit("days"), among(days, "date"))

    return run_query(spark, settings, trigger, "build_item_daily", (gold.ITEM_DAILY,), source, process)


if __name__ == "__main__":
    launch(run)

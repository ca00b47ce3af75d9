"""silver.impressions and user_agents → gold.recommendation_performance: whole days, recomputed when a row of theirs changed."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.report import JobReport
from nextclick.settings import Settings
from nextclick.tables import gold, silver
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.streaming import Batch, Trigger, run_query
from spark_jobs.transforms.gold.bots import of_agents, without_bots
from spark_jobs.transforms.gold.performance import recommendation_performance
from spark_jobs.transforms.time_ranges import among, on_days

TABLE = gold.RECOMMENDATION_PERFORMANCE


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days of the items whose fate changed, and of all items that new bots were shown."""
    lake, day = settings.lake, F.to_date("served_at")

    def source(spark: SparkSession) -> DataFrame:
        bots = tables.stream(spark, lake, silver.USER_AGENTS).where("is_bot").select("user_agent")
        rows = tables.stream_changes(spark, lake, silver.IMPRESSIONS).select("served_at")
        return rows.unionByName(bots, allowMissingColumns=True)

    def process(changed: DataFrame, batch: Batch) -> None:
        seen, bots, days = changed.agg(F.count("served_at"), F.count("user_agent"), F.collect_set(day)).collect()[0]
        batch.counts.read += seen
        everything = tables.read(changed.sparkSession, lake, silver.IMPRESSIONS)
        people = everything.transform(without_bots(tables.read(changed.sparkSession, lake, silver.USER_AGENTS)))
        if batch.replaces:
            tables.replace(people.transform(recommendation_performance), lake, TABLE, batch.commit("days"))
            return
        if bots:
            days += everything.transform(of_agents(changed)).agg(F.collect_set(day)).collect()[0][0]
        if days:
            rows = people.where(on_days(days, "served_at")).transform(recommendation_performance)
            tables.replace(rows, lake, TABLE, batch.commit("days"), among(days, "date"))

    return run_query(spark, settings, trigger, "build_recommendation_performance", (TABLE,), source, process)


if __name__ == "__main__":
    launch(run)

"""silver.sessions and user_agents → gold.traffic_daily: whole days, recomputed when a session of theirs changed."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.report import JobReport
from nextclick.settings import Settings
from nextclick.tables import gold, silver
from spark_jobs import tables
from spark_jobs.launch import launch
from spark_jobs.streaming import Batch, Trigger, run_query
from spark_jobs.transforms.gold.bots import of_agents
from spark_jobs.transforms.gold.daily import traffic_daily
from spark_jobs.transforms.time_ranges import among, on_days


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days of the sessions that came, changed or went, or whose agents became known, from all their sessions."""
    lake, day = settings.lake, F.to_date("started_at")

    def source(spark: SparkSession) -> DataFrame:
        sessions = tables.stream_changes(spark, lake, silver.SESSIONS).select("started_at")
        agents = tables.stream(spark, lake, silver.USER_AGENTS).select("user_agent")
        return sessions.unionByName(agents, allowMissingColumns=True)

    def process(changed: DataFrame, batch: Batch) -> None:
        seen, known, days = changed.agg(F.count("started_at"), F.count("user_agent"), F.collect_set(day)).collect()[0]
        batch.counts.read += seen
        sessions = tables.read(changed.sparkSession, lake, silver.SESSIONS)
        traffic = traffic_daily(tables.read(changed.sparkSession, lake, silver.USER_AGENTS))
        if batch.replaces:
            tables.replace(sessions.transform(traffic), lake, gold.TRAFFIC_DAILY, batch.commit("days"))
            return
        if known:
            days += sessions.transform(of_agents(changed)).agg(F.collect_set(day)).collect()[0][0]
        if days:
            rows = sessions.where(on_days(days, "started_at")).transform(traffic)
            tables.replace(rows, lake, gold.TRAFFIC_DAILY, batch.commit("days"), among(days, "date"))

    return run_query(spark, settings, trigger, "build_traffic_daily", (gold.TRAFFIC_DAILY,), source, process)


if __name__ == "__main__":
    launch(run)

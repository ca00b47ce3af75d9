"""silver.sessions and user_agents → gold.traffic_daily: whole days, recomputed when a session of theirs changed."""

from pyspark.sql import SparkSession

from nextclick.contracts import gold, silver
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.days import DailyTable
from spark_jobs.launch import launch
from spark_jobs.streaming import Trigger
from spark_jobs.transforms.gold.daily import traffic_daily

_DAYS = DailyTable(
    job="build_traffic_daily",
    table=gold.TRAFFIC_DAILY,
    source=silver.SESSIONS,
    time_column="started_at",
    follow=tables.stream_changes,
    agents_to_recount=lambda agents: agents,
    transform=traffic_daily,
)


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days of the sessions that came, changed or went, or whose agents became known, from all their sessions."""
    return _DAYS.run(spark, settings, trigger)


if __name__ == "__main__":
    launch(run)

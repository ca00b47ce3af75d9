"""silver.served_items and user_agents → gold.recommendation_performance: whole days, recomputed when a row of theirs changed."""

from pyspark.sql import SparkSession

from nextclick.contracts import gold, silver_served
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.days import DailyTable, agents_that_are_bots, excluding_bots
from spark_jobs.launch import launch
from spark_jobs.streaming import Trigger
from spark_jobs.transforms.gold.performance import recommendation_performance

_DAYS = DailyTable(
    job="build_recommendation_performance",
    table=gold.RECOMMENDATION_PERFORMANCE,
    source=silver_served.SERVED_ITEMS,
    time_column="served_at",
    follow=tables.stream_changes,
    agents_to_recount=agents_that_are_bots,
    transform=excluding_bots(recommendation_performance),
)


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days of the items whose fate changed, and of all items that new bots were shown."""
    return _DAYS.run(spark, settings, trigger)


if __name__ == "__main__":
    launch(run)

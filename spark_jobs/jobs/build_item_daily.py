"""silver.events and user_agents → gold.item_daily: whole days, recomputed when an event of theirs came."""

from pyspark.sql import SparkSession

from nextclick.contracts import gold, silver
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.days import DailyTable, agents_that_are_bots, excluding_bots
from spark_jobs.launch import launch
from spark_jobs.streaming import Trigger
from spark_jobs.transforms import orders
from spark_jobs.transforms.gold.daily import item_daily

_DAYS = DailyTable(
    job="build_item_daily",
    table=gold.ITEM_DAILY,
    source=silver.EVENTS,
    time_column="occurred_at",
    follow=tables.stream,
    agents_to_recount=agents_that_are_bots,
    transform=lambda agents: item_daily,
    counted=excluding_bots(orders.once("visitor_id")),
    recounted=orders.other_sends,
    recounts=orders.ORDERED,
)


def run(spark: SparkSession, settings: Settings, trigger: Trigger = Trigger.AVAILABLE_NOW) -> JobReport:
    """Recompute the days of the new events, and of all events of new bots, from all events of those days."""
    return _DAYS.run(spark, settings, trigger)


if __name__ == "__main__":
    launch(run)

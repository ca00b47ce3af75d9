"""Events with their visits → gold.visitor_days."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nextclick.settings import AnalyticsSettings
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.gold.visit_events import OWNER
from spark_jobs.transforms.gold.visits import counts
from spark_jobs.transforms.silver.sessionize import summed


def visitor_days(analytics: AnalyticsSettings) -> Transformer:
    """Rows of visit_events → one row per day, site and visitor with an event of a visit that day."""

    def transform(rows: DataFrame) -> DataFrame:
        mine = rows.where("date IS NOT NULL AND session_id IS NOT NULL").groupBy("date", *OWNER)
        return mine.agg(
            F.count("visit").alias("visits"),
            F.count("event").alias("events"),
            *counts(analytics),
            F.coalesce(F.sum("dwell_ms"), F.lit(0)).alias("engaged_ms"),
            F.collect_list("revenue").alias("revenue"),
            F.max(F.when(F.col("level") >= 0, F.col("level"))).alias("top_level"),
        ).withColumn("revenue", summed("revenue"))

    return transform

"""Events with their visits → gold.event_daily."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms.gold.visit_events import OWNER

_KEY: Final = ("date", "site", "event", "platform")


def event_daily(rows: DataFrame) -> DataFrame:
    """Rows of visit_events → one row per day, site, kind of event and platform.

    Visitors, then visits, are counted by grouping: a visit is of one visitor.
    """
    sums = [F.sum(name).alias(name) for name in ("events", "with_error", "value_sum", "value_n")]
    by_visit = (
        rows.where("date IS NOT NULL AND event IS NOT NULL")
        .groupBy(*_KEY, *OWNER[1:], "session_id")
        .agg(
            F.count("*").alias("events"),
            F.count_if("with_error").alias("with_error"),
            F.sum("value").alias("value_sum"),
            F.count("value").alias("value_n"),
        )
    )
    by_visitor = by_visit.groupBy(*_KEY, *OWNER[1:]).agg(*sums, F.count("session_id").alias("visits"))
    by_kind = by_visitor.groupBy(*_KEY).agg(*sums, F.sum("visits").alias("visits"), F.count("*").alias("visitors"))
    return by_kind.withColumn("value_sum", F.coalesce(F.col("value_sum").cast("double"), F.lit(0.0)))

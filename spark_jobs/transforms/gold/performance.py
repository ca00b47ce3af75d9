"""Items that were served → gold.recommendation_performance."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms.gold.daily import or_empty, revenue_by

_KEY: Final = ("date", "site", "surface", "model_version", "experiment", "variant", "position")
_WITHOUT: Final = {"surface": "unknown", "model_version": "unknown", "experiment": "none", "variant": "none"}
_COUNTS: Final = {"shown": "shown_at", "clicks": "clicked_at", "carts": "carted_at", "purchases": "purchased_at"}


def recommendation_performance(served: DataFrame) -> DataFrame:
    """One row per `date`, site, surface, model version, experiment, variant and position."""
    named = {name: F.coalesce(name, F.lit(word)) for name, word in _WITHOUT.items()}
    rows = served.withColumns(named)
    paid = rows.select(*_KEY, F.explode("revenue").alias("currency", "amount"))
    return (
        rows.groupBy(*_KEY)
        .agg(F.count("*").alias("served"), *(F.count(stamp).alias(name) for name, stamp in _COUNTS.items()))
        .withColumn("ctr", F.try_divide("clicks", "shown"))
        .join(revenue_by(paid, _KEY), list(_KEY), "left")
        .withColumn("revenue", or_empty("revenue"))
    )

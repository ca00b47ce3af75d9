"""Visits and costs → gold.campaign_daily."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nextclick.contracts.silver import AMOUNT
from spark_jobs.transforms.silver.channel import FOR_A_MOMENT, STEPS

_NONE: Final = "(none)"
_TAGS: Final = {"utm_source": "source", "utm_medium": "medium", "utm_campaign": "campaign"}
_KEY: Final = ("date", "site", "channel", "source", "medium", "campaign", "content", "currency")


def campaign_daily(visits: DataFrame, costs: DataFrame) -> DataFrame:
    """Rows of gold.visits and silver.costs → one row per day, campaign and currency; visits have a row of their own, without one.

    So each visit and each amount stands once, and both add up over whatever rows.
    """
    came = visits.withColumns({"content": F.coalesce("content", F.lit(_NONE)), "currency": F.lit("")})
    paid = (
        _with_channel(costs)
        .groupBy(*_KEY)
        .agg(*(F.sum(name).alias(name) for name in ("impressions", "clicks", "cost")))
    )
    counted = came.groupBy(*_KEY).agg(F.count("*").alias("visits"))
    rows = paid.withColumns({"cost": F.col("cost").cast(AMOUNT), "visits": F.lit(0).cast("bigint")})
    return rows.unionByName(counted, allowMissingColumns=True)


def _with_channel(costs: DataFrame) -> DataFrame:
    """With the channel that a visit has whose tags are these, and that brings nothing else to tell it by."""
    rows = costs.withColumns({tag: F.expr(f"nullif({name}, '{_NONE}')") for tag, name in _TAGS.items()})
    for step in (dict.fromkeys(("page_url", "page_query", "referrer"), "cast(NULL AS string)"), *STEPS):
        rows = rows.withColumns({name: F.expr(sql) for name, sql in step.items()})
    return rows.drop(*_TAGS, "page_url", "page_query", "referrer", *FOR_A_MOMENT)

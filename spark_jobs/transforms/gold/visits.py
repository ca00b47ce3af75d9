"""Events with their visits → gold.visits."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nextclick.settings import AnalyticsSettings
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.gold.visit_events import OWNER, VIEWS

_DIRECT, _NONE = "(direct)", "(none)"


def visits(analytics: AnalyticsSettings) -> Transformer:
    """Rows of visit_events → one row per visit, by the day of its start."""
    engaged = F.col("engaged_ms") >= analytics.engaged_seconds * 1000

    def transform(rows: DataFrame) -> DataFrame:
        mine = rows.where("visit_date IS NOT NULL").groupBy(F.col("visit_date").alias("date"), *OWNER, "session_id")
        counted = (
            mine.agg(*_measures(analytics)).select("*", "visit.*", "first.*", "trial.*").drop("visit", "first", "trial")
        )
        return counted.withColumns(
            {
                "source": F.coalesce(_said("utm_source"), "referrer_host", F.lit(_DIRECT)),
                "medium": F.coalesce(_said("utm_medium"), F.lit(_NONE)),
                "campaign": F.coalesce(_said("utm_campaign"), F.lit(_NONE)),
                "device": F.coalesce("device", "agent_device", F.lit("unknown")),
                "country": F.coalesce("country", F.lit("unknown")),
                "is_engaged": engaged | (F.col("views") >= 2) | (F.col("orders") > 0) | (F.size("goals") > 0),
            }
        ).withColumnsRenamed({"utm_term": "term", "utm_content": "content"})

    return transform


def _measures(analytics: AnalyticsSettings) -> list[Column]:
    """What its events say beside its row of silver.sessions, which has no two of one visit."""
    return [
        F.first("visit", ignorenulls=True).alias("visit"),
        F.max("first").alias("first"),
        _last("user_id").alias("user_id"),
        _earliest("app_version").alias("app_version"),
        _earliest("trial").alias("trial"),
        *counts(analytics),
        F.size(F.collect_set("item_id")).cast("bigint").alias("items"),
        F.count_if(F.col("event") == "app_crash").alias("crashes"),
    ]


def counts(analytics: AnalyticsSettings) -> list[Column]:
    """What visits and days of visitors have in common: views, orders, goals."""
    bought = F.when(F.col("event") == "purchase", F.col("conversion"))
    return [
        F.count_if(F.col("event").isin(*VIEWS)).alias("views"),
        F.size(F.collect_set(bought)).cast("bigint").alias("orders"),
        _goals(sorted(analytics.goals)).alias("goals"),
    ]


def _goals(names: list[str]) -> Column:
    """Goal → how often it was reached, without those that never were."""
    if not names:
        return F.create_map().cast("map<string,bigint>")
    reached = F.array(*(F.count_if(F.array_contains("goals", name)) for name in names))
    return F.map_filter(F.map_from_arrays(F.array(*map(F.lit, names)), reached), lambda name, count: count > 0)


def _earliest(name: str) -> Column:
    return F.min(F.when(F.col(name).isNotNull(), F.struct("at", "event_id", name)))[name]


def _last(name: str) -> Column:
    return F.max(F.when(F.col(name).isNotNull(), F.struct("at", "event_id", name)))[name]


def _said(name: str) -> Column:
    """A text that says something."""
    return F.expr(f"nullif(trim({name}), '')")

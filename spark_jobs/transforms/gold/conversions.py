"""Events with their visits → gold.conversions: orders and goals, and the visits that led to them."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nextclick.contracts.gold_analytics import MOST_TOUCHES
from nextclick.settings import AnalyticsSettings
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.gold.visit_events import OWNER
from spark_jobs.transforms.local_days import local_date
from spark_jobs.transforms.silver.sessionize import summed

KEY: Final = (*OWNER, "conversion_id")
CONVERTS: Final = "conversion IS NOT NULL OR goals IS NOT NULL"
"""SQL over rows of visit_events: the event is part of a conversion."""
_IDS: Final = "array_compact(array_append(transform(coalesce(goals, array()), goal -> concat(goal, '@', session_id)), conversion))"
_PAID: Final = "transform(filter(paid, part -> part.at >= first.at), part -> part.revenue)"
_TOUCH: Final = ("at", "channel", "source", "medium", "campaign", "session_id")


def conversions(analytics: AnalyticsSettings) -> Transformer:
    """Rows of visit_events → one row per conversion, without its path.

    An order is one, however many purchases name it; purchases of a visit that name none are one; of another goal each
    visit in which it is reached is one. An order's refunds count from its first purchase on.
    """

    def transform(rows: DataFrame) -> DataFrame:
        parts = (
            rows.where("session_id IS NOT NULL")
            .where(CONVERTS)
            .withColumn("conversion_id", F.explode(F.expr(_IDS)))
            .withColumn("goal", F.regexp_extract("conversion_id", "^[a-z0-9_]+", 0))
        )
        is_order = F.col("goal") == "purchase"
        is_refund = is_order & (F.col("event") == "refund")
        return (
            parts.groupBy(*KEY, "goal")
            .agg(
                F.min(F.when(~is_refund, F.struct("at", "event_id", "session_id"))).alias("first"),
                F.collect_list(F.when(is_order, F.struct("at", "revenue"))).alias("paid"),
                F.coalesce(F.sum(F.when(is_order, F.col("pieces"))), F.lit(0)).alias("items"),
            )
            .where("first IS NOT NULL")
            .select("*", "first.at", "first.session_id", F.expr(_PAID).alias("maps"))
            .withColumn("maps", F.array_compact("maps"))
            .withColumns({"revenue": summed("maps"), "date": local_date(analytics, "at")})
        )

    return transform


def with_paths(visits: DataFrame, lookback_days: int) -> Transformer:
    """Add the touches: `visits` (rows of gold.visits) of the visitor that began in the days before, and the one of the conversion.

    Those that came from the site itself are none, unless all did.
    """
    touch = F.struct(F.col("started_at").alias("at"), *_TOUCH[1:])
    touches = visits.groupBy(*OWNER).agg(F.sort_array(F.collect_list(touch)).alias("touches"))
    recent = f"touch.at > at - INTERVAL {lookback_days} DAYS AND touch.at <= at"
    near = f"filter(touches, touch -> {recent} OR touch.session_id = session_id)"
    named = "filter(near, touch -> touch.channel <> 'internal')"
    cut = f"concat(slice(path, 1, 1), slice(path, {1 - MOST_TOUCHES}, {MOST_TOUCHES - 1}))"

    def transform(converted: DataFrame) -> DataFrame:
        return (
            converted.join(touches, list(OWNER), "left")
            .withColumn("near", F.expr(f"coalesce({near}, array())"))
            .withColumn("path", F.expr(named))
            .withColumn("path", F.expr("CASE WHEN size(path) = 0 THEN near ELSE path END"))
            .withColumn("path_n", F.size("path").cast("bigint"))
            .withColumn("path", F.expr(f"CASE WHEN path_n > {MOST_TOUCHES} THEN {cut} ELSE path END"))
        )

    return transform


def who_converts(rows: DataFrame, spans: DataFrame) -> Transformer:
    """Rows of gold.conversions → visitors who convert there or in `rows` (of visit_events), and have one of `spans`.

    `since` is when they first do, in microseconds: whatever their conversions are made of comes later. `parts`: they have no more.
    """
    times = rows.where("session_id IS NOT NULL").where(CONVERTS).select(*OWNER, "at")
    touched = spans.where("visitor_id IS NOT NULL").select(*OWNER).distinct()

    def transform(present: DataFrame) -> DataFrame:
        known = present.select(*OWNER, "at").unionByName(times).join(touched, list(OWNER), "left_semi")
        return known.groupBy(*OWNER).agg(F.unix_micros(F.min("at")).alias("since"), F.count("*").alias("parts"))

    return transform


def kinds(analytics: AnalyticsSettings) -> list[str]:
    """Kinds of events that conversions are made of."""
    return sorted({"purchase", "refund", *(goal.event for goal in analytics.goals.values())})


def changed_dates(after: DataFrame) -> Transformer:
    """Rows of gold.conversions → `date` of each that is among them and not among those of `after`, or the other way round."""
    said = ("date", *KEY, "goal", "at", "session_id", F.map_entries("revenue"), "items", "path", "path_n")

    def hashed(rows: DataFrame, sign: int) -> DataFrame:
        return rows.select("date", F.xxhash64(*said).alias("row"), F.lit(sign).alias("sign"))

    def transform(before: DataFrame) -> DataFrame:
        both = hashed(before, -1).unionByName(hashed(after, 1))
        return both.groupBy("date", "row").agg(F.sum("sign").alias("sign")).where("sign <> 0").select("date")

    return transform

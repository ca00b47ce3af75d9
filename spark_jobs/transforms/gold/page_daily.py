"""Events with their visits → gold.page_daily."""

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from spark_jobs.transforms import Transformer
from spark_jobs.transforms.gold.visit_events import VIEWS

OTHER: Final = "(other)"
_KEY: Final = ("date", "site", "page")
_COUNTS: Final = ("views", "entries", "exits", "entry_bounces", "engaged_ms")


def page_daily(most: int | None) -> Transformer:
    """Rows of visit_events → one row per day, site and page.

    Of more than `most` pages of a site and day those with the most views, then by name, are named. None: all are.
    """

    def transform(rows: DataFrame) -> DataFrame:
        parts = F.when(F.col("visit").isNotNull(), F.array(*_ends())).otherwise(F.array(_looked_at()))
        looks = rows.where("date IS NOT NULL AND session_id IS NOT NULL AND (page IS NOT NULL OR visit IS NOT NULL)")
        looks = looks.select("date", "site", "visitor_id", F.inline(parts)).where("page IS NOT NULL")
        if most is not None:
            looks = looks.transform(_others(most))
        by_visitor = looks.groupBy(*_KEY, "visitor_id").agg(*_sums(), F.max("scroll").alias("scroll"))
        return by_visitor.groupBy(*_KEY).agg(
            *_sums(),
            F.count_if(F.col("views") > 0).alias("visitors"),
            F.coalesce(F.sum(F.col("scroll").cast("decimal(20,6)")).cast("double"), F.lit(0.0)).alias("scroll_sum"),
            F.count("scroll").alias("scroll_n"),
        )

    return transform


def _others(most: int) -> Transformer:
    """Rename the pages beyond `most`."""
    place = F.row_number().over(Window.partitionBy("date", "site").orderBy(F.desc("views"), "page"))

    def transform(looks: DataFrame) -> DataFrame:
        ranked = looks.groupBy(*_KEY).agg(F.sum("views").alias("views")).withColumn("place", place)
        beyond = ranked.where(F.col("place") > most).select(*_KEY, F.lit(OTHER).alias("other"))
        return looks.join(beyond, list(_KEY), "left").withColumn("page", F.coalesce("other", "page"))

    return transform


def _sums() -> list[Column]:
    return [F.sum(name).alias(name) for name in _COUNTS]


def _ends() -> tuple[Column, Column]:
    """Where a visit began, and where it ended."""
    bounced = F.col("visit.is_bounce").cast("bigint")
    return _part(F.col("visit.entry_page"), entries=F.lit(1), entry_bounces=bounced), _part(
        F.col("visit.exit_page"), exits=F.lit(1)
    )


def _looked_at() -> Column:
    views = F.col("event").isin(*VIEWS).cast("bigint")
    return _part(F.col("page"), F.col("scroll_pct"), views=views, engaged_ms=F.coalesce("dwell_ms", F.lit(0)))


def _part(page: Column, scroll: Column | None = None, **counts: Column) -> Column:
    numbers = (counts.get(name, F.lit(0)).cast("bigint").alias(name) for name in _COUNTS)
    return F.struct(
        page.alias("page"), (F.lit(None) if scroll is None else scroll).cast("double").alias("scroll"), *numbers
    )

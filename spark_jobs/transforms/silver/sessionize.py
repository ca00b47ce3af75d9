"""Events → sessions, exactly: intervals that merge where the gap between them is small enough.

A session is an interval of one visitor with measures that compose (sum, min, max), so
events, sessions of a batch and sessions of the table are all intervals, and merging is
one function, whatever order they come in. See docs/adr/0003-exact-streaming.md.
"""

from datetime import timedelta
from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from nextclick.contracts.events import OUTSIDE_SESSIONS, PASSIVE
from nextclick.contracts.silver import AMOUNT, REVENUE
from nextclick.settings import SessionsSettings
from spark_jobs.transforms import Transformer

COUNTS: Final = {
    "page_views": ("page_view",),
    "item_views": ("view_item",),
    "searches": ("search",),
    "clicks": ("click",),
    "plays": ("play",),
    "carts": ("add_to_cart",),
    "purchases": ("purchase",),
    "passive": PASSIVE,
}
OWNER: Final = ("site", "visitor_id")
OF_FIRST: Final = ("channel", "device", "country", "user_agent")
"""What a session has of its first event."""
_PAGE: Final = "struct<at:timestamp,id:string,page:string>"
_NO_REVENUE: Final = f"cast(map() as {REVENUE})"


def event_intervals(events: DataFrame) -> DataFrame:
    """Each event that can be part of a session as an interval of length zero."""
    page = F.when(
        F.col("page_url").isNotNull(),
        F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id"), F.col("page_url").alias("page")),
    )
    paid = (F.col("event") == "purchase") & F.col("price").isNotNull()
    amount = (F.col("price") * F.coalesce("quantity", F.lit(1))).cast(AMOUNT)
    return events.where(~F.col("event").isin(*OUTSIDE_SESSIONS)).select(
        *OWNER,
        F.col("occurred_at").alias("started_at"),
        F.col("occurred_at").alias("ended_at"),
        F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id"), *OF_FIRST).alias("first"),
        page.cast(_PAGE).alias("entry"),
        page.cast(_PAGE).alias("exit"),
        F.lit(1).cast("bigint").alias("events"),
        *(F.col("event").isin(*kinds).cast("bigint").alias(name) for name, kinds in COUNTS.items()),
        F.when(paid, F.create_map(F.coalesce("currency", F.lit("")), amount)).cast(REVENUE).alias("revenue"),
        F.coalesce("dwell_ms", F.lit(0)).cast("bigint").alias("engaged_ms"),
        F.col("scroll_pct").alias("max_scroll_pct"),
    )


def session_intervals(sessions: DataFrame) -> DataFrame:
    """Rows of silver.sessions as intervals again; `session_id` is kept, to see what was absorbed."""
    first = F.struct(F.col("started_at").alias("at"), F.col("first_event_id").alias("id"), *OF_FIRST)
    return sessions.select(
        "session_id", *OWNER, "started_at", "ended_at", first.alias("first"), "entry", "exit",
        "events", *COUNTS, "revenue", "engaged_ms", "max_scroll_pct",
    )  # fmt: skip


def gap_of_site(sessions: SessionsSettings) -> Column:
    """The gap of a row's `site`, an interval: a literal where no site has one of its own."""
    gap = _interval(timedelta(minutes=sessions.gap_minutes))
    for site in sessions.gaps:
        gap = F.when(F.col("site") == site, _interval(sessions.gap_for(site))).otherwise(gap)
    return gap


def _interval(time: timedelta) -> Column:
    return F.expr(f"INTERVAL {int(time.total_seconds())} SECONDS")


def near_intervals(fresh: DataFrame, sessions: SessionsSettings) -> Transformer:
    """Keep the intervals that merge with one of `fresh`: same visitor, no gap longer than the site's between.

    One step is enough: two sessions of the table lie further apart than the site's gap, so only
    fresh intervals can bridge them.
    """
    gap = gap_of_site(sessions)
    others = fresh.select(
        *OWNER, (F.col("started_at") - gap).alias("other_from"), (F.col("ended_at") + gap).alias("other_until")
    )
    touches = F.expr("started_at <= other_until AND ended_at >= other_from")

    def transform(intervals: DataFrame) -> DataFrame:
        same = [intervals[name] == others[name] for name in OWNER]
        return intervals.join(others, [*same, touches], "left_semi")

    return transform


def deleted_sessions(touched: DataFrame) -> Transformer:
    """Add the touched sessions that are no longer there, as rows to delete (`_delete`)."""

    def transform(sessions: DataFrame) -> DataFrame:
        gone = touched.select("session_id", *OWNER).join(sessions.select("session_id"), "session_id", "left_anti")
        return sessions.withColumn("_delete", F.lit(False)).unionByName(
            gone.withColumn("_delete", F.lit(True)), allowMissingColumns=True
        )

    return transform


def merge_intervals(sessions: SessionsSettings) -> Transformer:
    """Merge a visitor's intervals wherever no gap longer than the site's lies between them."""
    ordered = Window.partitionBy(*OWNER).orderBy("started_at")
    before = ordered.rowsBetween(Window.unboundedPreceding, -1)
    gap = gap_of_site(sessions)

    def transform(intervals: DataFrame) -> DataFrame:
        opens = F.col("started_at") > F.max("ended_at").over(before) + gap
        grouped = intervals.withColumn("opens", F.coalesce(opens, F.lit(True)).cast("int")).withColumn(
            "run", F.sum("opens").over(ordered)
        )
        return grouped.groupBy(*OWNER, "run").agg(*_measures()).withColumn("revenue", _summed("revenue")).drop("run")

    return transform


def _measures() -> list[Column]:
    return [
        F.min("started_at").alias("started_at"),
        F.max("ended_at").alias("ended_at"),
        F.min("first").alias("first"),
        F.min("entry").alias("entry"),
        F.max("exit").alias("exit"),
        *(F.sum(name).alias(name) for name in ("events", *COUNTS, "engaged_ms")),
        F.collect_list("revenue").alias("revenue"),
        F.max("max_scroll_pct").alias("max_scroll_pct"),
    ]


def _summed(maps: str) -> Column:
    """A list of maps currency → amount as one map of sums; most sessions have none."""
    entries = f"flatten(transform({maps}, m -> map_entries(m)))"
    total = f"aggregate(filter({entries}, e -> e.key = c), cast(0 as {AMOUNT}), (sum, e) -> cast(sum + e.value as {AMOUNT}))"
    currencies = f"array_sort(array_distinct(transform({entries}, e -> e.key)))"
    summed = f"map_from_entries(transform({currencies}, c -> struct(c, {total})))"
    return F.expr(f"if(size({maps}) = 0, {_NO_REVENUE}, {summed})")


def as_sessions(overlong: timedelta) -> Transformer:
    """Intervals → rows of silver.sessions: the id, the flags and what is derived."""
    limit = _interval(overlong)

    def transform(intervals: DataFrame) -> DataFrame:
        return intervals.select(
            F.md5(F.to_json(F.struct(*OWNER, F.unix_micros("started_at"), "first.id")).cast("binary")).alias(
                "session_id"
            ),
            *OWNER,
            "started_at",
            "ended_at",
            "events",
            *COUNTS,
            "revenue",
            "engaged_ms",
            "max_scroll_pct",
            F.col("entry.page").alias("entry_page"),
            F.col("exit.page").alias("exit_page"),
            *(f"first.{name}" for name in OF_FIRST),
            (F.col("events") - F.col("passive") <= 1).alias("is_bounce"),
            (F.col("ended_at") - F.col("started_at") > limit).alias("is_overlong"),
            F.col("first.id").alias("first_event_id"),
            "entry",
            "exit",
        )

    return transform

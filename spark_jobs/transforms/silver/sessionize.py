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
from nextclick.contracts.silver import AMOUNT, ORDER_LINES, REVENUE
from nextclick.settings import SessionsSettings
from spark_jobs.transforms import Transformer, orders

COUNTS: Final = {
    "page_views": ("page_view",),
    "item_views": ("view_item",),
    "searches": ("search",),
    "clicks": ("click",),
    "plays": ("play",),
    "carts": ("add_to_cart",),
    "purchases": ("purchase",),
    "refunds": ("refund",),
    "passive": PASSIVE,
}
OWNER: Final = ("site", "visitor_id")
_SORTED_BY: Final = ("visitor_id", "site")
"""The same, the one that differs first: eight bytes of it order most rows, and few are compared whole."""
OF_FIRST: Final = ("channel", "device", "country", "user_agent")
"""What a session has of its first event."""
_PAGE: Final = "struct<at:timestamp,id:string,page:string>"
_NO_REVENUE: Final = f"cast(map() as {REVENUE})"
COUNTED: Final = f"filter(lines, line -> {orders.counts('line.at', 'line.id', 'line.first')})"


def event_intervals(events: DataFrame) -> DataFrame:
    """Each event that can be part of a session as an interval of length zero.

    A purchase that names its order is one of `lines`, and neither in `purchases` nor in `revenue`: `as_sessions`
    adds those that count.
    """
    page = F.when(
        F.col("page_url").isNotNull(),
        F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id"), F.col("page_url").alias("page")),
    )
    ordered, amount = F.coalesce(F.expr(orders.ORDERED), F.lit(False)), orders.amount()
    currency = F.coalesce("currency", F.lit("")).alias("currency")
    sent = F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id"))
    line = F.struct("order_id", "item_id", "occurred_at", "event_id", currency, amount, sent)
    counted = {name: orders.of_kind(*kinds) for name, kinds in COUNTS.items()}
    counted["purchases"] &= ~ordered
    return events.where(~F.col("event").isin(*OUTSIDE_SESSIONS)).select(
        *OWNER,
        F.col("occurred_at").alias("started_at"),
        F.col("occurred_at").alias("ended_at"),
        F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id"), *OF_FIRST).alias("first"),
        page.cast(_PAGE).alias("entry"),
        page.cast(_PAGE).alias("exit"),
        F.lit(1).cast("bigint").alias("events"),
        *(of_kind.cast("bigint").alias(name) for name, of_kind in counted.items()),
        F.when(amount.isNotNull() & ~ordered, F.create_map(currency, amount)).cast(REVENUE).alias("revenue"),
        F.when(ordered, F.array(line)).cast(ORDER_LINES).alias("lines"),
        F.coalesce("dwell_ms", F.lit(0)).cast("bigint").alias("engaged_ms"),
        F.col("scroll_pct").alias("max_scroll_pct"),
    )


def session_intervals(sessions: DataFrame) -> DataFrame:
    """Rows of silver.sessions as intervals again; `session_id` is kept, to see what was absorbed."""
    first = F.struct(F.col("started_at").alias("at"), F.col("first_event_id").alias("id"), *OF_FIRST)
    bare = sessions.withColumn("lines", F.coalesce("order_lines", F.array().cast(ORDER_LINES))).withColumns(
        {
            "purchases": F.col("purchases") - F.size(F.expr(COUNTED)),
            "revenue": F.coalesce("other_revenue", "revenue"),
            "refunds": F.coalesce("refunds", F.lit(0)),  # an older version wrote none
        }
    )
    return bare.select(
        "session_id", *OWNER, "started_at", "ended_at", first.alias("first"), "entry", "exit",
        "events", *COUNTS, "revenue", "lines", "engaged_ms", "max_scroll_pct",
    )  # fmt: skip


def same_orders(fresh: DataFrame) -> Transformer:
    """Keep the rows of silver.sessions with a line of an order that `fresh` intervals have, of the same visitor."""
    names = (*OWNER, *orders.LINE)
    lines = (
        fresh.select(*OWNER, F.inline("lines")).select(*(F.col(name).alias(f"_{name}") for name in names)).distinct()
    )
    same = F.expr(" AND ".join(f"{name} <=> _{name}" for name in names))

    def transform(sessions: DataFrame) -> DataFrame:
        held = sessions.where("order_lines IS NOT NULL").select("session_id", *OWNER, F.inline("order_lines"))
        shared = held.join(lines, same, "left_semi")
        return sessions.join(shared.select("session_id").distinct(), "session_id", "left_semi")

    return transform


def first_sends(intervals: DataFrame) -> DataFrame:
    """Intervals with the first send of each line of an order, of all intervals of the visitor.

    Those of a visitor's other sessions need not be among `intervals` while none of theirs is new: a line
    remembers the first that it knew.
    """
    line = Window.partitionBy(*OWNER, *(f"line.{name}" for name in orders.LINE))
    known = intervals.where("size(lines) > 0").select(*OWNER, "started_at", F.explode("lines").alias("line"))
    first = F.col("line").withField("first", F.min("line.first").over(line))
    lines = known.select(*OWNER, "started_at", first.alias("line")).groupBy(*OWNER, "started_at")
    resolved = lines.agg(F.collect_list("line").alias("known"))
    joined = intervals.join(resolved, [*OWNER, "started_at"], "left")
    return joined.withColumn("lines", F.coalesce("known", "lines")).drop("known")


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
    ordered = Window.partitionBy(*_SORTED_BY).orderBy("started_at")
    before = ordered.rowsBetween(Window.unboundedPreceding, -1)
    gap = gap_of_site(sessions)

    def transform(intervals: DataFrame) -> DataFrame:
        opens = F.col("started_at") > F.max("ended_at").over(before) + gap
        grouped = intervals.withColumn("opens", F.coalesce(opens, F.lit(True)).cast("int")).withColumn(
            "run", F.sum("opens").over(ordered)
        )
        return (
            grouped.groupBy(*_SORTED_BY, "run").agg(*_measures()).withColumn("revenue", summed("revenue")).drop("run")
        )

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
        F.flatten(F.collect_list("lines")).alias("lines"),
        F.max("max_scroll_pct").alias("max_scroll_pct"),
    ]


_BOTH: Final = "array_append(transform(filter(counted, line -> line.amount IS NOT NULL), line -> map(line.currency, line.amount)), revenue)"
"""The maps of what a session's lines and its other purchases brought."""


def summed(maps: str) -> Column:
    """A list of maps currency → amount as one map of sums; most sessions have none."""
    entries = f"flatten(transform({maps}, m -> map_entries(m)))"
    total = f"aggregate(filter({entries}, e -> e.key = c), cast(0 as {AMOUNT}), (sum, e) -> cast(sum + e.value as {AMOUNT}))"
    currencies = f"array_sort(array_distinct(transform({entries}, e -> e.key)))"
    summed = f"map_from_entries(transform({currencies}, c -> struct(c, {total})))"
    return F.expr(f"if(size({maps}) = 0, {_NO_REVENUE}, {summed})")


def as_sessions(overlong: timedelta) -> Transformer:
    """Intervals → rows of silver.sessions: the id, the flags and what is derived."""
    limit, ordered = _interval(overlong), F.size("lines") > 0

    def transform(intervals: DataFrame) -> DataFrame:
        return intervals.withColumn("counted", F.expr(COUNTED)).select(
            F.md5(F.to_json(F.struct(*OWNER, F.unix_micros("started_at"), "first.id")).cast("binary")).alias(
                "session_id"
            ),
            *OWNER,
            "started_at",
            "ended_at",
            "events",
            *(name for name in COUNTS if name != "purchases"),
            (F.col("purchases") + F.size("counted")).alias("purchases"),
            F.when(F.size("counted") > 0, summed(_BOTH)).otherwise(F.col("revenue")).alias("revenue"),
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
            F.when(ordered, F.array_sort("lines")).alias("order_lines"),
            F.when(ordered, F.col("revenue")).alias("other_revenue"),
        )

    return transform

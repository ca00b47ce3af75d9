"""Answers and what visitors did afterwards → rows of silver.served_items: which item of which answer an act counts for.

An act that names its answer (`request_id`) counts for the item there. One that names none counts for
the item as this visitor was last shown it, within a window. docs/loop.md has the rules in full.
"""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nextclick.contracts.silver import AMOUNT, REVENUE
from nextclick.contracts.silver_served import SERVED_ITEMS
from nextclick.settings import AttributionSettings
from spark_jobs.transforms import Transformer, orders

KEY: Final = SERVED_ITEMS.key
OWNER: Final = ("site", "visitor_id", "item_id")
ACTS: Final = ("impression", "click", "add_to_cart", "purchase", "refund")
SERVER: Final = "server"
"""The source of answers that count: the door takes no `served` from outside."""
_STAMPS: Final = {"clicked_at": "click", "carted_at": "add_to_cart", "purchased_at": "purchase"}
_RESULTS: Final = ("shown_at", *_STAMPS, "revenue")
SERVED: Final = tuple(name for name in SERVED_ITEMS.column_names if name not in _RESULTS)
"""Columns that the answer alone decides, but for `user_agent`, which the first event that has one decides."""


def is_answer() -> Column:
    """The event is an answer that counts."""
    return (F.col("event") == "served") & (F.col("source") == SERVER) & F.col("request_id").isNotNull()


def is_act() -> Column:
    """The event may count for an item that was served."""
    return orders.of_kind(*ACTS) & F.col("item_id").isNotNull()


def items_of_answers(events: DataFrame) -> DataFrame:
    """One row per item of the answers among `events`, at its first place there: the columns SERVED."""
    lists = {"items": "array<string>", "propensities": "array<double>", "features": "map<string,array<double>>"}
    answers = events.where(is_answer()).withColumns(
        {name: F.from_json(F.col("properties")[name], kind) for name, kind in lists.items()}
    )
    place = F.col("place")
    known = F.map_filter(
        F.transform_values("features", lambda _, values: F.get(values, place)), lambda _, value: value.isNotNull()
    )
    rows = answers.select("*", F.posexplode("items").alias("place", "listed")).where(
        F.array_position("items", F.col("listed")) == place + 1
    )
    columns: dict[str, Column] = {
        "item_id": F.col("listed"),
        "position": place + 1,
        "propensity": F.get("propensities", place),
        "answered_from": F.col("properties")["source"],
        "degraded": F.col("properties")["degraded"].try_cast("boolean"),
        "features": known,
        "served_at": F.col("occurred_at"),
    }
    return rows.select(*(columns.get(name, F.col(name)).alias(name) for name in SERVED))


def acts(events: DataFrame) -> DataFrame:
    """The events that may count for an item that was served; `amount` is null but for a purchase or refund with a price."""
    return events.where(is_act()).select(
        *OWNER,
        "request_id",
        "event",
        "event_id",
        F.col("occurred_at").alias("at"),
        F.col("user_agent").alias("agent"),
        F.coalesce("currency", F.lit("")).alias("currency"),
        orders.amount().alias("amount"),
    )


def touched_owners(new_acts: DataFrame, fresh: DataFrame) -> Transformer:
    """`served` (known items of answers) → the OWNERs whose rows the acts `new_acts` and fresh items `fresh` may change."""

    def transform(served: DataFrame) -> DataFrame:
        named = served.join(new_acts.select(*KEY), list(KEY), "left_semi")
        unnamed = new_acts.where("request_id IS NULL")
        return named.select(*OWNER).unionByName(unnamed.select(*OWNER)).unionByName(fresh.select(*OWNER)).distinct()

    return transform


def attribute(outcomes: DataFrame, limits: AttributionSettings) -> Transformer:
    """`served` (SERVED columns) → rows of silver.served_items, by the acts `outcomes`."""
    near = F.expr(
        f"at BETWEEN served_at - INTERVAL {limits.request_hours} HOURS AND served_at + INTERVAL {limits.request_hours} HOURS"
    )

    def transform(served: DataFrame) -> DataFrame:
        named = outcomes.drop("visitor_id").join(served.select(*KEY, "served_at"), list(KEY)).where(near)
        first = F.min(F.when(F.col("agent").isNotNull(), F.struct("at", "event_id", "agent")))
        seen = named.groupBy(*KEY).agg(F.min("at").alias("shown_at"), first.alias("first"))
        rows = (
            served.join(seen, list(KEY), "left")
            .withColumn("user_agent", F.coalesce("first.agent", "user_agent"))
            .drop("first")
        )
        counted = named.select(*KEY, "event", "at", "currency", "amount").unionByName(_unnamed(outcomes, rows, limits))
        return rows.join(_results(counted), list(KEY), "left").withColumn(
            "revenue", F.coalesce(F.col("revenue").cast(REVENUE), F.create_map().cast(REVENUE))
        )

    return transform


def _unnamed(outcomes: DataFrame, rows: DataFrame, limits: AttributionSettings) -> DataFrame:
    """Acts that name no answer, each with the KEY of the row that this visitor was shown last before it."""
    window = (
        f"CASE event WHEN 'click' THEN INTERVAL {limits.click_minutes * 60} SECONDS "
        f"ELSE INTERVAL {limits.purchase_hours * 3600} SECONDS END"
    )
    shown = rows.where("shown_at IS NOT NULL").select(*OWNER, "shown_at", F.col("request_id").alias("shown_by"))
    return (
        outcomes.where("request_id IS NULL AND event <> 'impression'")
        .join(shown, list(OWNER))
        .where(f"at BETWEEN shown_at AND shown_at + {window}")
        .groupBy("site", "item_id", "event", "event_id", "at", "currency", "amount")
        .agg(F.max(F.struct("shown_at", "shown_by")).alias("last"))
        .select("site", F.col("last.shown_by").alias("request_id"), "item_id", "event", "at", "currency", "amount")
    )


def _results(counted: DataFrame) -> DataFrame:
    """Per KEY the first act of each kind, and what was paid."""
    stamps = (F.min(F.when(F.col("event") == kind, F.col("at"))).alias(name) for name, kind in _STAMPS.items())
    paid = counted.where("amount IS NOT NULL").groupBy(*KEY, "currency").agg(F.sum("amount").cast(AMOUNT).alias("sum"))
    entries = F.map_from_entries(F.sort_array(F.collect_list(F.struct("currency", "sum"))))
    revenue = paid.groupBy(*KEY).agg(entries.alias("revenue"))
    return counted.groupBy(*KEY).agg(*stamps).join(revenue, list(KEY), "left")

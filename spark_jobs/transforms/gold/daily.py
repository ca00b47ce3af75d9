"""Sessions and events → the daily tables of gold."""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nextclick.contracts.silver import AMOUNT, REVENUE
from spark_jobs.transforms import Transformer, orders

_TRAFFIC: Final = ("date", "site", "channel", "device", "country")


def traffic_daily(agents: DataFrame) -> Transformer:
    """One row per `date`, site, channel, device and country (gold.traffic_daily).

    By `agents` (rows of silver.user_agents) sessions that start with a bot's agent are left
    out, and those whose source names no device have their agent's.
    """
    known = agents.select("user_agent", F.col("device").alias("agent_device"), "is_bot")

    def transform(sessions: DataFrame) -> DataFrame:
        visits = sessions.join(known, "user_agent", "left").where("is_bot IS NOT TRUE")
        rows = visits.select(
            *("date", "site", "channel"),
            F.coalesce("device", "agent_device", F.lit("unknown")).alias("device"),
            F.coalesce("country", F.lit("unknown")).alias("country"),
            *("visitor_id", "page_views", "item_views", "is_bounce", "engaged_ms", "purchases", "revenue"),
        )
        revenue = revenue_by(rows.select(*_TRAFFIC, F.explode("revenue").alias("currency", "amount")), _TRAFFIC)
        return _counted(rows).join(revenue, list(_TRAFFIC), "left").withColumn("revenue", or_empty("revenue"))

    return transform


def _counted(rows: DataFrame) -> DataFrame:
    return (
        rows.groupBy(*_TRAFFIC)
        .agg(
            F.count_distinct("visitor_id").alias("visitors"),
            F.count("*").alias("sessions"),
            F.sum(F.col("page_views") + F.col("item_views")).alias("views"),
            F.count_if("is_bounce").alias("bounces"),
            (F.sum("engaged_ms") / 1000).cast("double").alias("engaged_seconds"),
            F.count_if(F.col("purchases") > 0).alias("conversions"),
        )
        .withColumn("bounce_rate", F.col("bounces") / F.col("sessions"))
        .withColumn("conversion_rate", F.col("conversions") / F.col("sessions"))
    )


def item_daily(events: DataFrame) -> DataFrame:
    """One row per `date`, site and item (gold.item_daily); of `events`, orders are there once."""
    names = ("date", "site", "item_id")
    kinds = ("page_view", "view_item", "add_to_cart", "purchase", "refund")
    rows = events.where(F.col("item_id").isNotNull() & F.col("event").isin(*kinds))
    money = rows.select(
        *names, F.coalesce("currency", F.lit("")).alias("currency"), orders.amount().alias("amount")
    ).where("amount IS NOT NULL")
    return (
        rows.groupBy(*names)
        .agg(
            F.count_if(orders.of_kind("page_view", "view_item")).alias("views"),
            F.count_if(orders.of_kind("add_to_cart")).alias("carts"),
            F.count_if(orders.of_kind("purchase")).alias("purchases"),
            F.count_if(orders.of_kind("refund")).alias("refunds"),
        )
        .join(revenue_by(money, names), list(names), "left")
        .withColumn("revenue", or_empty("revenue"))
        .withColumn("view_to_cart", F.try_divide("carts", "views"))
        .withColumn("cart_to_purchase", F.try_divide("purchases", "carts"))
        .withColumn("view_to_purchase", F.try_divide("purchases", "views"))
    )


def revenue_by(amounts: DataFrame, names: tuple[str, ...]) -> DataFrame:
    """`names` → one map currency → sum; days without revenue have no row."""
    return (
        amounts.groupBy(*names, "currency")
        .agg(F.sum("amount").cast(AMOUNT).alias("amount"))
        .groupBy(*names)
        .agg(F.map_from_entries(F.sort_array(F.collect_list(F.struct("currency", "amount")))).alias("revenue"))
    )


def or_empty(name: str) -> Column:
    return F.coalesce(F.col(name).cast(REVENUE), F.create_map().cast(REVENUE))

"""Events and catalogue records → rows of silver.items, each attribute as its latest source gives it."""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nextclick.contracts import silver

KEY: Final = ("site", "item_id")
ATTRIBUTES: Final = ("name", "category", "price", "available", "attributes")
_LATEST: Final = silver.ITEMS.column("latest").type


def item_facts(events: DataFrame) -> DataFrame:
    """One row per item with `first_seen`, `last_seen` and `latest`; composes by `merge_facts`."""
    record = F.col("event") == "item_update"
    values = {
        "name": F.col("name"),
        "category": F.col("category"),
        "price": F.when(F.col("price").isNotNull(), F.struct("price", "currency")),
        "available": F.when(record, F.col("properties")["available"].try_cast("boolean")),
        # Maps have no order, so the latest is found among their JSON texts.
        "attributes": F.when(record, F.to_json(F.map_filter("properties", lambda key, _: key != "available"))),
    }
    facts = events.where(F.col("item_id").isNotNull()).select(
        *KEY,
        F.col("occurred_at").alias("first_seen"),
        F.col("occurred_at").alias("last_seen"),
        F.struct(*(_stamped(value).alias(name) for name, value in values.items())).cast(_LATEST).alias("latest"),
    )
    return merge_facts(facts)


def _stamped(value: Column) -> Column:
    return F.when(
        value.isNotNull(),
        F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id"), value.alias("value")),
    )


def merge_facts(facts: DataFrame) -> DataFrame:
    return (
        facts.groupBy(*KEY)
        .agg(
            F.min("first_seen").alias("first_seen"),
            F.max("last_seen").alias("last_seen"),
            *(F.max(f"latest.{name}").alias(name) for name in ATTRIBUTES),
        )
        .select(*KEY, "first_seen", "last_seen", F.struct(*ATTRIBUTES).alias("latest"))
    )


def as_items(facts: DataFrame) -> DataFrame:
    """Facts → rows of silver.items."""
    return facts.select(
        *KEY,
        F.col("latest.name.value").alias("name"),
        F.col("latest.category.value").alias("category"),
        F.col("latest.price.value.price").alias("price"),
        F.col("latest.price.value.currency").alias("currency"),
        F.col("latest.available.value").alias("available"),
        F.from_json("latest.attributes.value", "map<string,string>").alias("attributes"),
        "first_seen",
        "last_seen",
        "latest",
    )

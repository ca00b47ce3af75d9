"""Events and catalogue records → rows of silver.items, each attribute as the latest of its most trusted source gives it."""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nextclick.contracts import silver
from nextclick.contracts.availability import available_sql
from nextclick.settings import ItemsSettings
from spark_jobs.transforms import Transformer

KEY: Final = ("site", "item_id")
ATTRIBUTES: Final = ("name", "category", "price", "available", "attributes")
_LATEST: Final = silver.ITEMS.column("latest").type
_FACTS: Final = _LATEST.replace("struct<at:", "struct<rank:int,by:string,at:")
"""What is known while facts are merged: the greatest counts, by trust, then by time, then by event id."""


def item_facts(conf: ItemsSettings) -> Transformer:
    """Events → one row per item with `first_seen`, `last_seen`, `in_catalogue` and `latest`; composes by `merge_facts`."""

    def transform(events: DataFrame) -> DataFrame:
        record = F.col("event") == "item_update"
        by = F.when(record, "catalogue").when(F.col("source").isin(*conf.servers), "server").otherwise("page")
        values = {
            "name": F.col("name"),
            "category": F.col("category"),
            "price": F.when(F.col("price").isNotNull(), F.struct("price", "currency")),
            "available": F.when(record, F.expr(available_sql("properties['available']"))),
            # Maps have no order, so the latest is found among their JSON texts.
            "attributes": F.when(record, F.to_json(F.map_filter("properties", lambda key, _: key != "available"))),
        }
        stamped = (
            _fact(conf, by, F.col("occurred_at"), F.col("event_id"), value).alias(name)
            for name, value in values.items()
        )
        facts = events.where(F.col("item_id").isNotNull()).select(
            *KEY,
            F.col("occurred_at").alias("first_seen"),
            F.col("occurred_at").alias("last_seen"),
            record.alias("in_catalogue"),
            F.struct(*stamped).cast(_FACTS).alias("latest"),
        )
        return merge_facts(facts)

    return transform


def stored_facts(conf: ItemsSettings) -> Transformer:
    """Rows of silver.items → the facts that they were made of.

    A row of an older version does not say by whom it is: who knows attributes or an availability, has a record.
    """

    def transform(items: DataFrame) -> DataFrame:
        recorded = F.coalesce("in_catalogue", F.expr("latest.available IS NOT NULL OR latest.attributes IS NOT NULL"))
        stamped = []
        for name in ATTRIBUTES:
            by = F.coalesce(F.col("trusted")[name], F.when(recorded, "catalogue").otherwise("page"))
            fact = F.col("latest")[name]
            stamped.append(_fact(conf, by, fact["at"], fact["id"], fact["value"]).alias(name))
        return items.select(
            *KEY,
            "first_seen",
            "last_seen",
            recorded.alias("in_catalogue"),
            F.struct(*stamped).cast(_FACTS).alias("latest"),
        )

    return transform


def _fact(conf: ItemsSettings, by: Column, at: Column, event_id: Column, value: Column) -> Column:
    ranks = [F.when(by == source, rank) for rank, source in enumerate(reversed(conf.trust))]
    parts = F.coalesce(*ranks).alias("rank"), by.alias("by"), at.alias("at"), event_id.alias("id"), value.alias("value")
    return F.when(value.isNotNull(), F.struct(*parts))


def merge_facts(facts: DataFrame) -> DataFrame:
    return (
        facts.groupBy(*KEY)
        .agg(
            F.min("first_seen").alias("first_seen"),
            F.max("last_seen").alias("last_seen"),
            F.max("in_catalogue").alias("in_catalogue"),
            *(F.max(f"latest.{name}").alias(name) for name in ATTRIBUTES),
        )
        .select(*KEY, "first_seen", "last_seen", "in_catalogue", F.struct(*ATTRIBUTES).alias("latest"))
    )


def as_items(facts: DataFrame) -> DataFrame:
    """Facts → rows of silver.items."""
    stamps = (
        F.when(
            F.col(f"latest.{name}").isNotNull(), F.struct(*(f"latest.{name}.{part}" for part in ("at", "id", "value")))
        )
        for name in ATTRIBUTES
    )
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
        F.struct(*(stamp.alias(name) for name, stamp in zip(ATTRIBUTES, stamps, strict=True))).alias("latest"),
        F.struct(*(F.col(f"latest.{name}.by").alias(name) for name in ATTRIBUTES)).alias("trusted"),
        "in_catalogue",
    )

"""Events with their persons → gold.interactions."""

from collections.abc import Mapping
from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import Transformer

KEY = ("site", "person_id", "item_id")
_COUNTS = {
    "views": ("page_view", "view_item"),
    "clicks": ("click",),
    "carts": ("add_to_cart",),
    "purchases": ("purchase",),
    "plays": ("play",),
}


def interactions(weights: Mapping[str, float], half_life: timedelta) -> Transformer:
    """One row per (site, person_id, item_id), recomputed from all events of its person.

    strength = Σ weight(event) · 2^(−(last_at − occurred_at) / half_life), as of the pair's
    last event. Pairs whose strength is not positive (put into the cart and taken out again) have no row.
    """
    kinds = [kind for kind, weight in weights.items() if weight]
    weight = F.create_map(*(F.lit(part) for kind in kinds for part in (kind, float(weights[kind]))))
    seconds = half_life.total_seconds()

    def transform(events: DataFrame) -> DataFrame:
        counted = events.where(F.col("item_id").isNotNull() & F.col("event").isin(*kinds)).select(
            *KEY,
            "event",
            F.unix_micros("occurred_at").alias("at"),
            weight[F.col("event")].alias("weight"),
        )
        # Summed in one fixed order, since floating point addition is not associative.
        terms = F.sort_array(F.collect_list(F.struct("at", "weight")))
        decayed = F.aggregate(
            "terms",
            F.lit(0.0),
            lambda total, term: (
                total + term["weight"] * F.pow(F.lit(2.0), (term["at"] - F.col("last")) / F.lit(seconds * 1e6))
            ),
        )
        return (
            counted.groupBy(*KEY)
            .agg(
                terms.alias("terms"),
                F.max("at").alias("last"),
                F.min("at").alias("first"),
                F.count("*").alias("events"),
                *(F.count_if(F.col("event").isin(*kinds)).alias(name) for name, kinds in _COUNTS.items()),
            )
            .withColumn("strength", decayed)
            .where("strength > 0")
            .withColumn("first_at", F.timestamp_micros("first"))
            .withColumn("last_at", F.timestamp_micros("last"))
            .drop("terms", "first", "last")
        )

    return transform


def touched_persons(identities: DataFrame) -> Transformer:
    """Changed ids (`site`, `ids`) → everyone who may own their events, before or after: `site`, `person_id`.

    A visitor's earlier person is the visitor itself or a user that it was linked to, and
    every link ever seen is a row of silver.identities; an alias adds one step from there.
    """
    links = identities.select("site", F.col("id").alias("linked"), F.col("user_id").alias("owner"))

    def step(people: DataFrame) -> DataFrame:
        owners = people.withColumnRenamed("person_id", "linked").join(links, ["site", "linked"])
        return people.unionByName(owners.select("site", F.col("owner").alias("person_id")))

    def transform(changed: DataFrame) -> DataFrame:
        ids = changed.select("site", F.explode(F.array_compact("ids")).alias("person_id"))
        return ids.distinct().transform(step).transform(step).distinct()

    return transform


def tombstones(present: DataFrame) -> Transformer:
    """Add the pairs that are no longer there, as rows to delete (`_delete`)."""

    def transform(rows: DataFrame) -> DataFrame:
        gone = present.select(*KEY).join(rows.select(*KEY), list(KEY), "left_anti")
        return rows.withColumn("_delete", F.lit(False)).unionByName(
            gone.withColumn("_delete", F.lit(True)), allowMissingColumns=True
        )

    return transform

"""Events with their persons → gold.interactions."""

from collections.abc import Mapping
from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms import Transformer, orders
from spark_jobs.transforms.silver.identities import merges, user_person, visitor_person

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
    last event. A purchase that was sent before with the same order counts no more, and a refund, where no weight
    is set for it, takes what a purchase gives. Pairs whose strength is not positive (put into the cart and taken out
    again) have no row.
    """
    weights = {"refund": -weights.get("purchase", 0.0)} | dict(weights)
    kinds = [kind for kind, weight in weights.items() if weight]
    weight = F.create_map(*(F.lit(part) for kind in kinds for part in (kind, float(weights[kind]))))
    seconds = half_life.total_seconds()

    def transform(events: DataFrame) -> DataFrame:
        used = events.where(F.col("item_id").isNotNull() & orders.of_kind(*kinds))
        # One exchange serves the orders and the pairs.
        counted = (
            used.repartition(*KEY)
            .transform(orders.once_in_place("person_id"))
            .select(
                *KEY,
                "event",
                F.unix_micros("occurred_at").alias("at"),
                weight[F.col("event")].alias("weight"),
            )
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
            counted.groupBy("person_id", "item_id", "site")  # as they are sorted
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


def touched_persons(identities: DataFrame, merged: DataFrame | None = None) -> Transformer:
    """Changed ids (`site`, `ids`) → everyone who may own their events, before or after: `site`, `person_id`.

    Ids may be visitors' or users'. A visitor's events are the visitor's own or those of a user that it was ever linked to,
    a user's those of anybody in its merged group; every link ever seen is a row of silver.identities.
    """
    links = identities.where("kind = 'visitor'").select("site", "id", "user_id")

    def transform(changed: DataFrame) -> DataFrame:
        groups = merges(identities) if merged is None else merged
        ids = changed.select("site", F.explode(F.array_compact("ids")).alias("id")).distinct()
        owners = ids.join(links, ["site", "id"]).select("site", F.col("user_id").alias("id"))
        users = ids.unionByName(owners).distinct()
        others = users.join(groups, ["site", "id"]).select("site", "person").distinct().join(groups, ["site", "person"])
        people = users.unionByName(others.select("site", "id")).select(
            "site", user_person(F.col("id")).alias("person_id")
        )
        return people.unionByName(ids.select("site", visitor_person("id").alias("person_id"))).distinct()

    return transform


def tombstones(present: DataFrame) -> Transformer:
    """Add the pairs that are no longer there, as rows to delete (`_delete`)."""

    def transform(rows: DataFrame) -> DataFrame:
        gone = present.select(*KEY).join(rows.select(*KEY), list(KEY), "left_anti")
        return rows.withColumn("_delete", F.lit(False)).unionByName(
            gone.withColumn("_delete", F.lit(True)), allowMissingColumns=True
        )

    return transform

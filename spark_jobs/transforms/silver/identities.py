"""Events that say who a visitor is → links of silver.identities."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from spark_jobs.transforms.silver.nobody import is_nobody

KEY = ("site", "kind", "id", "user_id")


def identity_links(events: DataFrame) -> DataFrame:
    """One row per link (visitor → user, merged user → user) with its first and last event.

    Any event that carries both ids links them. An `alias` merges `properties.previous_id`
    into its user, unless it is a word for nobody. The result composes: union links and `merge_links` them again.
    """
    previous = F.col("properties")["previous_id"]
    visitor = (F.col("user_id").isNotNull()) & (F.col("visitor_id") != F.col("user_id")) & (F.col("event") != "alias")
    known = F.expr("NOT " + is_nobody("properties['previous_id']"))
    alias = (F.col("event") == "alias") & previous.isNotNull() & known & F.col("user_id").isNotNull()
    return (
        events.where(visitor | alias)
        .select(
            "site",
            F.when(alias, "alias").otherwise("visitor").alias("kind"),
            F.when(alias, previous).otherwise(F.col("visitor_id")).alias("id"),
            "user_id",
            F.col("occurred_at").alias("first_at"),
            F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id")).alias("last"),
        )
        .transform(merge_links)
    )


def merge_links(links: DataFrame) -> DataFrame:
    """Links of one (id, user) as one: the earliest first event, the latest last."""
    return links.groupBy(*KEY).agg(F.min("first_at").alias("first_at"), F.max("last").alias("last"))


def as_identities(links: DataFrame) -> DataFrame:
    """Links → rows of silver.identities."""
    return links.select(*KEY, "first_at", F.col("last.at").alias("last_at"), F.col("last.id").alias("last_event_id"))


def as_links(identities: DataFrame) -> DataFrame:
    """Rows of silver.identities → links."""
    last = F.struct(F.col("last_at").alias("at"), F.col("last_event_id").alias("id"))
    return identities.select(*KEY, "first_at", last.alias("last"))


def persons(events: DataFrame, identities: DataFrame) -> DataFrame:
    """Add `person_id`: the event's user, else the visitor's latest user, else the visitor; then one alias.

    The latest link by (last_at, last_event_id) wins; an alias is followed once, never on.
    """
    users = _latest(identities, "visitor").select(
        "site", F.col("id").alias("visitor_id"), F.col("latest").alias("visitor_user")
    )
    merged = _latest(identities, "alias").select(
        "site", F.col("id").alias("person_id"), F.col("latest").alias("merged")
    )
    return (
        events.join(users, ["site", "visitor_id"], "left")
        .withColumn("person_id", F.coalesce("user_id", "visitor_user", "visitor_id"))
        .join(merged, ["site", "person_id"], "left")
        .withColumn("person_id", F.coalesce("merged", "person_id"))
        .drop("visitor_user", "merged")
    )


def _latest(identities: DataFrame, kind: str) -> DataFrame:
    by: Column = F.struct("last_at", "last_event_id", "user_id")
    return identities.where(F.col("kind") == kind).groupBy("site", "id").agg(F.max_by("user_id", by).alias("latest"))

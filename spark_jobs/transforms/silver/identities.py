"""Events that say who a visitor is → links of silver.identities, and the person behind each event (docs/identity.md)."""

from collections.abc import Set

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from nextclick.identity import persons as forms
from nextclick.identity.merges import MOST_USERS, ONE_SPACE, closed
from spark_jobs.transforms import Transformer
from spark_jobs.transforms.silver.nobody import is_nobody

KEY = ("site", "kind", "id", "user_id")


def with_visitors(events: DataFrame) -> DataFrame:
    """A visitor for a user's event without one, which no device can be: sessions need one."""
    return events.withColumn("visitor_id", F.expr(f"coalesce(visitor_id, concat('{forms.ACCOUNT}', user_id))"))


def identity_links(nobody_words: Set[str]) -> Transformer:
    """One row per link (visitor → user, merged user → user) with its first and last event.

    Any event that carries both ids links them. An `alias` merges `properties.previous_id` into its user, unless it is one of
    `nobody_words`; since trackers send the anonymous id there as well, it links the visitor of that name, too.
    The result composes: union links and `merge_links` them again.
    """
    previous, visitor, user = F.col("properties")["previous_id"], F.col("visitor_id"), F.col("user_id")
    is_device = (visitor != user) & ~visitor.startswith(forms.ACCOUNT)
    known = F.expr("NOT " + is_nobody("properties['previous_id']", nobody_words))
    alias = (F.col("event") == "alias") & previous.isNotNull() & known
    one_space = F.col("source").isin(*ONE_SPACE)
    links = F.array(
        _link((F.col("event") != "alias") & is_device, "visitor", visitor),
        _link(alias & (previous != user), "alias", previous),
        _link(alias, "visitor", previous),
        _link(one_space, "visitor", user),
    )

    def transform(events: DataFrame) -> DataFrame:
        return (
            events.where(user.isNotNull())
            .withColumn("link", F.explode(F.array_distinct(F.array_compact(links))))
            .select(
                "site",
                "link.kind",
                "link.id",
                "user_id",
                F.col("occurred_at").alias("first_at"),
                F.struct(F.col("occurred_at").alias("at"), F.col("event_id").alias("id")).alias("last"),
            )
            .transform(merge_links)
        )

    return transform


def _link(where: Column, kind: str, id: Column) -> Column:
    return F.when(where, F.struct(F.lit(kind).alias("kind"), id.alias("id")))


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


def persons(events: DataFrame, identities: DataFrame, merged: DataFrame | None = None) -> DataFrame:
    """Add `person_id`: the event's user, else the visitor's user at that time, else the visitor; a merged user is its `merges`.

    `merged` is `merges(identities)`, where the caller has it already.
    """
    merged = merges(identities) if merged is None else merged
    return (
        events.join(_owners(identities), ["site", "visitor_id"], "left")
        .withColumn("owner", F.coalesce("user_id", _owner_at("occurred_at")))
        .join(merged.select("site", F.col("id").alias("owner"), "person"), ["site", "owner"], "left")
        .withColumn("person_id", F.coalesce(user_person(F.coalesce("person", "owner")), visitor_person("visitor_id")))
        .drop("owner", "owners", "first_owner", "person")
    )


def user_person(user: Column) -> Column:
    """nextclick.identity.persons.of_user for a column."""
    clashes = user.startswith(forms.VISITOR) | user.startswith(forms.USER)
    return F.when(clashes, F.concat(F.lit(forms.USER), user)).otherwise(user)


def visitor_person(visitor: str) -> Column:
    """nextclick.identity.persons.of_visitor for a column."""
    return F.concat(F.lit(forms.VISITOR), F.col(visitor))


def _owners(identities: DataFrame) -> DataFrame:
    """One row per visitor: its users with their times there, and the first of them."""
    owner = F.struct("first_at", "last_at", "last_event_id", "user_id")
    first = F.struct(-F.unix_micros("first_at"), "last_event_id", "user_id")
    return (
        identities.where(F.col("kind") == "visitor")
        .groupBy("site", F.col("id").alias("visitor_id"))
        .agg(F.collect_list(owner).alias("owners"), F.max(first)["user_id"].alias("first_owner"))
        .where(F.size("owners") <= MOST_USERS)
    )


def _owner_at(time: str) -> Column:
    """Whose the visitor was: the user within whose first and last event there `time` lies (of several the one who came
    last), else who was there last before it, else the first one."""
    before = F.filter("owners", lambda owner: owner["first_at"] <= F.col(time))
    ranked = F.transform(
        before,
        lambda owner: F.struct(
            F.least(owner["last_at"], F.col(time)),
            owner["first_at"],
            owner["last_event_id"],
            owner["user_id"].alias("user"),
        ),
    )
    return F.coalesce(F.array_max(ranked)["user"], F.col("first_owner"))


def merges(identities: DataFrame) -> DataFrame:
    """Merged users, closed over chains and circles: `site`, `id`, and the `person`, a user id, of all that hang together.

    The person is the user of the latest merge that was not merged on; in a circle, of the latest merge.
    """
    aliases = identities.where((F.col("kind") == "alias") & (F.col("id") != F.col("user_id")))
    links = aliases.select("site", "id", "user_id", "last_at", "last_event_id").toArrow()
    return identities.sparkSession.createDataFrame(closed(links))

"""Who a visitor is: the user at that time, merges closed over chains and cycles, and everyone whom a change touches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick.contracts.events import somebody
from nextclick.identity.merges import MOST_USERS
from nextclick.settings import load
from spark_jobs.transforms.gold.interactions import touched_persons
from spark_jobs.transforms.silver import nobody
from spark_jobs.transforms.silver.identities import (
    as_identities,
    as_links,
    identity_links,
    merge_links,
    persons,
)

pytestmark = pytest.mark.spark

NOBODY = load(environ={"NEXTCLICK_EVENTS__NOBODY_MORE": '["It\'s", "gast"]'}).events.nobody_words
SCHEMA = (
    "event_id string, event string, visitor_id string, user_id string, "
    "occurred_at timestamp, properties map<string,string>, site string, source string"
)


def events(spark: SparkSession, *rows: tuple[Any, ...], source: str = "plain") -> DataFrame:
    """(minute, event, visitor, user, previous id) each; event ids are e and their number."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return spark.createDataFrame(
        [
            (
                f"e{number}",
                event,
                visitor,
                user,
                start + timedelta(minutes=minute),
                previous and {"previous_id": previous},
                "s",
                source,
            )
            for number, (minute, event, visitor, user, previous) in enumerate(rows)
        ],
        SCHEMA,
    )


def people(history: DataFrame) -> list[str]:
    """The person of each event, in the order of their numbers."""
    identities = history.transform(identity_links(NOBODY)).transform(as_identities)
    rows = persons(history, identities).select("event_id", "person_id").collect()
    return [row.person_id for row in sorted(rows, key=lambda row: int(row.event_id[1:]))]


def test_links_persons_and_whom_a_change_touches(spark: SparkSession) -> None:
    history = events(
        spark,
        (0, "view_item", "v1", None, None),  # before anyone was known: goes to the first who came
        (1, "identify", "v1", "u1", None),
        (2, "identify", "v1", "u2", None),
        (3, "view_item", "v1", "u1", None),  # says itself who it is
        (4, "view_item", "v2", None, None),
        (5, "identify", "v2", "old", None),
        (6, "alias", "v9", "new", "old"),
        (7, "alias", "v9", "newest", "new"),
        (8, "view_item", " user:u3", "u3", None),  # a user without a visitor is no link
        (8, "view_item", "u4", "u4", None),  # nor was it before, under the user's id
        (9, "view_item", "old", None, None),  # what was merged may have been a visitor's id
    )
    links = history.transform(identity_links(NOBODY))
    identities = links.transform(as_identities)
    linked = {(row.kind, row.id, row.user_id, row.last_event_id) for row in identities.collect()}
    assert linked == {
        ("visitor", "v1", "u1", "e3"), ("visitor", "v1", "u2", "e2"), ("visitor", "v2", "old", "e5"),
        ("alias", "old", "new", "e6"), ("alias", "new", "newest", "e7"),
        ("visitor", "old", "new", "e6"), ("visitor", "new", "newest", "e7"),
    }  # fmt: skip
    assert links.unionByName(identities.transform(as_links)).transform(merge_links).count() == 7
    assert people(history) == ["u1", "u1", "u2", "u1", *["newest"] * 4, "u3", "u4", "newest"]

    changed = spark.createDataFrame([("s", ["v1", None]), ("s", ["v2", None])], "site string, ids array<string>")
    touched = {row.person_id for row in changed.transform(touched_persons(identities)).collect()}
    assert touched == {"visitor:v1", "v1", "u1", "u2", "visitor:v2", "v2", "old", "new", "newest"}


ONE_PERSON = {
    "chain": (("c", "b"), ("b", "a")),
    "chain, its later step first": (("b", "a"), ("c", "b")),
    "both ways": (("b", "a"), ("a", "b"), ("c", "b")),
    "one into two": (("c", "a"), ("b", "a")),
    "circle, and itself": (("a", "a"), ("b", "a"), ("c", "b"), ("a", "c")),
}
"""(user, the user that was merged into it), in the order of their times."""


def test_what_was_merged_is_one_person_and_a_merge_with_itself_is_none(spark: SparkSession) -> None:
    rows = [(0, "view_item", "v", "alone", None), (1, "alias", "alone", "alone", "alone")]
    for case, aliases in ONE_PERSON.items():
        rows += [(0, "view_item", f"of-{user} {case}", f"{user} {case}", None) for user in "abc"]
        rows += [
            (1 + number, "alias", f"{into} {case}", f"{into} {case}", f"{one} {case}")
            for number, (into, one) in enumerate(aliases)
        ]
    assert set(people(events(spark, *rows))) == {
        "alone", "c chain", "c chain, its later step first", "c both ways", "b one into two", "a circle, and itself",
    }  # fmt: skip


def test_whose_an_event_is(spark: SparkSession) -> None:
    """(minute, visitor, user, whose): a name of both spaces, a shared device, one instant, and an id of very many users."""
    views = [
        (0, "4242", None, "visitor:4242"),
        (1, "phone", "4242", "4242"),
        (2, "4242", "4242", "4242"),  # silver's form of a user's event without a visitor
        (3, "x", "visitor:4242", "user:visitor:4242"),  # nor does any other user's id reach a visitor
        (4, "x", "user:visitor:4242", "user:user:visitor:4242"),
        (0, "tv", None, "alice"),  # before anyone: the first
        (10, "tv", "alice", "alice"),
        (20, "tv", None, "alice"),
        (30, "tv", "bob", "bob"),
        (40, "tv", None, "bob"),
        (50, "tv", "carl", "carl"),
        (60, "tv", "bob", "bob"),
        (70, "tv", None, "bob"),
        (55, "tv", None, "bob"),  # within bob's time there, and after carl's
        (0, "d", "b", "b"),
        (0, "d", "a", "a"),
        (5, "d", None, "a"),  # of the greater event id
        (-5, "d", None, "a"),
        *((number, "kiosk", f"u{number:02}", f"u{number:02}") for number in range(MOST_USERS + 1)),
        (99, "kiosk", None, "visitor:kiosk"),
        *((number, "few", f"u{number:02}", f"u{number:02}") for number in range(MOST_USERS)),
        (99, "few", None, f"u{MOST_USERS - 1}"),
    ]
    history = events(spark, *((minute, "view_item", visitor, user, None) for minute, visitor, user, _ in views))
    assert people(history) == [whose for *_, whose in views]


def test_where_one_id_names_both_it_is_one_person(spark: SparkSession) -> None:
    """PostHog's and Mixpanel's servers send the distinct_id alone, which the browser says is a user."""
    views = [(0, "purchase", "ann", None, None), (1, "view_item", "device", "ann", None)]
    plain = events(spark, *views).withColumns({"site": F.lit("other"), "event_id": F.concat("event_id", F.lit("5"))})
    history = events(spark, *views, source="posthog").union(plain)
    assert people(history) == ["ann", "ann", "visitor:ann", "ann"]


def test_a_word_for_nobody_is_the_same_in_silver_and_at_the_door(spark: SparkSession) -> None:
    names = (
        *sorted(NOBODY),
        "NULL",
        " undefined ",
        "\tundefined" + " " * 99,
        "it's",
        "[object Object]",
        "nullable",
        "10",
        "u1",
        None,
    )
    pairs = [(visitor, user) for visitor in names for user in names]
    visitor = nobody.visitor("visitor", NOBODY)
    rows = spark.createDataFrame(pairs, "visitor string, user string").selectExpr(
        "visitor", "user", f"{visitor} AS v", f"{nobody.user('user', visitor, NOBODY)} AS u"
    )
    assert {(row.visitor, row.user): (row.v, row.u) for row in rows.collect()} == {
        pair: somebody(*pair, NOBODY) for pair in pairs
    }


def test_an_alias_of_nobody_merges_nobody(spark: SparkSession) -> None:
    links = events(
        spark, (0, "alias", "v", "u1", "undefined"), (1, "alias", "v", "u2", "undefined"), (2, "alias", "v", "u3", "u4")
    )
    assert {(row.id, row.user_id) for row in links.transform(identity_links(NOBODY)).collect()} == {("u4", "u3")}

"""Who a visitor is: the latest link wins, an alias is one step, and everyone whom a change touches is named."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts.events import NOBODY, somebody
from spark_jobs.transforms.gold.interactions import touched_persons
from spark_jobs.transforms.silver import nobody
from spark_jobs.transforms.silver.identities import as_identities, as_links, identity_links, merge_links, persons

pytestmark = pytest.mark.spark

SCHEMA = (
    "event_id string, event string, visitor_id string, user_id string, "
    "occurred_at timestamp, properties map<string,string>, site string"
)


def events(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    """(minute, event, visitor, user, previous id) each."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return spark.createDataFrame(
        [
            (
                f"e{minute}",
                event,
                visitor,
                user,
                start + timedelta(minutes=minute),
                previous and {"previous_id": previous},
                "s",
            )
            for minute, event, visitor, user, previous in rows
        ],
        SCHEMA,
    )


def test_links_persons_and_whom_a_change_touches(spark: SparkSession) -> None:
    history = events(
        spark,
        (0, "view_item", "v1", None, None),  # before anyone knew: goes where v1 goes
        (1, "identify", "v1", "u1", None),
        (2, "identify", "v1", "u2", None),
        (3, "view_item", "v1", "u1", None),  # says itself who it is; and, being the latest, whose v1 is
        (4, "view_item", "v2", None, None),
        (5, "identify", "v2", "old", None),
        (6, "alias", "v9", "new", "old"),
        (7, "alias", "v9", "newest", "new"),  # one step only: old stays with new
        (8, "view_item", "u3", "u3", None),  # a user without a visitor is no link
    )
    links = history.transform(identity_links)
    identities = links.transform(as_identities)
    found = {(row.kind, row.id, row.user_id, row.last_event_id) for row in identities.collect()}
    assert found == {
        ("visitor", "v1", "u1", "e3"), ("visitor", "v1", "u2", "e2"), ("visitor", "v2", "old", "e5"),
        ("alias", "old", "new", "e6"), ("alias", "new", "newest", "e7"),
    }  # fmt: skip
    assert links.unionByName(identities.transform(as_links)).transform(merge_links).count() == 5

    person = {row.event_id: row.person_id for row in persons(history, identities).collect()}
    assert person == {
        "e0": "u1", "e1": "u1", "e2": "u2", "e3": "u1", "e4": "new", "e5": "new", "e6": "newest", "e7": "newest", "e8": "u3",
    }  # fmt: skip

    changed = spark.createDataFrame([("s", ["v1", None]), ("s", ["v2", None])], "site string, ids array<string>")
    touched = {row.person_id for row in changed.transform(touched_persons(identities)).collect()}
    assert touched == {"v1", "u1", "u2", "v2", "old", "new"}


def test_a_word_for_nobody_is_the_same_in_silver_and_at_the_door(spark: SparkSession) -> None:
    names = (*sorted(NOBODY), "NULL", " undefined ", "[object Object]", "nullable", "10", "u1", None)
    pairs = [(visitor, user) for visitor in names for user in names]
    visitor = nobody.visitor("visitor")
    rows = spark.createDataFrame(pairs, "visitor string, user string").selectExpr(
        "visitor", "user", f"{visitor} AS v", f"{nobody.user('user', visitor)} AS u"
    )
    assert {(row.visitor, row.user): (row.v, row.u) for row in rows.collect()} == {
        pair: somebody(*pair) for pair in pairs
    }


def test_an_alias_of_nobody_merges_nobody(spark: SparkSession) -> None:
    links = events(
        spark, (0, "alias", "v", "u1", "undefined"), (1, "alias", "v", "u2", "undefined"), (2, "alias", "v", "u3", "u4")
    )
    assert [(row.id, row.user_id) for row in links.transform(identity_links).collect()] == [("u4", "u3")]

"""Stream equals batch: any order, any cut, duplicates, restarts and crashes give the tables of the oracle."""

import random
import shutil
from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from nextclick import catalog
from nextclick.errors import LakeError
from nextclick.settings import Settings, load
from spark_jobs import tables
from spark_jobs.cli import REBUILDS
from spark_jobs.streaming import forget
from tests.spark import path
from tests.spark.conftest import MINUTE, RECEIVED, Land, publish

pytestmark = pytest.mark.spark

Streamed = tuple[Settings, list[dict[str, Any]]]

GOLD = ("gold.interactions", "gold.traffic_daily", "gold.item_daily")
DERIVED = ("silver.identities", "silver.items", "silver.sessions", *GOLD)


def clicks(seed: int, size: int = 120) -> list[dict[str, Any]]:
    """A random history: three visitors, two users, items, purchases, logins, an alias, a few copies and collisions."""
    draw = random.Random(seed)
    events: list[dict[str, Any]] = []
    for number in range(size):
        kind = draw.choice(
            ["page_view", "view_item", "view_item", "add_to_cart", "remove_from_cart", "purchase", "identify", "alias"]
        )
        event: dict[str, Any] = {
            "event": kind,
            "event_id": f"e{number:03}",
            "client_time": RECEIVED - draw.randrange(4 * 1440) * MINUTE,
            "visitor_id": f"v{draw.randrange(3)}",
        }
        if kind == "page_view":
            event["page_url"] = f"/p{number}"
        elif kind == "identify":
            event["user_id"] = f"u{draw.randrange(2)}"
        elif kind == "alias":
            event |= (
                {"user_id": "u1", "properties": {"previous_id": draw.choice(["u0", "v2"])}} if number % 3 == 0 else {}
            )
        else:
            event |= {"item_id": f"i{draw.randrange(5)}", "name": f"name {number}"}
        if kind == "purchase":
            event |= {"price": f"{draw.randrange(1, 9)}.50", "currency": draw.choice(["EUR", "USD"]), "quantity": 2}
        events.append(event)
    events += [dict(event) for event in draw.sample(events, size // 10)]
    events += [event | {"name": "another"} for event in draw.sample(events[:size], 3)]
    draw.shuffle(events)
    return events


@pytest.fixture(scope="module")
def streamed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Streamed:
    """A lake that was built in three cuts, and what was landed in it; tests leave it as it is, or equal to it."""
    settings = load(tmp_path_factory.mktemp("streamed") / "lake", profile="test", environ={})
    settings.lake.prepare()
    events = clicks(2)
    for number in range(3):
        publish(settings, events[number * 40 : None if number == 2 else (number + 1) * 40])
        path.run_jobs(spark, settings)
    return settings, events


def test_three_cuts_give_the_tables_of_the_oracle(spark: SparkSession, streamed: Streamed) -> None:
    path.assert_equals_oracle(spark, *streamed)


def test_a_run_with_nothing_new_commits_nothing(spark: SparkSession, streamed: Streamed) -> None:
    settings, _ = streamed
    before = path.versions(spark, settings)
    path.run_jobs(spark, settings)
    assert path.versions(spark, settings) == before


ARROW = {
    "string": "string",
    "bigint": "int64",
    "int": "int32",
    "double": "double",
    "boolean": "bool",
    "date": "date32",
    "timestamp": "timestamp[us, tz=UTC]",
    "decimal(18,4)": "decimal128(18, 4)",
    "map": "map<",
    "struct": "struct<",
}
"""The contract's words as Arrow's."""


def test_published_tables_open_in_other_readers_with_the_contracts_types(
    spark: SparkSession, streamed: Streamed
) -> None:
    settings, _ = streamed
    for name in ("bronze.events", "silver.events", "silver.quarantine", *DERIVED):
        table = catalog.table(name)
        dataset = DeltaTable(settings.lake.table(name)).to_pyarrow_dataset()
        assert dataset.schema.names == list(table.column_names)
        for field in dataset.schema:
            assert str(field.type).startswith(ARROW[table.column(field.name).type.split("<")[0]]), (
                f"{name}.{field.name}"
            )
        assert duckdb.from_arrow(dataset).count("*").fetchall() == [(len(path.rows(spark, settings, name)),)]


def test_a_lost_checkpoint_fails_loudly_and_a_rebuild_gives_the_same_tables(
    spark: SparkSession, streamed: Streamed
) -> None:
    settings, events = streamed
    before = {table: path.digest(spark, settings, table) for table in DERIVED}
    shutil.rmtree(settings.lake.checkpoint("build_sessions"))
    with pytest.raises(LakeError, match="nextclick rebuild silver"):
        path.run_jobs(spark, settings, ["build_sessions"])
    for name in REBUILDS["silver"]:
        forget(settings, name)
    path.run_jobs(spark, settings, REBUILDS["silver"])
    assert {table: path.digest(spark, settings, table) for table in DERIVED} == before
    path.assert_equals_oracle(spark, settings, events)


class Crash(Exception):
    """Thrown between a table's commit and the checkpoint's."""


WRITERS = {
    "ingest_events": "append",
    "build_events": "append",
    "build_identities": "merge",
    "build_items": "merge",
    "build_sessions": "merge",
    "build_interactions": "merge",
    "build_traffic_daily": "replace",
    "build_item_daily": "replace",
}


def test_a_crash_between_commit_and_checkpoint_neither_loses_nor_doubles_a_row(
    spark: SparkSession, settings: Settings, land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = clicks(4, 60)
    half = len(events) // 2
    land(events[:half])
    path.run_jobs(spark, settings)
    land(events[half:])
    for job, writer in WRITERS.items():
        fired: list[bool] = []
        write = getattr(tables, writer)

        def commit_then_crash(
            *args: Any, _write: Callable[..., None] = write, _fired: list[bool] = fired, **kwargs: Any
        ) -> None:
            _write(*args, **kwargs)
            _fired.append(True)
            raise Crash

        with monkeypatch.context() as patch:
            patch.setattr(tables, writer, commit_then_crash)
            with pytest.raises(LakeError, match="Nothing is lost"):
                path.run_jobs(spark, settings, [job])
        assert fired
        path.run_jobs(spark, settings, [job])
    path.run_jobs(spark, settings)
    path.assert_equals_oracle(spark, settings, events)

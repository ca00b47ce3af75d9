"""Stream equals batch: any order, any cut, duplicates, restarts and crashes give the tables of the oracle."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from nextclick import formats
from nextclick.contracts import catalog
from nextclick.contracts.table import Layer, Table
from nextclick.errors import LakeError
from nextclick.lake.paths import Lake
from nextclick.settings import Settings, load
from spark_jobs import jobs, tables
from spark_jobs.run_jobs import REBUILDS
from spark_jobs.streaming import forget
from tests.spark import path
from tests.spark.conftest import MINUTE, RECEIVED, publish

pytestmark = pytest.mark.spark

Streamed = tuple[Settings, list[dict[str, Any]]]

GOLD = tuple(name for job in catalog.JOBS if job.layer is Layer.GOLD for name in job.writes)
SILVER = tuple(name for job in catalog.JOBS if "silver.events" in job.reads for name in job.writes if name not in GOLD)
DERIVED = (*SILVER, *GOLD)

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def clicks(seed: int, size: int = 120) -> list[dict[str, Any]]:
    """A random history: visitors, one named like a user, users, items, purchases, logins, an alias, robots, a few copies and collisions."""
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
            "visitor_id": draw.choice(["v0", "v1", "v2", "u0"]),
        }
        if consent := draw.choice([None, None, {"analytics": True}, {"personalization": False}]):
            event["consent"] = consent
        if kind == "page_view":
            address = draw.choice(["", "?utm_source=news&page=2", "?page=2&mail=ann@example.org"])
            event["page_url"] = f"https://shop.example/p{number % 7}{address}"
            if referrer := draw.choice([None, "https://shop.example/", "https://blog.example/lamps"]):
                event["referrer"] = referrer
        elif kind == "identify":
            event["user_id"] = f"u{draw.randrange(2)}"
        elif kind == "alias":
            event |= (
                {"user_id": draw.choice(["u1", "u2"]), "properties": {"previous_id": draw.choice(["u0", "v2", "u1"])}}
                if number % 3 == 0
                else {}
            )
        else:
            event |= {"item_id": f"i{draw.randrange(5)}", "name": f"name {number}"}
        if kind == "purchase":
            event |= {"price": f"{draw.randrange(1, 9)}.50", "currency": draw.choice(["EUR", "USD"]), "quantity": 2}
            if number % 3:  # no item twice in an order: whose sends count is told by test_orders.py
                event |= {"order_id": f"O{number // 30}", "item_id": f"i{number % 30}"}
        elif kind == "add_to_cart":
            event["properties"] = {"plan": draw.choice(["pro", "free"])}
        if agent := draw.choice([None, None, BROWSER, ROBOT]):
            event["user_agent"] = agent
        events.append(event)
    events += [dict(event) for event in draw.sample(events, size // 10)]
    events += [event | {"name": "another"} for event in draw.sample(events[:size], 3)]
    draw.shuffle(events)
    return events


def answers(seed: int, size: int = 20) -> list[dict[str, Any]]:
    """Answers to three visitors, and what followed: shown or not, clicked by name or not, carts, purchases; some too late to count."""
    draw = random.Random(seed)
    events: list[dict[str, Any]] = []
    before, owner = 0.0, ""

    def add(kind: str, minute: float, **fields: Any) -> None:
        event = {"event": kind, "event_id": f"{kind}{len(events)}", "client_time": RECEIVED - round(minute * MINUTE)}
        events.append(event | fields)

    for number in range(size):
        minute, visitor, items = draw.uniform(0, 5700), f"v{draw.randrange(3)}", draw.sample(range(4), 2)
        if number % 2:  # shortly after the one before, so that two answers compete for an act
            minute, visitor = before - draw.uniform(0, 90), owner
        before, owner = minute, visitor
        listed = [f"i{item}" for item in items]
        properties = {"items": json.dumps([*listed, listed[0]]), "propensities": "[0.5, 1, 1]", "source": "model"}
        properties |= {"features": json.dumps({"popularity": [0.25, None, 1]})} if number % 3 else {}
        page = {"visitor_id": visitor, "request_id": f"r{number}"}
        agent = {"user_agent": draw.choice([BROWSER, ROBOT])} if number % 4 == 0 else {}
        request = {"surface": "home", "model_version": "3"} if number % 5 else {}
        add("served", minute, **page, **request, **agent, properties=properties)
        for item in listed:
            gone = {"visitor_id": visitor, "item_id": item}
            if draw.random() < 0.7:
                add("impression", minute - draw.uniform(0, 140), **page, **agent, item_id=item)
            if draw.random() < 0.3:
                add("click", minute - draw.uniform(0, 20), **page, item_id=item)
            for kind in ("click", "add_to_cart", "purchase"):
                price = {"price": "2.50", "currency": draw.choice(["EUR", "USD"])} if draw.random() < 0.8 else {}
                if draw.random() < 0.5:
                    add(kind, minute - draw.uniform(0, 200), **gone, **price)
    draw.shuffle(events)
    return events


class Crash(Exception):
    """Thrown between a table's commit and the checkpoint's."""


WRITERS = {
    "ingest_events": ("append", "bronze.events"),
    "ingest_rejects": None,
    "build_events": ("append", "silver.events"),
    "build_identities": ("merge", "silver.identities"),
    "build_items": ("merge", "silver.items"),
    "build_user_agents": ("append", "silver.user_agents"),
    "build_sessions": ("exchange", "silver.sessions"),
    "build_served_items": ("merge", "silver.served_items"),
    "build_interactions": ("merge", "gold.interactions"),
    "build_traffic_daily": ("replace_days", "gold.traffic_daily"),
    "build_item_daily": ("replace_days", "gold.item_daily"),
    "build_recommendation_performance": ("replace_days", "gold.recommendation_performance"),
    "build_visits": ("replace_days", "gold.visits"),
    "build_campaign_daily": ("replace_days", "gold.campaign_daily"),
}
"""The function of spark_jobs.tables by which each job commits a batch, and to what; None: nothing comes its way."""

BY_SPARK = ("build_items", "build_served_items")
"""Jobs that write by Spark's plans here, which are for many rows."""


def crash_after_commit(spark: SparkSession, settings: Settings, job: str, writer: str, table: str) -> None:
    """Run `job` into an exception after its commit to `table` and before the checkpoint's; the next run adds no version."""
    write = getattr(tables, writer)

    def commit_then_crash(rows: DataFrame, lake: Lake, target: Table, *args: Any, **kwargs: Any) -> None:
        write(rows, lake, target, *args, **kwargs)
        if target.name == table:
            raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, writer, commit_then_crash)
        if job in BY_SPARK:
            patch.setattr(tables, "_FEW", 0)
        with pytest.raises(LakeError, match="Nothing is lost") as stopped:
            path.run_jobs(spark, settings, [job])
        assert "Crash" in str(stopped.value)
    landed = path.versions(settings)[table]
    path.run_jobs(spark, settings, [job])
    assert path.versions(settings)[table] == landed


@pytest.fixture(scope="module")
def streamed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Streamed:
    """A lake that was built in two cuts, with a crash of each job in the second, and what was landed in it.

    In the first, gold is made before it is known who is a robot, so the second must take robots out
    again: also where nothing else changes. Tests leave the lake as it is, or equal to it.
    """
    zone = {"NEXTCLICK_ANALYTICS__TIMEZONE": "Asia/Kolkata"}  # whose days begin at 18:30 UTC
    settings = load(tmp_path_factory.mktemp("streamed") / "lake", profile="test", environ=zone)
    settings.lake.prepare()
    crawl = {
        "event": "view_item",
        "event_id": "crawl",
        "client_time": RECEIVED - 9 * 1440 * MINUTE,
        "visitor_id": "crawler",
    }
    mixed = [*clicks(2), *answers(3)]
    random.Random(4).shuffle(mixed)
    events = [crawl | {"item_id": "crawled", "user_agent": ROBOT}, *mixed]
    publish(settings, events[: len(events) // 2])
    path.run_jobs(spark, settings, [job for job in jobs.ALL if job != "build_user_agents"])
    assert {row.item_id for row in path.rows(settings, "gold.item_daily")} > {"crawled"}
    publish(settings, events[len(events) // 2 :])
    for job, commit in WRITERS.items():
        if commit:
            crash_after_commit(spark, settings, job, *commit)
    return settings, events


def test_cuts_and_crashes_between_commit_and_checkpoint_give_the_tables_of_the_oracle(streamed: Streamed) -> None:
    assert list(WRITERS) == [job.name for job in catalog.JOBS]
    path.assert_equals_oracle(*streamed)


def test_a_run_with_nothing_new_commits_nothing(spark: SparkSession, streamed: Streamed) -> None:
    settings, _ = streamed
    before = path.versions(settings)
    path.run_jobs(spark, settings)
    assert path.versions(settings) == before


ARROW = {
    "string": "string",
    "bigint": "int64",
    "int": "int32",
    "double": "double",
    "boolean": "bool",
    "date": "date32",
    "timestamp": "timestamp[us, tz=UTC]",
    "decimal(18,4)": "decimal128(18, 4)",
    "decimal(38,4)": "decimal128(38, 4)",
    "map": "map<",
    "array": "list<",
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
        assert duckdb.from_arrow(dataset).count("*").fetchall() == [(tables.read(spark, settings.lake, table).count(),)]


def damage(content: bytes, how: str) -> bytes:
    """A file's content after a bit flip in its middle, or cut there."""
    middle = len(content) // 2
    return content[:middle] + (bytes([content[middle] ^ 1]) + content[middle + 1 :] if how == "flipped" else b"")


def test_a_damaged_or_lost_checkpoint_fails_loudly_and_a_rebuild_gives_the_same_tables(
    spark: SparkSession, streamed: Streamed
) -> None:
    settings, _ = streamed
    before = {table: path.digest(settings, table) for table in DERIVED}
    checkpoint = Path(settings.lake.checkpoint("build_sessions"))
    for part in ("offsets/1", "commits/1", "metadata"):
        whole = (checkpoint / part).read_bytes()
        for how in ("flipped", "cut"):
            (checkpoint / part).write_bytes(damage(whole, how))
            with pytest.raises(LakeError, match="nextclick rebuild silver"):
                path.run_jobs(spark, settings, ["build_sessions"])
        (checkpoint / part).write_bytes(whole)
    shutil.rmtree(checkpoint)
    with pytest.raises(LakeError, match="nextclick rebuild silver"):
        path.run_jobs(spark, settings, ["build_sessions"])
    for name in REBUILDS["silver"]:
        forget(settings, name)
    path.run_jobs(spark, settings, REBUILDS["silver"])
    assert {table: path.digest(settings, table) for table in DERIVED} == before


def test_other_settings_or_a_newer_format_are_refused_before_a_row_is_written(
    spark: SparkSession, streamed: Streamed
) -> None:
    settings, _ = streamed
    before = path.versions(settings)
    with pytest.raises(LakeError, match=r"silver.sessions were made with other settings.*`nextclick rebuild silver`"):
        path.run_jobs(spark, _with_gap(settings, 60), ["build_sessions"])
    mark = Path(settings.lake.checkpoint("build_sessions"), formats.CHECKPOINT_FILE)
    mark.write_text('{"format": 99}')
    with pytest.raises(LakeError, match=r"checkpoint .*build_sessions has format 99"):
        path.run_jobs(spark, settings, ["build_sessions"])
    mark.write_text('{"format": 1}')
    assert path.versions(settings) == before
    events = DeltaTable(settings.lake.table("silver.events"))
    events.alter.set_table_properties({formats.FORMAT_PROPERTY: "99"}, raise_if_not_exists=False)
    with pytest.raises(LakeError, match=r"table silver\.events has format 99"):
        path.run_jobs(spark, settings, ["build_sessions"])
    events.alter.set_table_properties({formats.FORMAT_PROPERTY: "1"}, raise_if_not_exists=False)


def test_the_rebuild_that_was_named_makes_every_row_with_the_new_setting(
    spark: SparkSession, streamed: Streamed
) -> None:
    settings, _ = streamed
    before, longer = path.digest(settings, "silver.sessions"), _with_gap(settings, 600)
    forget(settings, "build_sessions")
    path.run_jobs(spark, longer, ["build_sessions"])
    assert path.digest(settings, "silver.sessions").total() < before.total()
    with pytest.raises(LakeError, match="nextclick rebuild silver"):
        path.run_jobs(spark, settings, ["build_sessions"])
    forget(settings, "build_sessions")
    path.run_jobs(spark, settings, ["build_sessions"])
    assert path.digest(settings, "silver.sessions") == before


def _with_gap(settings: Settings, minutes: int) -> Settings:
    return msgspec.structs.replace(settings, sessions=msgspec.structs.replace(settings.sessions, gap_minutes=minutes))

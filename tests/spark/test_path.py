"""Stream equals batch: any order, any cut, duplicates, restarts and crashes give the tables of the oracle."""

import json
import random
import shutil
from collections import Counter
from functools import reduce
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from nextclick import formats
from nextclick.contracts import catalog
from nextclick.contracts.table import Layer, Table
from nextclick.errors import LakeError
from nextclick.lake.paths import Lake
from nextclick.settings import Settings, load
from spark_jobs import tables
from spark_jobs.plans import held
from spark_jobs.run_jobs import REBUILDS
from spark_jobs.streaming import forget
from tests.spark import path
from tests.spark.conftest import MINUTE, RECEIVED, publish
from tests.spark.histories import ROBOT, answers, clicks

pytestmark = pytest.mark.spark

Streamed = tuple[Settings, list[dict[str, Any]]]

GOLD = tuple(name for job in catalog.JOBS if job.layer is Layer.GOLD for name in job.writes)
SILVER = tuple(name for job in catalog.JOBS if "silver.events" in job.reads for name in job.writes if name not in GOLD)
DERIVED = (*SILVER, *GOLD)


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

AT_ONCE = (
    "ingest_events", "build_events", "build_identities", "build_items", "build_traffic_daily", "build_recommendation_performance",
    "build_campaign_daily",
)  # fmt: skip
"""Jobs that crash in their first batch, which they write as every other; the others crash in their second."""

BY_SPARK = ("build_items", "build_served_items")
"""Jobs that write by Spark's plans here, which are for many rows."""


def run(spark: SparkSession, settings: Settings, job: str, many: bool = False) -> None:
    """`many`: a job of BY_SPARK takes its rows for many, too."""
    with pytest.MonkeyPatch.context() as patch:
        if job in BY_SPARK:
            patch.setattr(tables, "_FEW", 0)
            if many:
                patch.setattr(held, "_FEW_BYTES", -1)
                patch.setattr(tables, "_HELD_ROWS", -1)
        path.run_jobs(spark, settings, [job])


def crash_after_commit(spark: SparkSession, settings: Settings, job: str, writer: str, table: str) -> None:
    """Run `job` into an exception after its commit to `table` and before the checkpoint's."""
    write = getattr(tables, writer)

    def commit_then_crash(rows: DataFrame, lake: Lake, target: Table, *args: Any, **kwargs: Any) -> None:
        write(rows, lake, target, *args, **kwargs)
        if target.name == table:
            raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, writer, commit_then_crash)
        with pytest.raises(LakeError, match="Nothing is lost") as stopped:
            run(spark, settings, job)
        assert "Crash" in str(stopped.value)


def batches(settings: Settings, table: str) -> list[int]:
    """Of each commit of rows the batch that made it, oldest first."""
    logs = sorted(Path(settings.lake.table(table), "_delta_log").glob("*.json"))
    actions = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return [action["txn"]["version"] for action in actions if "txn" in action]


@pytest.fixture(scope="module")
def streamed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Streamed:
    """A lake that was built in two cuts, with a crash of each job, and what was landed in it.

    A job that crashed in the first cut goes on when more has come: it repeats a batch whose rows are committed, beside newer
    ones. In the first, gold is made before it is known who is a robot, so the second must take robots out again: also where
    nothing else changes. Tests leave the lake as it is, or equal to it.
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
    for job, commit in WRITERS.items():
        if commit and job in AT_ONCE:
            crash_after_commit(spark, settings, job, *commit)
        elif job != "build_user_agents":
            run(spark, settings, job, many=True)
    assert {row.item_id for row in path.rows(settings, "gold.item_daily")} > {"crawled"}
    publish(settings, events[len(events) // 2 :])
    for job, commit in WRITERS.items():
        if commit and job not in AT_ONCE:
            crash_after_commit(spark, settings, job, *commit)
        run(spark, settings, job)
    return settings, events


def test_a_batch_that_is_run_again_commits_nothing_more(streamed: Streamed) -> None:
    made = {job: batches(streamed[0], commit[1]) for job, commit in WRITERS.items() if commit}
    assert made == {job: sorted({*numbers}) for job, numbers in made.items()}
    assert {job: made[job] for job in AT_ONCE} == {job: [0, 1] for job in AT_ONCE}


def test_cuts_and_crashes_between_commit_and_checkpoint_give_the_tables_of_the_oracle(streamed: Streamed) -> None:
    assert list(WRITERS) == [job.name for job in catalog.JOBS]
    path.assert_equals_oracle(*streamed)


@pytest.mark.stress
def test_what_was_served_is_the_same_by_plans_for_few_rows_and_for_many(spark: SparkSession, tmp_path: Path) -> None:
    """In five cuts of three histories, each by either."""
    for seed in range(3):
        settings, events = load(tmp_path / str(seed), profile="test", environ={}), [*answers(seed, 60), *clicks(seed)]
        settings.lake.prepare()
        random.Random(seed).shuffle(events)
        for cut in range(5):
            publish(settings, events[cut::5])
            for job in ("ingest_events", "build_events", "build_sessions"):
                path.run_jobs(spark, settings, [job])
            run(spark, settings, "build_served_items", many=(cut + seed) % 2 == 0)
        path.assert_silver_equals_oracle(settings, [event for cut in range(5) for event in events[cut::5]])


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
    names = ("bronze.events", "silver.events", "silver.quarantine", *DERIVED)
    read = (tables.read(spark, settings.lake, catalog.table(name)).select(F.lit(name).alias("table")) for name in names)
    counts = dict(Counter(row.table for row in reduce(DataFrame.union, read).collect()))
    for name in names:
        table = catalog.table(name)
        dataset = DeltaTable(settings.lake.table(name)).to_pyarrow_dataset()
        assert dataset.schema.names == list(table.column_names)
        for field in dataset.schema:
            assert str(field.type).startswith(ARROW[table.column(field.name).type.split("<")[0]]), (
                f"{name}.{field.name}"
            )
        assert duckdb.from_arrow(dataset).count("*").fetchall() == [(counts.get(name, 0),)]


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

"""Stream equals batch: any order, any cut, duplicates, restarts and crashes give the tables of the oracle."""

import random
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from nextclick import formats
from nextclick.contracts import catalog, silver_imported
from nextclick.contracts.table import Layer
from nextclick.errors import LakeError
from nextclick.lake import delta
from nextclick.reconciliation import reconcile
from nextclick.settings import Settings, load
from spark_jobs import tables
from spark_jobs.moves import DERIVED as MADE_ANEW
from spark_jobs.run_jobs import REBUILDS
from spark_jobs.streaming import forget
from tests.conftest import LAKE
from tests.spark import path
from tests.spark.conftest import MINUTE, RECEIVED, publish
from tests.spark.cuts import AT_ONCE, WRITERS, batches, first_cut, run, second_cut, third_cut
from tests.spark.histories import ROBOT, answers, clicks
from tests.spark.sites import ARRIVED, costs, extremes, moves, orders, visits

pytestmark = pytest.mark.spark

GOLD = tuple(name for job in catalog.JOBS if job.layer is Layer.GOLD for name in job.writes)
SILVER = tuple(name for job in catalog.JOBS if "silver.events" in job.reads for name in job.writes if name not in GOLD)
DERIVED = (*SILVER, *GOLD)


class World(NamedTuple):
    """A lake that was built in two cuts, with a crash of each job."""

    settings: Settings
    first: Settings
    """A copy, as it was after the first cut."""
    followed: list[dict[str, Any]]
    """What was landed that the oracle follows, in the order of its arrival."""


def settings_of(folder: Path) -> Settings:
    """The history that the oracle follows is of a zone whose days begin at 18:30 UTC; the sites beside it name what they need."""
    zone = {"NEXTCLICK_ANALYTICS__TIMEZONE": "Asia/Kolkata"}
    settings = load(folder / LAKE, profile="test", environ=zone)
    goals = settings.analytics.goals | visits.GOALS
    analytics = msgspec.structs.replace(settings.analytics, timezones=visits.ZONES, goals=goals)
    return msgspec.structs.replace(settings, analytics=analytics)


def copied(settings: Settings, folder: Path) -> Settings:
    shutil.copytree(settings.lake.root, folder / LAKE)
    return settings_of(folder)


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A job that crashed in the first cut goes on when more has come: it repeats a batch whose rows are committed, beside newer
    ones. In the first, gold is made before it is known who is a robot, so the second must take robots out again: also where
    nothing else changes. Tests leave the lake as it is, or equal to it.
    """
    settings = settings_of(tmp_path_factory.mktemp("world"))
    settings.lake.prepare()
    tables.ensure(spark, settings, silver_imported.COSTS)
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
    publish(settings, [*orders.FIRST, *visits.FIRST, *moves.FIRST], received=ARRIVED)
    costs.bring(settings, costs.FIRST)
    first_cut(spark, settings)
    first = copied(settings, tmp_path_factory.mktemp("first"))
    publish(settings, events[len(events) // 2 :])
    publish(settings, [*orders.SECOND, *visits.SECOND], received=ARRIVED)
    costs.bring(settings, costs.SECOND)
    second_cut(spark, settings)
    return World(settings, first, events)


@pytest.fixture(scope="module")
def grown(spark: SparkSession, world: World, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy, in which some sites went on in a third cut, and 10,000 extreme events came."""
    settings = copied(world.settings, tmp_path_factory.mktemp("grown"))
    publish(settings, [*orders.THIRD, *visits.THIRD], received=ARRIVED)
    extremes.land(settings)
    third_cut(spark, settings)
    return settings


def test_a_batch_that_is_run_again_commits_nothing_more(world: World) -> None:
    made = {job: batches(world.settings, commit[1]) for job, commit in WRITERS.items() if commit}
    assert made == {job: sorted({*numbers}) for job, numbers in made.items()}
    assert {job: made[job] for job in AT_ONCE} == {job: [0, 1] for job in AT_ONCE}


def test_cuts_and_crashes_between_commit_and_checkpoint_give_the_tables_of_the_oracle(world: World) -> None:
    assert list(WRITERS) == [job.name for job in catalog.JOBS]
    assert {row.item_id for row in path.rows(world.first, "gold.item_daily", path.SITE)} > {"crawled"}
    path.assert_equals_oracle(world.settings, world.followed)


def test_an_order_counts_once_at_its_first_send_even_if_that_comes_later(world: World, grown: Settings) -> None:
    orders.assert_first(world.first)
    orders.assert_second(world.settings)
    orders.assert_third(grown)


def test_late_visits_orders_and_bots_change_what_was_counted(world: World, grown: Settings) -> None:
    """By plans for few rows, and by those for many."""
    visits.assert_first(world.first)
    visits.assert_late_came(world.settings, visits.SITE)
    visits.assert_late_came(grown, visits.SITE_OF_THIRD)


def test_days_of_campaigns_follow_visits_and_costs_that_came_changed_or_went(world: World) -> None:
    costs.assert_first(world.first)
    costs.assert_second(world.settings)


def test_each_column_at_its_limits_goes_through_every_table_and_leaves_other_sites_as_they_were(
    world: World, grown: Settings
) -> None:
    extremes.assert_went_through(grown)
    for table in DERIVED:
        for site in (path.SITE, visits.SITE) if "site" in catalog.table(table).column_names else ():
            assert path.digest(grown, table, site) == path.digest(world.settings, table, site), f"{table} of {site}"


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


def test_a_run_with_nothing_new_commits_nothing(spark: SparkSession, world: World) -> None:
    settings = world.settings
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


def test_published_tables_open_in_other_readers_with_the_contracts_types(world: World) -> None:
    settings = world.settings
    names = ("bronze.events", "silver.events", "silver.quarantine", *DERIVED)
    for name in names:
        table = catalog.table(name)
        opened = DeltaTable(settings.lake.table(name))
        written = pa.table(opened.get_add_actions(flatten=True))["num_records"]
        dataset = opened.to_pyarrow_dataset()
        assert dataset.schema.names == list(table.column_names)
        for field in dataset.schema:
            assert str(field.type).startswith(ARROW[table.column(field.name).type.split("<")[0]]), (
                f"{name}.{field.name}"
            )
        assert duckdb.from_arrow(dataset).count("*").fetchall() == [(sum(written.to_pylist()),)], (
            f"as many as {name}'s writers say"
        )


def damage(content: bytes, how: str) -> bytes:
    """A file's content after a bit flip in its middle, or cut there."""
    middle = len(content) // 2
    return content[:middle] + (bytes([content[middle] ^ 1]) + content[middle + 1 :] if how == "flipped" else b"")


def test_a_damaged_or_lost_checkpoint_fails_loudly(spark: SparkSession, world: World, tmp_path: Path) -> None:
    settings = copied(world.settings, tmp_path)
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
    assert path.versions(settings) == path.versions(world.settings)


def test_a_rebuild_gives_the_same_tables_without_what_was_moved_which_comes_back_by_replay(
    spark: SparkSession, world: World, tmp_path: Path
) -> None:
    """All tables but silver.events are rebuilt after a move, visits by plans for many rows; then silver.events."""
    settings, before = copied(world.settings, tmp_path), reconcile(world.settings)
    moves.take_out(settings)
    assert {"build_events", *MADE_ANEW} == {*REBUILDS["silver"]}
    for job in MADE_ANEW:
        run(spark, settings, job, many=job == "build_visits")
    moves.assert_gone(settings, before)
    assert_same(settings, world.settings, DERIVED)
    for table in DERIVED:
        folders = delta.require(settings.lake, table).metadata().partition_columns
        assert tuple(folders) == catalog.table(table).partitioned_by

    publish(settings, moves.SENT_AGAIN)
    forget(settings, "build_events")
    path.run_jobs(spark, settings, ("ingest_events", "build_events"))
    moves.assert_kept_out(settings, before)
    assert_same(settings, world.settings, ("silver.events",))

    moves.let_in(settings)
    path.run_jobs(spark, settings, ("ingest_events", "build_events", "build_sessions"))
    moves.assert_back(settings)
    forget(settings, "build_events")
    path.run_jobs(spark, settings, ["build_events"])
    moves.assert_back_for_good(settings, before)


def assert_same(settings: Settings, others: Settings, names: Iterable[str]) -> None:
    """These tables hold the same, but for what moves."""

    def held(of: Settings, table: str) -> Counter[str]:
        return path.digest_of([row for row in path.rows(of, table) if row.asDict().get("site") != moves.SITE])

    for table in names:
        assert held(settings, table) == held(others, table), table


def test_other_settings_or_a_newer_format_are_refused_before_a_row_is_written(
    spark: SparkSession, world: World
) -> None:
    settings = world.settings
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


def test_the_rebuild_that_was_named_makes_every_row_with_the_new_setting(spark: SparkSession, world: World) -> None:
    settings = world.settings
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

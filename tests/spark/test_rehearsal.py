"""Before its first batch a stream makes the plans of one without rows, and the first rows find them made."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts import catalog
from nextclick.settings import Settings
from spark_jobs import jobs, streaming, tables
from spark_jobs.jobs import build_events, ingest_events
from spark_jobs.plans import held
from spark_jobs.plans.prepared import Prepared
from spark_jobs.run_jobs import job
from spark_jobs.streaming import Trigger
from tests import wait
from tests.spark import path
from tests.spark.conftest import Land, new_events

pytestmark = pytest.mark.spark


@pytest.fixture
def unlike_others(settings: Settings) -> Settings:
    """Settings for which no other test has made plans."""
    sessions = structs.replace(settings.sessions, gap_minutes=29)
    return structs.replace(settings, site="rehearsed", sessions=sessions)


def test_each_plan_of_the_first_rows_was_made_without_rows_and_nothing_was_written_of_none(
    spark: SparkSession, unlike_others: Settings, land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[Prepared, list[bool]] = {}
    plan = Prepared._planned

    def planned(step: Prepared, inputs: Sequence[DataFrame], *more: Any) -> Any:
        made.setdefault(step, []).append(all(rows.isEmpty() for rows in inputs))
        return plan(step, inputs, *more)

    monkeypatch.setattr(Prepared, "_planned", planned)
    event = new_events()
    land([event(minute) for minute in (0, 10, 60)])
    ingest_events.run(spark, unlike_others)
    for name in jobs.REHEARSED:
        stream_until_written(spark, unlike_others, name)
    assert made
    assert all(rows == [True] for rows in made.values()), "once each, of no rows"
    assert tables.version(unlike_others.lake, catalog.table("silver.events")) == 1
    assert sorted(row.events for row in path.rows(unlike_others, "silver.sessions")) == [1, 2]


def test_a_stream_that_is_stopped_while_its_plans_are_made_waits_for_none_of_them(
    spark: SparkSession, settings: Settings, land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()

    @contextmanager
    def without_rows(like: DataFrame) -> Iterator[DataFrame]:
        never.wait(120)
        yield like

    monkeypatch.setattr(held, "without_rows", without_rows)
    land([new_events()(0)])
    ingest_events.run(spark, settings)
    thread = threading.Thread(target=build_events.run, args=(spark, settings, Trigger.CONTINUOUS))
    thread.start()
    wait.wait_until(Path(settings.lake.checkpoint("build_events"), "offsets", "0").exists, seconds=60, every=0.1)
    monkeypatch.setattr(streaming._TO_SILVER, "stopped", True)
    thread.join(60)
    assert not thread.is_alive()
    assert tables.version(settings.lake, catalog.table("silver.events")) == 0, "left to the next start"
    never.set()


def stream_until_written(spark: SparkSession, settings: Settings, name: str) -> None:
    """Run the job as `nextclick stream` does, until its first table has a commit of rows."""
    [target, *_] = (table for table in catalog.TABLES if table.job == name)
    thread = threading.Thread(target=job(name), args=(spark, settings, Trigger.CONTINUOUS))
    thread.start()
    wait.wait_until(lambda: tables.version(settings.lake, target) > 0 or not thread.is_alive(), seconds=60, every=0.1)
    for query in spark.streams.active:
        query.stop()
    thread.join()

"""The job's ways to write the sessions that a batch touches."""

import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyspark.sql import SparkSession

from nextclick.contracts import silver
from nextclick.lake import delta
from nextclick.settings import Settings, load
from spark_jobs import tables
from spark_jobs.jobs import build_sessions
from spark_jobs.plans import held
from spark_jobs.transforms.silver.sessionize import as_sessions, event_intervals, merge_intervals
from tests.conftest import LAKE
from tests.spark import path
from tests.table_rows import NOON, arrow, write

pytestmark = pytest.mark.spark


def view(visitor: str, minute: int) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    times = dict.fromkeys(("client_time", "occurred_at", "received_at"), at)
    return {"event": "page_view", "event_id": f"{visitor}{minute}", "visitor_id": visitor, "site": "default", **times}


FIRST = [view("a", 0), view("a", 50), view("b", 0), view("c", 0)]
SECOND = [view("a", 25), view("b", 10), view("d", 0)]
"""One event joins two sessions into one, one makes a session longer, one opens one; that of `c` is not touched."""


Lake = tuple[Path, Counter[str]]


@pytest.fixture(scope="module")
def first(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the sessions of FIRST, for copies; and what one pass over all events gives."""
    settings = load(tmp_path_factory.mktemp("first") / "lake", profile="test", environ={})
    settings.lake.prepare()
    write(settings.lake, "silver.events", FIRST)
    build_sessions.run(spark, settings)
    events = tables.local(spark, silver.EVENTS, arrow("silver.events", [*FIRST, *SECOND]))
    merged = events.transform(event_intervals).transform(merge_intervals(settings.sessions))
    sessions = merged.transform(as_sessions(settings.sessions.overlong)).select(*silver.SESSIONS.column_names)
    return settings.lake.root, path.digest_of(sessions.collect())


@pytest.mark.parametrize(
    ("few_bytes", "limits", "written"),
    [
        (-1, {"_FEW": 0, "MOST_EXCHANGED": 0}, ("MERGE", "Apache-Spark")),
        (-1, {"_FEW": 0}, ("WRITE", "Apache-Spark")),
        (-1, {}, ("WRITE", "delta-rs")),
        (1 << 20, {}, ("WRITE", "delta-rs")),
    ],
)
def test_touched_sessions_become_what_one_pass_over_all_events_gives(
    spark: SparkSession,
    first: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    few_bytes: int,
    limits: dict[str, int],
    written: tuple[str, str],
) -> None:
    """Many are merged by Spark, fewer exchanged, and few exchanged by deltalake; of a small batch they are looked up first."""
    monkeypatch.setattr(held, "_FEW_BYTES", few_bytes)
    for name, limit in limits.items():
        monkeypatch.setattr(tables, name, limit)
    settings = load(shutil.copytree(first[0], tmp_path / LAKE), profile="test", environ={})
    write(settings.lake, "silver.events", SECOND)
    build_sessions.run(spark, settings)
    commit = next(delta.history(settings.lake, "silver.sessions", delta.require(settings.lake, "silver.sessions")))
    operation, engine = written
    assert commit["operation"] == operation
    assert commit["engineInfo"].startswith(engine)
    sessions = path.rows(settings, "silver.sessions")
    assert {(row.visitor_id, row.events) for row in sessions} == {("a", 3), ("b", 2), ("c", 1), ("d", 1)}
    assert path.digest_of(sessions) == first[1]


def test_a_batch_finds_the_sessions_that_the_longest_gap_of_a_site_reaches(
    spark: SparkSession, settings: Settings
) -> None:
    own = msgspec.structs.replace(settings.sessions, gaps={"shop": 90})
    settings = msgspec.structs.replace(settings, sessions=own)
    for minute in (0, 85):
        views = [view(site, minute) | {"site": site, "event_id": f"{site}{minute}"} for site in ("default", "shop")]
        write(settings.lake, "silver.events", views)
        build_sessions.run(spark, settings)
    sessions = path.rows(settings, "silver.sessions")
    assert sorted((row.site, row.events) for row in sessions) == [("default", 1), ("default", 1), ("shop", 2)]

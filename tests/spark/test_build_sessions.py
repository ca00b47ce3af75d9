"""The job's ways to write the sessions that a batch touches."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from pyspark.sql import SparkSession

from nextclick.contracts import silver
from nextclick.lake import delta
from nextclick.settings import Settings
from spark_jobs import held, tables
from spark_jobs.jobs import build_sessions
from spark_jobs.transforms.silver.sessionize import as_sessions, event_intervals, merge_intervals
from tests.spark import path
from tests.table_rows import NOON, write

pytestmark = pytest.mark.spark


def view(visitor: str, minute: int) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    times = dict.fromkeys(("client_time", "occurred_at", "received_at"), at)
    return {"event": "page_view", "event_id": f"{visitor}{minute}", "visitor_id": visitor, "site": "default", **times}


FIRST = [view("a", 0), view("a", 50), view("b", 0), view("c", 0)]
SECOND = [view("a", 25), view("b", 10), view("d", 0)]
"""One event joins two sessions into one, one makes a session longer, one opens one; that of `c` is not touched."""


@pytest.mark.parametrize(
    ("few_bytes", "limits", "written"),
    [
        (-1, {"_FEW": 0, "_NAMED": 0}, ("MERGE", "Apache-Spark")),
        (-1, {"_FEW": 0}, ("WRITE", "Apache-Spark")),
        (-1, {}, ("WRITE", "delta-rs")),
        (1 << 20, {}, ("WRITE", "delta-rs")),
    ],
)
def test_touched_sessions_become_what_one_pass_over_all_events_gives(
    spark: SparkSession,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    few_bytes: int,
    limits: dict[str, int],
    written: tuple[str, str],
) -> None:
    """Many are merged by Spark, fewer exchanged, and few exchanged by deltalake; of a small batch they are looked up first."""
    monkeypatch.setattr(held, "_FEW_BYTES", few_bytes)
    for name, limit in limits.items():
        monkeypatch.setattr(tables, name, limit)
    for cut in (FIRST, SECOND):
        write(settings.lake, "silver.events", cut)
        build_sessions.run(spark, settings)
    commit = next(delta.history(settings.lake, "silver.sessions", delta.require(settings.lake, "silver.sessions")))
    operation, engine = written
    assert commit["operation"] == operation
    assert commit["engineInfo"].startswith(engine)
    sessions = path.rows(settings, "silver.sessions")
    assert {(row.visitor_id, row.events) for row in sessions} == {("a", 3), ("b", 2), ("c", 1), ("d", 1)}
    intervals = tables.read(spark, settings.lake, silver.EVENTS).transform(event_intervals)
    merged = intervals.transform(merge_intervals(settings.sessions))
    assert path.digest_of(sessions) == path.digest_of(
        merged.transform(as_sessions(settings.sessions.overlong)).select(*silver.SESSIONS.column_names).collect()
    )


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

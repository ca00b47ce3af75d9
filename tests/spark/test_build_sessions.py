"""The job's second way to write the sessions that a batch touches."""

from datetime import timedelta
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from nextclick.settings import Settings
from spark_jobs.jobs import build_sessions
from tests.rows import NOON, write
from tests.spark import path

pytestmark = pytest.mark.spark


def view(visitor: str, minute: int) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    times = dict.fromkeys(("client_time", "occurred_at", "received_at"), at)
    return {"event": "page_view", "event_id": f"{visitor}{minute}", "visitor_id": visitor, "site": "default", **times}


FIRST = [view("a", 0), view("a", 50), view("b", 0), view("c", 0)]
SECOND = [view("a", 25), view("b", 10), view("d", 0)]
"""One event joins two sessions into one, one makes a session longer, one opens one; that of `c` is not touched."""


def test_many_touched_sessions_are_merged(
    spark: SparkSession, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few are exchanged: tests/spark/test_path.py compares that way with the oracle."""
    monkeypatch.setattr(build_sessions, "FEW", 0)
    for cut in (FIRST, SECOND):
        write(settings.lake, "silver.events", cut)
        build_sessions.run(spark, settings)
    (commit,) = DeltaTable(settings.lake.table("silver.sessions")).history(1)
    assert commit["operation"] == "MERGE"
    sessions = {
        (row.visitor_id, row.started_at.minute, row.events) for row in path.rows(spark, settings, "silver.sessions")
    }
    assert sessions == {("a", 0, 3), ("b", 0, 2), ("c", 0, 1), ("d", 0, 1)}

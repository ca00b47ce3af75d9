"""A lake made with other settings, or by a newer nextclick, is refused before a row is written; the rebuild that is named brings it up."""

from pathlib import Path

import msgspec
import pytest
from pyspark.sql import SparkSession

from nextclick import formats
from nextclick.errors import LakeError
from nextclick.lake import delta
from nextclick.settings import Settings
from spark_jobs import run_jobs
from tests.spark import path
from tests.spark.conftest import new_events, publish

pytestmark = pytest.mark.spark

JOBS = ("ingest_events", "build_events", "build_sessions")


def sessions(spark: SparkSession, settings: Settings) -> list[int]:
    """Events of each session, in order."""
    return [
        row["events"]
        for row in sorted(path.rows(spark, settings, "silver.sessions"), key=lambda row: row["started_at"])
    ]


def test_another_gap_asks_for_the_rebuild_which_makes_all_sessions_with_it(
    spark: SparkSession, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = new_events()
    events = [event(40 * number) for number in range(3)]
    publish(settings, events[:2])
    path.run_jobs(spark, settings, JOBS)
    longer = msgspec.structs.replace(settings, sessions=msgspec.structs.replace(settings.sessions, gap_minutes=60))
    publish(settings, events[2:])
    path.run_jobs(spark, longer, JOBS[:2])
    version = delta.require(settings.lake, "silver.sessions").version()
    with pytest.raises(LakeError, match=r"silver.sessions were made with other settings.*`nextclick rebuild silver`"):
        path.run_jobs(spark, longer, ["build_sessions"])
    assert delta.require(settings.lake, "silver.sessions").version() == version, "nothing was written"
    path.run_jobs(spark, settings, ["build_sessions"])
    assert sessions(spark, settings) == [1, 1, 1], "the former value goes on"

    monkeypatch.setitem(run_jobs.REBUILDS, "silver", JOBS[1:])
    assert len(list(run_jobs.rebuild(longer, "silver"))) == 2
    assert sessions(spark, longer) == [3]
    with pytest.raises(LakeError, match="nextclick rebuild silver"):
        path.run_jobs(spark, settings, ["build_sessions"])


def test_what_a_newer_nextclick_made_is_refused(spark: SparkSession, settings: Settings) -> None:
    publish(settings, [new_events()()])
    path.run_jobs(spark, settings, JOBS)
    mark = Path(settings.lake.checkpoint("build_sessions"), formats.CHECKPOINT_FILE)
    mark.write_text('{"format": 99}')
    with pytest.raises(LakeError, match=r"checkpoint .*build_sessions has format 99"):
        path.run_jobs(spark, settings, ["build_sessions"])
    mark.write_text('{"format": 1}')
    events = delta.require(settings.lake, "silver.events")
    events.alter.set_table_properties({formats.FORMAT_PROPERTY: "99"}, raise_if_not_exists=False)
    with pytest.raises(LakeError, match=r"table silver\.events has format 99"):
        path.run_jobs(spark, settings, ["build_sessions"])

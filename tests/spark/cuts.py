"""One batch of each job: how it commits, how it crashes between that commit and the checkpoint's, and by which plans it works."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from nextclick.contracts.table import Table
from nextclick.errors import LakeError
from nextclick.lake.paths import Lake
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.jobs import build_visits
from spark_jobs.plans import held
from tests.spark import path


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

AT_ONCE = ("ingest_events", "build_events", "build_identities", "build_items", "build_campaign_daily")
"""Jobs that crash in their first batch, which they write as every other; the others crash in their second."""

BY_SPARK = ("build_items", "build_served_items")
"""Jobs that write by Spark's plans in the first two cuts, which are for many rows."""

FOR_MANY = (
    (tables, "_FEW", 0),
    (held, "_FEW_BYTES", -1),
    (tables, "_HELD_ROWS", -1),
    (build_visits, "_FEW", 0),
    (build_visits, "_FEW_VISITORS", 0),
)
"""Where it is said how many rows are few, and the number by which none are."""


def run(spark: SparkSession, settings: Settings, job: str, many: bool = False) -> None:
    """A job of BY_SPARK writes by Spark; `many`: the job takes its rows for many."""
    with pytest.MonkeyPatch.context() as patch:
        for where in FOR_MANY if many else FOR_MANY[: job in BY_SPARK]:
            patch.setattr(*where)
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


def first_cut(spark: SparkSession, settings: Settings) -> None:
    """Who is a robot stays unknown, and a job that crashes leaves the rest of its work to the next cut."""
    for job, commit in WRITERS.items():
        if commit and job in AT_ONCE:
            crash_after_commit(spark, settings, job, *commit)
        elif job != "build_user_agents":
            run(spark, settings, job, many=job in BY_SPARK)


def second_cut(spark: SparkSession, settings: Settings) -> None:
    for job, commit in WRITERS.items():
        if commit and job not in AT_ONCE:
            crash_after_commit(spark, settings, job, *commit)
        run(spark, settings, job)


def third_cut(spark: SparkSession, settings: Settings) -> None:
    """By plans for few rows, but for visits: those for many take what is there already."""
    *before, _, last = WRITERS
    path.run_jobs(spark, settings, before)
    run(spark, settings, "build_visits", many=True)
    path.run_jobs(spark, settings, [last])

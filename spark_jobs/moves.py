"""`nextclick quarantine move`: events of silver that a person takes out, and what was made of them anew."""

import uuid
from collections.abc import Sequence
from typing import Final

import msgspec
import pyarrow.compute as pc
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nextclick.contracts import bronze, silver
from nextclick.contracts.catalog import JOBS
from nextclick.errors import UsageError
from nextclick.lake import delta, locks
from nextclick.lake.paths import Lake
from nextclick.settings import Settings
from spark_jobs import jobs, tables
from spark_jobs.session import open_session
from spark_jobs.streaming import forget
from spark_jobs.tables import WriteIdentity
from spark_jobs.transforms.silver.quarantine import moved

_KEEPS: Final = "build_events"
"""It goes on where it was: what it would take again is known to be moved."""
DERIVED: Final = tuple(name for name in (*jobs.SILVER, *jobs.GOLD) if name != _KEEPS)


class MoveReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken out of silver.events, or would be."""

    events: int
    visitors: int
    """Visitors whose events they are."""
    first_at: str | None
    last_at: str | None
    made_anew: tuple[str, ...] = ()
    """Tables that the next `nextclick run` makes anew without them."""


def move(
    settings: Settings, ids: Sequence[str], where: str | None, by: str, why: str, dry_run: bool = False
) -> MoveReport:
    """Move the events with these ids, or those that the SQL condition selects, to silver.quarantine.

    Their rows there come first, then they leave silver.events: a call that was cut off is made again. UsageError for a condition that
    cannot be read, LakeError where another process writes.
    """
    settings.lake.prepare()
    spark, lake = open_session(settings, "nextclick quarantine move"), settings.lake
    targets = [name for job in JOBS if job.name in (*DERIVED, _KEEPS) for name in job.writes]
    with locks.hold(lake.locks, *dict.fromkeys(targets), purpose="nextclick quarantine move"):
        events = tables.read(spark, lake, silver.EVENTS)
        chosen = _chosen(events, ids, where).localCheckpoint()
        count, visitors, first, last = chosen.agg(
            F.count("*"), F.count_distinct("site", "visitor_id"), F.min("occurred_at"), F.max("occurred_at")
        ).collect()[0]
        report = MoveReport(
            events=count,
            visitors=visitors,
            first_at=first and f"{first:%Y-%m-%d %H:%M:%S}",
            last_at=last and f"{last:%Y-%m-%d %H:%M:%S}",
        )
        if dry_run or not count:
            return report
        call = f"quarantine_move/{uuid.uuid4().hex}"
        known = tables.read(spark, lake, silver.QUARANTINE).where("origin = 'operator'")
        rows = chosen.transform(moved(tables.read(spark, lake, bronze.EVENTS), by, why)).join(known, "seq", "left_anti")
        tables.append(rows, lake, silver.QUARANTINE, WriteIdentity(f"{call}/in", 0))
        tables.merge(chosen.withColumn("_delete", F.lit(True)), lake, silver.EVENTS, WriteIdentity(f"{call}/out", 0))
        for name in DERIVED:
            forget(settings, name)
    anew = tuple(name for name in dict.fromkeys(targets) if name not in (silver.EVENTS.name, silver.QUARANTINE.name))
    return msgspec.structs.replace(report, made_anew=anew)


def any_moved(lake: Lake) -> bool:
    """Whether an event stays out of silver.events: told in milliseconds, without Spark."""
    table = delta.open_table(lake, silver.QUARANTINE.name)
    moved = (pc.field("origin") == "operator") & (pc.field("reason") == silver.MOVED)
    return table is not None and bool(table.to_pyarrow_dataset().head(1, columns=["seq"], filter=moved).num_rows)


def _chosen(events: DataFrame, ids: Sequence[str], where: str | None) -> DataFrame:
    if where is None:
        return events.where(F.col("event_id").isin(*ids))
    try:
        return events.where(where)
    except AnalysisException as error:
        reason = str(error).partition("\n")[0].partition(" SQLSTATE")[0]
        raise UsageError(
            f"--where is no condition on silver.events: {reason} docs/dataflow.md has its columns."
        ) from error

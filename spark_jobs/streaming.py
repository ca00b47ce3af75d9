"""One streaming query a job: its checkpoint, its trigger, its locks, and what it did.

`run_query` blocks until the query ends: at the end of what there is (available now),
or never (`nextclick stream`, which runs each job in a thread of one process).
"""

import gc
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from nextclick import formats
from nextclick.contracts import catalog
from nextclick.contracts.table import Table
from nextclick.errors import LakeError
from nextclick.lake import checkpoints, commits, delta, files, locks
from nextclick.report import JobReport
from nextclick.settings import Settings
from spark_jobs import jobs, tables
from spark_jobs.always_on.turns import BatchTurns
from spark_jobs.checkpoints.damage import damaged, follow
from spark_jobs.plans import held
from spark_jobs.tables import WriteIdentity


class Trigger(Enum):
    """When micro-batches run."""

    AVAILABLE_NOW = "available_now"
    """Take everything there is, then end."""
    CONTINUOUS = "continuous"
    """As soon as something came, until stopped: streaming.trigger_seconds and later_seconds say how often a job looks."""


_TO_SILVER: Final = BatchTurns(("build_events",))
"""Of the jobs that bring what came to silver.events: one batch at a time, beside the next."""
_FROM_SILVER: Final = BatchTurns(jobs.PROMPT, at_once=max(1, (os.cpu_count() or 1) - 1))
"""Of those that follow silver.events."""

_GRACE_SECONDS: Final = 15
"""For batches that work when the stream shall stop: Spark's way to cut one off can end in an overflow of its stack (PROXY_ERROR)."""

_STOP_SECONDS: Final = 0.1
"""How often a batch that waits for its plans is asked whether it shall begin at all."""
_LOOK_SECONDS: Final = 5
"""How often a query that runs is asked whether its locks are still held."""

REBUILD_MARKER: Final = "rebuild"
"""A file in a fresh checkpoint that says: batch 0 replaces the table. It outlives a crash in between."""


@dataclass
class Counts:
    """What the batches of one run took in; what they wrote is read from the tables' history."""

    read: int = 0
    duplicate: int = 0


@dataclass(frozen=True)
class MicroBatch:
    """One micro-batch: its number in the checkpoint, and the identities of its writes."""

    job: str
    query: str
    id: int
    counts: Counts
    caches: ExitStack
    replaces: bool = False
    """The first batch of a rebuild: it takes everything there is, and its result replaces the table."""
    rehearsal: bool = False
    """It has no rows, and goes through what others do with theirs: for its plans."""

    def hold(self, rows: DataFrame, few: bool = False) -> DataFrame:
        """`rows` to the end of the batch, for what is read more than once; `few` are made at once, others when first read."""
        return held.here(rows) if few else self.caches.enter_context(held.cached(rows))

    def held_if_few(self, changed: DataFrame) -> DataFrame:
        """What the batch brings, for what reads it more than once: only few rows are quicker held than read again."""
        return held.here(changed) if held.are_few(changed) else changed

    def commit(self, purpose: str) -> WriteIdentity:
        """The identity of a write. Two writes of one batch need different purposes, or Delta skips the
        second; a new checkpoint starts at batch 0 again, so its query id is part of the identity."""
        return WriteIdentity(f"{self.job}/{purpose}/{self.query}", self.id)


Process = Callable[[DataFrame, MicroBatch], None]


def run_query(
    spark: SparkSession,
    settings: Settings,
    trigger: Trigger,
    job: str,
    targets: tuple[Table, ...],
    source: Callable[[SparkSession], DataFrame],
    process: Process,
) -> JobReport:
    """Run `process` on each micro-batch of `source` under the locks of `targets`."""
    started, counts = time.monotonic(), Counts()
    lake = settings.lake
    with ExitStack() as stack:
        require_locks = stack.enter_context(locks.hold(lake.locks, *(table.name for table in targets), purpose=job))
        checkpoint = lake.checkpoint(job)
        marker = f"{checkpoint}/{REBUILD_MARKER}"
        _refuse_lost_place(spark, settings, job, targets[0], checkpoint)
        if _is_ingest(job) and not lake.ships:
            follow(checkpoint, lake.root, _address(spark, lake.root))
        for table in (*targets, *(catalog.table(name) for target in targets for name in target.reads)):
            tables.ensure(spark, settings, table)
        rebuilds = files.exists(marker) and checkpoints.newest(checkpoint, "commits") is None
        for table in targets:
            tables.claim(settings, table, rebuilds)
        _mark(checkpoint)
        before = {table.name: tables.version(lake, table) for table in targets}

        rehearsed = threading.Event()

        def each_batch(rows: DataFrame, batch_id: int) -> None:
            while not rehearsed.wait(_STOP_SECONDS) and not _TO_SILVER.stopped:
                pass
            query = str(rows.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId"))
            with _turn(job, trigger):
                require_locks()
                with ExitStack() as caches:
                    replaces = batch_id == 0 and files.exists(marker)
                    held.expect(rows.sparkSession, held.are_few(rows))
                    process(rows, MicroBatch(job, query, batch_id, counts, caches, replaces))
                if (batch_id + 1) % settings.streaming.compact_batches == 0:
                    for table in targets:
                        commits.compact(lake, table)
            gc.collect()  # a frame that only a cycle of Python's holds keeps its plan, and what that broadcast, in the JVM

        writer = (
            source(spark).writeStream.queryName(job).option("checkpointLocation", checkpoint).foreachBatch(each_batch)
        )
        if trigger is Trigger.AVAILABLE_NOW:
            writer = writer.trigger(availableNow=True)
        else:
            prompt, later = settings.streaming.trigger_seconds, settings.streaming.later_seconds
            writer = writer.trigger(processingTime=f"{prompt if job in jobs.PROMPT else later} seconds")
        if trigger is Trigger.CONTINUOUS and job in jobs.REHEARSED:
            threading.Thread(target=_rehearse, args=(source(spark), job, process, rehearsed), daemon=True).start()
        else:
            rehearsed.set()
        try:
            _follow(writer.start(), require_locks)
        except StreamingQueryException as error:
            if not _TO_SILVER.stopped:  # else it was cut off, or told that no turn comes
                raise _explain(job, checkpoint, error) from error
        changed = {table.name: delta.rows_changed(lake, table.name, before[table.name]) for table in targets}
    rejected = changed.pop("silver.quarantine", 0) if len(changed) > 1 else 0
    return JobReport(
        job=job,
        read=counts.read,
        written=sum(changed.values()),
        rejected=rejected,
        duplicate=counts.duplicate,
        seconds=time.monotonic() - started,
    )


def _rehearse(source: DataFrame, job: str, process: Process, done: threading.Event) -> None:
    """A batch without rows, which writes none: it makes the plans that later ones ask again, while the first rows are on their way.

    What fails here fails in the first batch, which can say it.
    """
    with suppress(Exception), ExitStack() as caches, held.without_rows(source) as rows:
        process(rows, MicroBatch(job, "", 0, Counts(), caches, rehearsal=True))
    done.set()


def _follow(query: StreamingQuery, require_locks: locks.Require) -> None:
    """Wait for its end; a query whose locks are lost is stopped."""
    while not query.awaitTermination(_LOOK_SECONDS):
        try:
            require_locks()
        except LakeError:
            query.stop()
            raise


def _turn(job: str, trigger: Trigger) -> AbstractContextManager[None]:
    """What a batch waits for, where other queries run beside it until stopped."""
    if trigger is Trigger.AVAILABLE_NOW:
        return nullcontext()
    return (_TO_SILVER if job in (*jobs.INGEST, "build_events") else _FROM_SILVER).turn(job)


def _mark(checkpoint: str) -> None:
    """The checkpoint's format, beside Spark's own files; LakeError where a newer nextclick wrote it."""
    address = f"{checkpoint}/{formats.CHECKPOINT_FILE}"
    stored = files.read(address)
    if stored is None:
        files.write(address, msgspec.json.encode({"format": formats.CHECKPOINT}))
    else:
        formats.refuse_newer_json(f"The checkpoint {checkpoint}", stored, formats.CHECKPOINT, LakeError)


def _refuse_lost_place(spark: SparkSession, settings: Settings, job: str, table: Table, checkpoint: str) -> None:
    """Where the query would skip rows or read them again: an altered checkpoint, or none beside a table with rows."""
    if file := damaged(checkpoint):
        what = f"{file} is not what was written"
    elif _is_orphan(spark, settings, table, checkpoint):
        what = f"{table.name} has rows, but its checkpoint {checkpoint} is gone"
    else:
        return
    layer = "bronze" if _is_ingest(job) else table.layer
    raise LakeError(
        f"{job}: {what}, so where to go on is unknown. "
        f"Run `nextclick rebuild {layer}`, which recomputes it without loss or duplicates."
    )


def _address(spark: SparkSession, folder: Path) -> str:
    """As Hadoop writes it, which escapes other signs than Python does."""
    return str(cast(Any, spark)._jvm.org.apache.hadoop.fs.Path(f"file://{folder}").toUri())


def _is_ingest(job: str) -> bool:
    """Whether it reads what came, so that only a rebuild of bronze takes it back to its beginning."""
    return job.startswith("ingest_")


def _is_orphan(spark: SparkSession, settings: Settings, table: Table, checkpoint: str) -> bool:
    known = files.exists(f"{checkpoint}/metadata") or files.exists(f"{checkpoint}/{REBUILD_MARKER}")
    if known or not delta.exists(settings.lake, table.name):
        return False
    return not tables.read(spark, settings.lake, table).isEmpty()


def _explain(job: str, checkpoint: str, error: StreamingQueryException) -> LakeError:
    if _is_ingest(job) and "sources in the checkpoint" in str(error):
        return LakeError(
            f"{job}: streaming.source is another than when its checkpoint {checkpoint} was made. Set it back, "
            "or run `nextclick rebuild bronze`, which reads everything from the source that is set now; see docs/kafka.md."
        )
    return LakeError(
        f"{job} stopped: {_reason(error)}. Nothing is lost: call again to go on. If it stops at the same place again, "
        "see docs/jobs/recovery.md."
    )


def _reason(error: StreamingQueryException) -> str:
    """What was raised, which Spark buries in a traceback where a batch's own Python raised it; else Spark's first line."""
    text = str(error)
    raised = re.findall(r"Traceback \(most recent call last\):\n(?: .*\n)*(\S.*)", text)
    return (raised[-1] if raised else text.partition("\n")[0]).rstrip(".")


def forget(settings: Settings, job: str) -> None:
    """Start `job` anew at its next run, which then replaces its tables in one commit each."""
    checkpoint = settings.lake.checkpoint(job)
    files.remove(checkpoint)
    files.write(f"{checkpoint}/{REBUILD_MARKER}", b"")


def stop_all(spark: SparkSession) -> None:
    """End every query of this process: after its batch, or in it if that takes long; one that waits is left to the next start."""

    def stop() -> None:
        for seconds in (0, _GRACE_SECONDS):  # first nobody begins
            for turns in (_TO_SILVER, _FROM_SILVER):
                turns.stop(seconds)
        for query in spark.streams.active:
            threading.Thread(target=query.stop, daemon=True).start()

    spark.sparkContext.setLogLevel("OFF")  # of each that is cut off it would say a page
    threading.Thread(target=stop, daemon=True).start()  # a handler of a signal must not wait

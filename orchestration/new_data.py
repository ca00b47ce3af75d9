"""Whether a Spark job has anything new to read: asked of its checkpoint and its sources, without a JVM.

A job takes exactly what lies between its last committed batch and its sources' ends, so
where these meet, starting Spark would change nothing. Wherever the checkpoint does not
say so in plain words, the answer is that there is news, and Spark finds out itself.
"""

from pathlib import Path
from typing import Any

from nextclick.contracts import bronze
from nextclick.lake import checkpoints
from nextclick.lake.delta import open_table
from nextclick.lake.duck import connect, show
from nextclick.lake.paths import Lake
from nextclick.landing.reader import segments
from orchestration.pipeline import Step


def has_new_data(lake: Lake, job: Step) -> bool:
    """False if the job's last batch is committed and its sources hold nothing beyond it."""
    if job.waits_for and open_table(lake, job.writes[0]) is None:
        return _has_value(lake, *job.waits_for)
    offsets = _committed(lake.checkpoint(job.name))
    if offsets is None or any(open_table(lake, table) is None for table in job.writes):
        return True
    if job.reads:
        return _tables_moved(lake, job.reads, offsets)
    log = lake.log("landing" if bronze.EVENTS.name in job.writes else "quarantine")
    return _segments_came(log, lake.checkpoint(job.name), offsets)


def _has_value(lake: Lake, table: str, column: str) -> bool:
    """Whether a row of `table` has a value in `column`."""
    source = open_table(lake, table)
    if source is None:
        return False
    with connect(lake) as duck:
        show(duck, "rows", lake, table, source)
        return duck.execute(f"SELECT 1 FROM rows WHERE {column} IS NOT NULL LIMIT 1").fetchone() is not None


def _committed(checkpoint: str) -> list[dict[str, Any]] | None:
    """Where each source stood after the newest batch; nothing before the first; None if that batch is not done."""
    batch = checkpoints.newest(checkpoint, "offsets")
    if batch != checkpoints.newest(checkpoint, "commits"):
        return None
    return [] if batch is None else checkpoints.offsets(checkpoint, batch)


def _tables_moved(lake: Lake, sources: tuple[str, ...], offsets: list[dict[str, Any]]) -> bool:
    """Whether a Delta source has a version that its offset does not cover, or is another table than it was."""
    covered = checkpoints.covered(offsets)
    tables = [open_table(lake, name) for name in sources]
    return len(covered) != len(tables) or any(
        table is None or covered.get(str(table.metadata().id), -1) < table.version() for table in tables
    )


def _segments_came(log: str, checkpoint: str, offsets: list[dict[str, Any]]) -> bool:
    """Whether the log lists a segment that no committed batch has read."""
    end = int(offsets[0]["logOffset"]) if offsets else -1
    taken = {Path(entry["path"]).name for entry in checkpoints.listed(checkpoint) if entry["batchId"] <= end}
    return any(segment.name not in taken for segment in segments(log))

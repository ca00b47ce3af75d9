"""How long news waits for the job that takes it: by checkpoints and logs alone, no row is read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nextclick.contracts import catalog
from nextclick.contracts.bronze import EVENTS
from nextclick.contracts.table import Job
from nextclick.lake import checkpoints, delta
from nextclick.lake.paths import Lake
from nextclick.landing.reader import segments

_UPKEEP: Final = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES"})
"""Commits that bring no rows."""


def waiting_since(lake: Lake) -> dict[str, float | None]:
    """By table that a Spark job writes: when the oldest news came that its job has not taken, in seconds since 1970; None: none waits.

    What lies in Kafka alone is not known here.
    """
    since: dict[str, float | None] = {}
    for job in catalog.JOBS:
        times = [*_waiting(lake, job)]
        for table in job.writes:
            known = [*times, *([before] if (before := since.get(table)) is not None else [])]
            since[table] = min(known, default=None)
    return since


def _waiting(lake: Lake, job: Job) -> Iterator[float]:
    """For each source with news: when the first of it came."""
    checkpoint = lake.checkpoint(job.name)
    done = checkpoints.newest(checkpoint, "commits")
    offsets = [] if done is None else checkpoints.offsets(checkpoint, done)
    if job.reads:
        if job.waits_for and not delta.exists(lake, job.writes[0]):
            return  # there is nothing for it, as far as is known without reading rows
        covered = checkpoints.covered(offsets)
        for name in job.reads:
            if (came := _came(lake, name, covered)) is not None:
                yield came
        return
    end = offsets[0].get("logOffset", -1) if offsets else -1
    taken = {Path(entry["path"]).name for entry in checkpoints.listed(checkpoint) if entry["batchId"] <= end}
    log = lake.log("landing" if EVENTS.name in job.writes else "quarantine")
    for segment in segments(log):
        if segment.name not in taken and segment.bytes:
            yield segment.at


def _came(lake: Lake, name: str, covered: dict[str | None, int]) -> float | None:
    """When the first commit of a source came that brought rows and is not covered."""
    table = delta.open_table(lake, name)
    if table is None:
        return None
    for version in range(covered.get(str(table.metadata().id), -1) + 1, table.version() + 1):
        said = delta.commit(lake, name, version) or {}
        if "timestamp" in said and said.get("operation") not in _UPKEEP:
            return float(said["timestamp"]) / 1000
    return None

"""Spark's checkpoints as they lie: offsets/N tells where batch N ends, commits/N is there when it is done.

A file of offsets has a line for each source, after a version and a header. sources/0 names the files that a file source listed.
"""

import json
from typing import Any, Final

from nextclick.lake import files

_NOTHING: Final = b"-"


def newest(checkpoint: str, log: str) -> int | None:
    """The newest batch in `offsets` or `commits`; None before the first."""
    return max((int(name) for name in files.names(f"{checkpoint}/{log}") if name.isdigit()), default=None)


def offsets(checkpoint: str, batch: int) -> list[dict[str, Any]]:
    """Where each source stands after `batch`; nothing of one that had nothing yet, for which Spark writes a dash."""
    lines = (files.read(f"{checkpoint}/offsets/{batch}") or b"").splitlines()[2:]
    return [{} if line == _NOTHING else json.loads(line) for line in lines]


def covered(offsets: list[dict[str, Any]]) -> dict[str | None, int]:
    """By the id of a Delta source: its newest version that was read whole; an index below 0 lies before the first file of its version."""
    return {
        offset.get("reservoirId"): int(offset.get("reservoirVersion", -1)) - (offset.get("index", -1) < 0)
        for offset in offsets
    }


def listed(checkpoint: str) -> list[dict[str, Any]]:
    """The files that a file source has listed: `path`, and the `batchId` that took it."""
    logs = (
        files.read(f"{checkpoint}/sources/0/{name}") or b""
        for name in files.names(f"{checkpoint}/sources/0")
        if name[0].isdigit()
    )
    return [json.loads(line) for log in logs for line in log.splitlines()[1:]]

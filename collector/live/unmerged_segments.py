"""Which segments of the landing log the live profiles lack."""

import os
import time
from collections.abc import Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from nextclick.errors import LakeError
from nextclick.landing.reader import is_segment

_STAMP: Final = "%Y%m%dT%H%M%S%f"
_SETTLING_SECONDS: Final = 60.0
"""Segments named later than this ago may get a neighbour named earlier: their writers chose names at the same time."""
_DAY_MS: Final = 86_400_000


class Unmerged(NamedTuple):
    """What a look at the log found."""

    names: list[str]
    """Segments to merge, in order of creation."""
    settled: str
    """Once they are merged, all segments up to this name are, and none will be published before it; "": not known."""


def look(log: Path, upto: str, marked: Set[str], oldest: int, grace: float) -> Unmerged:
    """Segments after `upto` without a mark, except those with nothing newer than `oldest` (ms).

    Segments published less than `grace` seconds ago are left to the worker that wrote them.
    """
    try:
        now = time.time()
        start, first = _stamp(now - _SETTLING_SECONDS), _stamp((oldest - _DAY_MS) / 1000)
        open_ones = [name for hidden in log.glob(".*/") for name in os.listdir(hidden) if name.endswith(".log")]
        names = sorted(name for name in os.listdir(log) if name > upto and is_segment(name))
        # A segment is as old as its name says; its events came within the day, or its writer was killed meanwhile.
        missing = [name for name in names if name >= first and name not in marked]
        fresh = {name for name in missing if now - (log / name).stat().st_mtime < grace}
    except FileNotFoundError:
        return Unmerged([], "")
    except OSError as error:
        raise LakeError(f"The log {log} cannot be listed: {error.strerror}. Mend the lake's permissions.") from error
    end = min([start, *open_ones, *fresh])
    settled = max((name for name in names if name < end), default="")
    return Unmerged([name for name in missing if name not in fresh], settled)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(max(0.0, seconds), UTC).strftime(_STAMP)

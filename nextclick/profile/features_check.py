"""What the last `nextclick check features` found, for those who watch."""

import os
from datetime import datetime
from pathlib import Path

import msgspec

from nextclick.lake.paths import Lake


class FeaturesCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Live profiles compared, of visitors and people with an event in the days that are kept."""

    profiles: int
    differ: int
    share: float
    """differ / profiles; 0 where there are none."""
    named: list[str]
    """Some that differ: `visitor SITE ID` or `person SITE ID`."""
    checked_at: datetime


def write(lake: Lake, found: FeaturesCheck) -> None:
    """Replace the result before."""
    path = _path(lake)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(f".{os.getpid()}")
    aside.write_bytes(msgspec.json.encode(found))
    aside.replace(path)


def read(lake: Lake) -> FeaturesCheck | None:
    """The last result; None if nobody checked, or it cannot be read."""
    try:
        return msgspec.json.decode(_path(lake).read_bytes(), type=FeaturesCheck)
    except (OSError, msgspec.MsgspecError):
        return None


def _path(lake: Lake) -> Path:
    return lake.state / "features-check.json"

"""What the last `nextclick check features` found, for those who watch."""

from datetime import datetime

import msgspec

from nextclick.errors import StoreUnreachable
from nextclick.lake import files
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


def write(lake: Lake, result: FeaturesCheck) -> None:
    """Replace the result before."""
    files.write(_address(lake), msgspec.json.encode(result))


def read(lake: Lake) -> FeaturesCheck | None:
    """The last result; None if nobody checked, or it cannot be read."""
    try:
        return msgspec.json.decode(files.read(_address(lake)) or b"", type=FeaturesCheck)
    except (OSError, StoreUnreachable, msgspec.MsgspecError):
        return None


def _address(lake: Lake) -> str:
    return f"{lake.shared}/features-check.json"

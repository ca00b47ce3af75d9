"""Times as people write them in settings and options: a number and its unit."""

import re
from datetime import timedelta
from typing import Final

from nextclick.errors import UsageError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST: Final = 3_660 * 86_400


def duration(text: str) -> timedelta:
    """A number and its unit: s, m, h, d, w.

    >>> duration("90m")
    datetime.timedelta(seconds=5400)
    """
    read = re.fullmatch(r"(\d{1,9})([smhdw])", text.strip())
    seconds = int(read[1]) * _SECONDS[read[2]] if read else 0
    if not 0 < seconds <= _LONGEST:
        raise UsageError(
            f"{text!r} is no time: write a number and s, m, h, d or w, such as 30m, 12h or 7d; at most ten years."
        )
    return timedelta(seconds=seconds)

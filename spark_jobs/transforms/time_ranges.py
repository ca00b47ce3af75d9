"""A short condition that bounds times: what lets Delta skip the files that a batch cannot touch."""

from collections.abc import Iterable
from datetime import date
from typing import Final

MAX_RANGES: Final = 16
HOUR: Final = 3600


def time_ranges(hours: Iterable[int], start: str, end: str | None = None, margin_seconds: int = 0) -> str:
    """SQL that is true for every interval [start, end] within `margin_seconds` of one of `hours`.

    `hours` count from 1970 UTC; `end` is the column `start` itself for points in time.
    Neighbouring hours become one range; of more than MAX_RANGES the nearest are joined,
    so that one event that is a year late does not make the whole year be read.

    >>> time_ranges([0, 1], "t")
    '(t >= timestamp_seconds(0) AND t < timestamp_seconds(7200))'
    """
    end = end or start
    terms = (
        f"({end} >= timestamp_seconds({low}) AND {start} < timestamp_seconds({high}))"
        for low, high in spans(hours, margin_seconds)
    )
    return " OR ".join(terms) or "false"


def spans(hours: Iterable[int], margin_seconds: int = 0) -> list[tuple[int, int]]:
    """The ranges of `time_ranges`: their first second, and the first after them."""
    merged: list[tuple[int, int]] = []
    for hour in sorted(set(hours)):
        low, high = hour * HOUR - margin_seconds, (hour + 1) * HOUR + margin_seconds
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    while len(merged) > MAX_RANGES:
        nearest = min(range(len(merged) - 1), key=lambda index: merged[index + 1][0] - merged[index][1])
        merged[nearest : nearest + 2] = [(merged[nearest][0], merged[nearest + 1][1])]
    return merged


def among(days: Iterable[date], column: str) -> str:
    """SQL that is true where the date `column` is one of `days`."""
    names = ", ".join(f"DATE'{day}'" for day in sorted(set(days)))
    return f"{column} IN ({names})"

"""How many rejects are kept: nobody fills the disk with what is wrong."""

import time
from collections.abc import Callable
from typing import Final

from nextclick.settings import Collector

_SENDERS: Final = 1_000
"""Senders that have a budget of their own; those that come later share one."""


class RejectBudget:
    """Lets through of each sender `rejects_per_minute`, and `reject_bytes_per_minute`; a minute's worth may come at once.

    Of a sender that goes on above it, rejects are kept as the budget fills again: a sample.
    """

    def __init__(self, settings: Collector, now: Callable[[], float] = time.monotonic) -> None:
        self._most = float(settings.rejects_per_minute), float(settings.reject_bytes_per_minute)
        self._now = now
        self._left: dict[str, tuple[float, float, float]] = {}
        """Of each sender: rejects, bytes, and when that was counted."""

    def admits(self, sender: str, size: int) -> bool:
        """Count one reject of `size` bytes, if there is room for it."""
        sender = sender if sender in self._left or len(self._left) < _SENDERS else ""
        now, (most, most_bytes) = self._now(), self._most
        count, room, since = self._left.get(sender, (most, most_bytes, now))
        minutes = (now - since) / 60
        count, room = min(most, count + minutes * most), min(most_bytes, room + minutes * most_bytes)
        is_kept = count >= 1 and room >= size
        self._left[sender] = (count - 1, room - size, now) if is_kept else (count, room, now)
        return is_kept

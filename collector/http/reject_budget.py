"""How many rejects are kept: nobody fills the disk with what is wrong."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from zlib import crc32

from nextclick.settings import Collector
from nextclick.web.buckets import buckets

_SHARED: Final = 1_000
"""Budgets of senders that bring no write key that is known; which one is theirs depends on their address."""


class RejectBudget:
    """Lets through of each sender `rejects_per_minute`, and `reject_bytes_per_minute`; a minute's worth may come at once.

    Of a sender that goes on above it, rejects are kept as the budget fills again: a sample. Workers that are handed one
    `folder` count together.
    """

    def __init__(
        self, settings: Collector, now: Callable[[], float] = time.monotonic, folder: Path | None = None
    ) -> None:
        self._most = float(settings.rejects_per_minute), float(settings.reject_bytes_per_minute)
        self._now = now
        self._keys = frozenset(settings.write_keys)
        names = (*self._keys, *map(_anonymous, range(_SHARED)))
        self._buckets = buckets(
            folder and folder / "collector.rejects", (name for each in names for name in _both(each))
        )

    def admits(self, sender: str, size: int) -> bool:
        """Count one reject of `size` bytes, if there is room for it."""
        names = _both(sender if sender in self._keys else _anonymous(crc32(sender.encode()) % _SHARED))
        with self._buckets.alone(names[0]):
            now, left = self._now(), []
            for name, most in zip(names, self._most, strict=True):
                room, since = self._buckets.get(name, (most, now))
                left.append(min(most, room + (now - since) / 60 * most))
            is_kept = left[0] >= 1 and left[1] >= size
            for name, room, taken in zip(names, left, (1, size), strict=True):
                self._buckets[name] = room - taken * is_kept, now
        return is_kept


def _both(sender: str) -> tuple[str, str]:
    """The names of a sender's two budgets: of rejects, and of their bytes."""
    return f"{sender} rejects", f"{sender} bytes"


def _anonymous(number: int) -> str:
    return f"without a key {number}"

"""What goes wrong again and again is counted, and logged at most once a minute; of keys that were wrong, masked."""

import logging
import math
import time
from collections.abc import Callable
from typing import Final

_EVERY_SECONDS: Final = 60.0
_SHOWN: Final = 4
_log: Final = logging.getLogger("_granian.keys")


def masked(key: str) -> str:
    """A key as a log may show it: its first characters, where enough others are left to keep it.

    >>> masked("pk_shop_4711"), masked("short"), masked("")
    ("'pk_s…'", "'…'", 'none')
    """
    return f"{ascii(key[: _SHOWN if len(key) > 2 * _SHOWN else 0])[:-1]}…'" if key else "none"


class OncePerMinute:
    """Says when a line may go to the log: the first at once, then one a minute."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._count = 0
        self._next = -math.inf

    def count(self) -> int:
        """Count one; how many there were since the last line, itself among them, where another line may go, else 0."""
        self._count += 1
        if (now := self._now()) < self._next:
            return 0
        count, self._count, self._next = self._count, 0, now + _EVERY_SECONDS
        return count


class FailureLog:
    """Says that a key of the kind `what` failed: the first at once, those of the next minute in one line after it."""

    def __init__(self, what: str, now: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._lines = OncePerMinute(now)

    def count(self, shown: str) -> None:
        """Count one; `shown` is what of the key may stand in a log."""
        if count := self._lines.count():
            _log.warning("%d requests with a wrong %s, the newest: %s", count, self._what, shown)

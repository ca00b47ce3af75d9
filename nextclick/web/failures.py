"""Keys that were wrong: counted, and logged at most once a minute, masked."""

import logging
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


class FailureLog:
    """Says that a key of the kind `what` failed: the first at once, those of the next minute in one line after it."""

    def __init__(self, what: str, now: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._now = now
        self._count = 0
        self._logged_at = -_EVERY_SECONDS

    def count(self, shown: str) -> None:
        """Count one; `shown` is what of the key may stand in a log."""
        self._count += 1
        if (now := self._now()) - self._logged_at >= _EVERY_SECONDS:
            _log.warning("%d requests with a wrong %s, the newest: %s", self._count, self._what, shown)
            self._count, self._logged_at = 0, now

"""How often: a token bucket a key."""

import time
from collections.abc import Callable
from typing import Final

from nextclick.web.answers import Refused
from nextclick.web.buckets import OwnBuckets, SharedBuckets

UNKNOWN: Final = ""
"""The bucket that all keys share that nobody issued: a new made-up one has no bucket of its own."""


class RateLimiter:
    """Lets through `per_second` requests of each key (0: no limit); a second's worth of them may come at once.

    Count keys that are known, or `UNKNOWN`: each has a bucket for ever, of those that `buckets` holds.
    """

    def __init__(
        self,
        per_second: float,
        now: Callable[[], float] = time.monotonic,
        buckets: OwnBuckets | SharedBuckets | None = None,
    ) -> None:
        self._rate = per_second
        self._now = now
        self._buckets = OwnBuckets() if buckets is None else buckets

    def take(self, key: str) -> bool:
        """Count one request; whether it is within the rate."""
        if not self._rate:
            return True
        most = max(1.0, self._rate)
        with self._buckets.alone(key):
            now = self._now()
            tokens, last = self._buckets.get(key, (most, now))
            tokens = min(most, tokens + (now - last) * self._rate)
            self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1

    def count(self, key: str) -> None:
        """Count one request. Refused 429 if it is one too many."""
        if not self.take(key):
            raise Refused(429, "too_many_requests", f"More than {self._rate:g} requests a second with this key.")

"""How often: a token bucket a key."""

import time
from collections.abc import Callable

from nextclick.web.answers import Refused

_KEYS_REMEMBERED = 10_000


class RateLimiter:
    """Lets through `per_second` requests of each key (0: no limit); a second's worth of them may come at once."""

    def __init__(self, per_second: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}

    def count(self, key: str) -> None:
        """Count one request. Refused 429 if it is one too many."""
        if not self._rate:
            return
        now = self._now()
        tokens, last = self._buckets.get(key, (max(1.0, self._rate), now))
        tokens = min(max(1.0, self._rate), tokens + (now - last) * self._rate)
        if len(self._buckets) >= _KEYS_REMEMBERED:
            self._buckets.clear()
        self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
        if tokens < 1:
            raise Refused(429, "too_many_requests", f"More than {self._rate:g} requests a second with this key.")

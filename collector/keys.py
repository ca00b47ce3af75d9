"""Who may send: write keys, their sites and origins, and how often."""

import hmac
import time
from collections.abc import Callable

from collector.exchange import Refused
from nextclick.settings import Collector

_KEYS_REMEMBERED = 10_000


class Keys:
    """Checks the key of a request and says whose site it is."""

    def __init__(self, settings: Collector, now: Callable[[], float] = time.monotonic) -> None:
        self._keys = settings.write_keys
        self._secret = settings.secret_key
        self._rate = settings.requests_per_second
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}

    def site(self, key: str | None, origin: str | None) -> str | None:
        """The site that `key` writes to; None where no keys are set. Refused 401, 403 or 429."""
        if not self._keys:
            self._count(key or "")
            return None
        known = self._keys.get(key or "")
        if known is None:
            raise Refused(401, "unknown_key", "The write key is missing or unknown (collector.write_keys).")
        if known.origins and origin is not None and origin not in known.origins:
            raise Refused(403, "origin_not_allowed", "Pages of this origin may not use the write key.")
        self._count(key or "")
        return known.site

    def require_secret(self, authorization: str) -> None:
        """Refused 401 or 403 unless the Authorization header brings the secret key."""
        if not self._secret:
            raise Refused(403, "closed", "Set collector.secret_key (NEXTCLICK_COLLECTOR__SECRET_KEY) to open this.")
        if not hmac.compare_digest(authorization.encode(), f"Bearer {self._secret}".encode()):
            raise Refused(401, "bad_secret", "Send the secret key: `Authorization: Bearer …`.")

    def _count(self, key: str) -> None:
        """A token bucket a key: a second's worth of requests may come at once."""
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

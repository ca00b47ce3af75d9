"""The keys that stand in pages: whose site each is for, which pages may use it, and how often."""

from collections.abc import Mapping
from pathlib import Path
from typing import Generic, TypeVar

from nextclick.settings import SiteKey
from nextclick.web.answers import Refused
from nextclick.web.buckets import buckets
from nextclick.web.failures import FailureLog, masked
from nextclick.web.rates import UNKNOWN, RateLimiter

Key = TypeVar("Key", bound=SiteKey)


class SiteKeys(Generic[Key]):
    """The keys of one server; `setting` is where they are written, such as `serving.read_keys`.

    Workers that are handed one `folder` count together.
    """

    def __init__(self, keys: Mapping[str, Key], setting: str, per_second: float, folder: Path | None = None) -> None:
        self._keys = keys
        self._setting = setting
        shared = folder / setting if folder and per_second else None
        self._rates = RateLimiter(per_second, buckets=buckets(shared, (UNKNOWN, *keys)))
        self._failures = FailureLog(f"key ({setting})")

    def __bool__(self) -> bool:
        """Whether any are set."""
        return bool(self._keys)

    def use(self, key: str | None, origin: str | None) -> Key | None:
        """What `key` opens; None where no keys are set. Counts the request. Refused 401, 403 or 429."""
        if not self._keys:
            self._rates.count(UNKNOWN)
            return None
        known = self._keys.get(key or "")
        if known is None:
            self.count(key)
            self._failures.count(masked(key or ""))
            raise Refused(401, "unknown_key", f"The key is missing or unknown ({self._setting}).")
        if known.origins and origin is not None and origin not in known.origins:
            raise Refused(403, "origin_not_allowed", "Pages of this origin may not use the key.")
        self._rates.count(key or "")
        return known

    def count(self, key: str | None) -> None:
        """Count a request that could not be read, for the `key` that it seems to bring. Refused 429."""
        self._rates.count(key if key and key in self._keys else UNKNOWN)

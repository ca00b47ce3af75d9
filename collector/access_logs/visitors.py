"""Who looked, without keeping who it was: a keyed hash of address and user agent stands for the visitor.

The keys are random, the lake's own, and readable by its owner alone. Each belongs to a day or more of the logs' own time,
and is deleted some days after it was made: then nobody finds an address again, not even by trying all of them.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from nextclick.errors import LakeError
from nextclick.lake import files
from nextclick.lake.paths import Lake

_KEY_BYTES: Final = 32
_HOUR: Final = 3_600_000
_DAY_HOURS: Final = 24
_DAY_NANOSECONDS: Final = 86_400 * 10**9

KeyOf = Callable[[int], bytes]
"""The key of a period, which is known by its number."""


class LogVisitors:
    """Ids of visitors; they change every `rotate_hours` (0: never), by the request's own time.

    So a file imported once more gives the same ids as long as its keys are there, and nobody can join one period's ids to the next.
    """

    def __init__(self, key_of: KeyOf, site: str, rotate_hours: int) -> None:
        self._key_of, self._site, self._period = key_of, site, rotate_hours * _HOUR
        self._hashed = lru_cache(1 << 14)(self._hash)

    def __call__(self, address: str, agent: str | None, time: int) -> str:
        return self._hashed(address, agent or "", time // self._period if self._period else 0)

    def _hash(self, address: str, agent: str, period: int) -> str:
        whole = "\x1f".join((self._site, str(period), address, agent))
        return blake2b(whole.encode("utf-8", "surrogatepass"), key=self._key_of(period), digest_size=16).hexdigest()


def lake_keys(lake: Lake, rotate_hours: int, key_days: int) -> KeyOf:
    """The lake's keys: of each day of the logs' time, or of each period if that is longer; one for ever where nothing rotates."""
    lasting = f"{lake.shared}/access_logs.key"
    if not rotate_hours:
        return lambda _: _key(lasting)
    with suppress(OSError):  # where it cannot be removed, no other can be made: that says so
        files.remove(lasting)
    return _PeriodKeys(f"{lake.shared}/access_logs", rotate_hours, key_days)


class _PeriodKeys:
    def __init__(self, folder: str, rotate_hours: int, key_days: int) -> None:
        self._folder, self._days = folder, key_days
        self._periods = -(-_DAY_HOURS // rotate_hours)
        self._name = f"{rotate_hours}h"
        self._cleaned = 0
        self._read = lru_cache(1 << 10)(_key)

    def __call__(self, period: int) -> bytes:
        today = time.time_ns() // _DAY_NANOSECONDS
        if today != self._cleaned:
            self._cleaned = today
            self._read.cache_clear()
            self._delete_old()
        return self._read(f"{self._folder}/{self._name}-{period // self._periods}.key")

    def _delete_old(self) -> None:
        oldest = time.time_ns() - self._days * _DAY_NANOSECONDS
        for name in files.names(self._folder):
            if files.changed_at(f"{self._folder}/{name}") < oldest:
                with suppress(OSError):
                    files.remove(f"{self._folder}/{name}")


def _key(address: str) -> bytes:
    """The key at an address: made at the first use, readable by its owner alone, never changed."""
    try:
        key = files.create(address, secrets.token_bytes(_KEY_BYTES))
    except OSError as error:
        raise LakeError(f"The key {address} cannot be read or made: {error.strerror}. Mend its permissions.") from error
    if len(key) != _KEY_BYTES:
        raise LakeError(
            f"The key {address} has {len(key)} bytes instead of {_KEY_BYTES}. Restore it, or remove it to start anew."
        )
    return key

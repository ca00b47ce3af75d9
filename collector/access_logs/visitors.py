"""Who looked, without keeping who it was: a keyed hash of address and user agent stands for the visitor."""

import secrets
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from nextclick.errors import LakeError
from nextclick.lake import files
from nextclick.lake.paths import Lake

_KEY_BYTES: Final = 32
_HOUR: Final = 3_600_000


class LogVisitors:
    """Ids of visitors; the salt changes every `rotate_hours` (0: never), by the request's own time.

    So a file imported once more gives the same ids, and nobody without the key can join one period's ids to the next.
    """

    def __init__(self, key: bytes, site: str, rotate_hours: int) -> None:
        self._key, self._site, self._period = key, site, rotate_hours * _HOUR
        self._hashed = lru_cache(1 << 14)(self._hash)

    def __call__(self, address: str, agent: str | None, time: int) -> str:
        return self._hashed(address, agent or "", time // self._period if self._period else 0)

    def _hash(self, address: str, agent: str, period: int) -> str:
        whole = "\x1f".join((self._site, str(period), address, agent))
        return blake2b(whole.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).hexdigest()


def lake_key(lake: Lake) -> bytes:
    """The lake's random key: made at the first use, readable by its owner alone, never changed."""
    address = f"{lake.shared}/access_logs.key"
    try:
        key = files.create(address, secrets.token_bytes(_KEY_BYTES))
    except OSError as error:
        raise LakeError(f"The key {address} cannot be read or made: {error.strerror}. Mend its permissions.") from error
    if len(key) != _KEY_BYTES:
        raise LakeError(
            f"The key {address} has {len(key)} bytes instead of {_KEY_BYTES}. Restore it, or remove it to start anew."
        )
    return key

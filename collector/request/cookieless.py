"""Visitors without cookies: the visitors of a day are told apart by a hash that nobody can make again tomorrow.

The hash is keyed with a salt that is random each day (UTC) and deleted after the day that follows, over the
peer's whole address and its user agent, neither of which is kept; the method is Plausible's
(https://plausible.io/data-policy). So a visitor has one id within a day and a site, and none beyond.
"""

import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

from nextclick.errors import StoreUnreachable
from nextclick.lake import files

_SALT_BYTES: Final = 32
_DAY: Final = 86_400_000


def anonymous_id(salt: bytes, day: str, address: str, user_agent: str) -> str:
    """Who asks, on one day: 128 bits as hex.

    >>> monday, tuesday = (anonymous_id(b"salt", day, "203.0.113.9", "Firefox") for day in ("2026-02-02", "2026-02-03"))
    >>> len(monday), monday == tuesday
    (32, False)
    """
    text = "\x1f".join((day, address, user_agent))
    return blake2b(text.encode("utf-8", "surrogatepass"), key=salt, digest_size=16).hexdigest()


def visitor_id(anonymous_id: str, site: str) -> str:
    """The id of an anonymous visitor at one site: the same person has another one elsewhere."""
    return blake2b(f"{anonymous_id}\x1f{site}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class AnonymousIds:
    """Tells anonymous visitors apart by the day's salt, which the workers share through a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._today = -1
        self._day = ""
        self._salt = b""

    def of(self, address: str, user_agent: str, at: int) -> str:
        """`anonymous_id` of the day of `at`, in milliseconds."""
        if at // _DAY != self._today:
            self._turn(at)
        return anonymous_id(self._salt, self._day, address, user_agent)

    def _turn(self, at: int) -> None:
        """Take the salt of another day."""
        today = datetime.fromtimestamp(at / 1000, UTC).date()
        self._today, self._day = at // _DAY, f"{today:%Y-%m-%d}"
        try:
            self._salt = files.create(f"{self._folder}/{self._day}.salt", secrets.token_bytes(_SALT_BYTES))
        # A full disk, or a store that is away, stops no request: until tomorrow this worker goes by a salt of its own.
        except (OSError, StoreUnreachable):
            self._salt = secrets.token_bytes(_SALT_BYTES)
        with suppress(OSError, StoreUnreachable):
            for old in files.names(self._folder):
                if old < f"{today - timedelta(days=1):%Y-%m-%d}":
                    files.remove(f"{self._folder}/{old}")

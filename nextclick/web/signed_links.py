"""Addresses that open one thing to whoever has them, until their end: HMAC-SHA256 with a key of the lake's own.

Signed are the path and the query as a server reads them, in order, so neither a value nor the end can be changed.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl, urlencode

from nextclick.lake import files
from nextclick.lake.paths import Lake

UNTIL, SIGNATURE = "until", "signature"
WORDS: Final = frozenset((UNTIL, SIGNATURE))
"""Names of a query that a signed address has, once each."""
_BYTES: Final = 32


class SignedLinks:
    """Signs addresses, and knows those that it signed. A new key ends all that were signed with the one before."""

    def __init__(self, lake: Lake, now: Callable[[], float] = time.time) -> None:
        self._address = str(lake.state / "link_key")
        self._now = now

    def sign(self, address: str, until: int, bound: str = "") -> str:
        """The address with its end, in seconds since 1970-01-01 UTC; it opens only for who shows `bound` as well."""
        key = files.create(self._address, secrets.token_bytes(_BYTES))
        path, words = _parts(address)
        return _join(path, [*words, (UNTIL, str(until)), (SIGNATURE, _signature(key, path, words, until, bound))])

    def end(self, address: str, bound: str = "") -> int | None:
        """When the address ends; None where it is not signed, was changed, or has ended."""
        path, words = _parts(address)
        ends, signatures = ([value for name, value in words if name == word] for word in (UNTIL, SIGNATURE))
        if len(ends) != 1 or len(signatures) != 1 or not (ends[0].isascii() and ends[0].isdecimal()):
            return None
        if (key := files.read(self._address)) is None:  # nothing was ever signed
            return None
        until = int(ends[0][:15])
        expected = _signature(key, path, unsigned(words), until, bound)
        is_signed = hmac.compare_digest(expected.encode(), signatures[0].encode("utf-8", "replace"))
        return until if is_signed and self._now() < until else None

    def renew(self) -> None:
        """Take another key: every link that was made before ends."""
        files.write(self._address, secrets.token_bytes(_BYTES))


def unsigned(words: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names and values of a query without what signs it."""
    return [word for word in words if word[0] not in WORDS]


def _parts(address: str) -> tuple[str, list[tuple[str, str]]]:
    path, _, query = address.partition("?")  # urlsplit takes //[ for a host, and fails
    return path, parse_qsl(query, keep_blank_values=True)


def _join(path: str, words: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(words)}" if words else path


def _signature(key: bytes, path: str, words: list[tuple[str, str]], until: int, bound: str) -> str:
    return hmac.digest(key, "\n".join((_join(path, words), str(until), bound)).encode(), "sha256").hex()

"""A user id that a page may name: signed by the site's own server, as support widgets do it."""

import hmac
from typing import Final

HEADER: Final = "x-user-signature"
"""Where a request brings the signature; a query, a body or an event may bring it as `user_signature`."""


def sign(secret: str, site: str, user_id: str) -> str:
    """Hexadecimal HMAC-SHA256 of the site, a line feed and the user id, all UTF-8.

    >>> sign("0123456789abcdef", "shop", "u7")[:16]
    '8fe86610eccfc83a'
    """
    return hmac.digest(secret.encode(), f"{site}\n{user_id}".encode(), "sha256").hex()


def is_signed(secret: str, site: str, user_id: str, signature: str) -> bool:
    """Whether `signature` is what `sign` makes; never with an empty secret."""
    expected = sign(secret, site, user_id) if secret else ""
    return bool(secret) and hmac.compare_digest(expected.encode(), signature.strip().lower().encode("utf-8", "replace"))

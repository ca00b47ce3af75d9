"""The secret key: what is not for pages wants it, and what a page may not say of a user counts with it."""

import hmac
from pathlib import Path
from typing import Final

from nextclick.web.answers import Refused
from nextclick.web.buckets import buckets
from nextclick.web.failures import FailureLog
from nextclick.web.rates import UNKNOWN, RateLimiter

_GUESSES_PER_SECOND: Final = 10.0


class Secret:
    """The secret key that `setting` names; empty: nobody has it."""

    def __init__(self, secret: str, setting: str, folder: Path | None = None) -> None:
        """Workers that are handed one `folder` count wrong ones together."""
        self._expected = secret.encode()
        self._setting = setting
        self._failures = FailureLog(setting)
        shared = folder / setting if folder and secret else None
        self._guesses = RateLimiter(_GUESSES_PER_SECOND, buckets=buckets(shared, (UNKNOWN,)))

    def brought(self, authorization: str) -> bool:
        """Whether the Authorization header (latin-1, as servers hand it over) brings it.

        Who brings another is logged. Refused 429 where too many guess; the right one is never refused for that.
        """
        scheme, _, token = authorization.strip().partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or not self._expected:
            return False
        # Clients write what is not ASCII as UTF-8 or as latin-1.
        as_sent, as_read = token.encode("latin-1", "replace"), token.encode()
        if hmac.compare_digest(as_sent, self._expected) | hmac.compare_digest(as_read, self._expected):
            return True
        self._failures.count(f"{len(token)} characters")
        if not self._guesses.take(UNKNOWN):
            raise Refused(429, "too_many_requests", "Too many wrong secret keys: wait a second.")
        return False

    def require(self, authorization: str) -> None:
        """Refused 401, 403 or 429 unless the Authorization header brings it."""
        if not self._expected:
            variable = f"NEXTCLICK_{self._setting.upper().replace('.', '__')}"
            raise Refused(403, "closed", f"Set {self._setting} ({variable}) to open this.")
        if not self.brought(authorization):
            raise Refused(401, "bad_secret", "Send the secret key: `Authorization: Bearer …`.")

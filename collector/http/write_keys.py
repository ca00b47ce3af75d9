"""Who may send: write keys, their sites and origins, and how often."""

from collector.request.model import Refused
from nextclick.settings import Collector
from nextclick.web import secret
from nextclick.web.rates import RateLimiter


class Keys:
    """Checks the key of a request and says whose site it is."""

    def __init__(self, settings: Collector) -> None:
        self._keys = settings.write_keys
        self._secret = settings.secret_key
        self._rates = RateLimiter(settings.requests_per_second)

    def site(self, key: str | None, origin: str | None) -> str | None:
        """The site that `key` writes to; None where no keys are set. Refused 401, 403 or 429."""
        if not self._keys:
            self._rates.count(key or "")
            return None
        known = self._keys.get(key or "")
        if known is None:
            raise Refused(401, "unknown_key", "The write key is missing or unknown (collector.write_keys).")
        if known.origins and origin is not None and origin not in known.origins:
            raise Refused(403, "origin_not_allowed", "Pages of this origin may not use the write key.")
        self._rates.count(key or "")
        return known.site

    def require_secret(self, authorization: str) -> None:
        """Refused 401 or 403 unless the Authorization header brings the secret key."""
        secret.require(self._secret, authorization, "collector.secret_key")

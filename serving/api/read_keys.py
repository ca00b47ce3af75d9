"""Who may ask: read keys, their sites and origins, and how often."""

from nextclick.settings import Settings
from nextclick.web import secret
from nextclick.web.answers import Refused
from nextclick.web.rates import RateLimiter


class Access:
    """Checks the read key of a request and says whose site it asks for."""

    def __init__(self, settings: Settings) -> None:
        self._site = settings.site
        self._keys = settings.serving.read_keys
        self._secret = settings.serving.secret_key
        self._rates = RateLimiter(settings.serving.requests_per_second)

    def site(self, key: str | None, origin: str | None) -> str:
        """The site that `key` reads; the lake's own where no keys are set. Refused 401, 403 or 429."""
        if not self._keys:
            self._rates.count(key or "")
            return self._site
        known = self._keys.get(key or "")
        if known is None:
            raise Refused(401, "unknown_key", "The read key is missing or unknown (serving.read_keys).")
        if known.origins and origin is not None and origin not in known.origins:
            raise Refused(403, "origin_not_allowed", "Pages of this origin may not use the read key.")
        self._rates.count(key or "")
        return known.site

    def require_secret(self, authorization: str) -> None:
        """Refused 401 or 403 unless the Authorization header brings the secret key."""
        secret.require(self._secret, authorization, "serving.secret_key")

"""What opens one address of the dashboard, and no other, to who has not its token: a link with an end, and Prometheus' key."""

import hmac
import secrets
from typing import Final
from urllib.parse import urlencode

from starlette.requests import HTTPConnection

from nextclick.lake import files
from nextclick.lake.paths import Lake
from nextclick.web.signed_links import SignedLinks, unsigned

METRICS: Final = "/metrics"
Words = list[tuple[str, str]]


class PageAccess:
    """Of one lake."""

    def __init__(self, lake: Lake) -> None:
        self._links = SignedLinks(lake)
        try:
            self._scraper = files.create(metrics_key(lake), secrets.token_urlsafe(32).encode())
        except OSError:  # a lake that is only read: the dashboard's own token opens its metrics
            self._scraper = b""

    def opens(self, request: HTTPConnection) -> bool:
        """Whether the request brings what opens the address that it calls."""
        if request.scope["type"] != "http" or request.scope["method"] not in ("GET", "HEAD"):
            return False
        path = request.scope["path"]
        if path == METRICS and self._scraper:
            bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
            return hmac.compare_digest(bearer.encode(), self._scraper)
        return path.startswith("/static/") or self.end(request) is not None

    def end(self, request: HTTPConnection) -> int | None:
        """When the link ends that the request came by, in seconds since 1970; None where it came by none."""
        return self._links.end(f"{request.scope['path']}?{request.url.query}")

    def sign(self, path: str, words: Words, until: int) -> str:
        """An address that opens itself until then."""
        kept = unsigned(words)
        return self._links.sign(f"{path}?{urlencode(kept)}" if kept else path, until)


def metrics_key(lake: Lake) -> str:
    """The file with the key that opens `/metrics` alone, for Prometheus' `credentials_file`."""
    return str(lake.state / "metrics_key")

"""What opens one address of the dashboard, and no other, to who has not its token: a link with an end, and Prometheus' key."""

import hmac
import secrets
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import HTTPConnection

from analytics.catalog import report as named
from dashboard.pages import PAGES
from nextclick.errors import UsageError
from nextclick.lake import files
from nextclick.lake.paths import Lake
from nextclick.web.signed_links import SignedLinks, unsigned

METRICS: Final = "/metrics"


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
        return self._links.end(f"{request.scope['path']}?{request.scope['query_string'].decode('latin-1')}")

    def sign(self, address: str, until: int) -> str:
        """The address so that it opens itself until then, in seconds since 1970-01-01 UTC."""
        return self._links.sign(address, until)

    def end_all(self) -> None:
        """End every link that was signed."""
        self._links.renew()


def require_linkable(address: str) -> str:
    """The address of a page, such as `overview`, `/items?range=90d` or `/csv/traffic?by=channel`; UsageError for another one."""
    path, _, query = address.partition("?")
    path = f"/{path.lstrip('/')}"
    folder, _, report = path[1:].rpartition("/")
    if folder in ("csv", "api"):
        named(report)
    elif folder or report not in (page.stem for page in PAGES):
        pages = ", ".join(page.stem for page in PAGES)
        raise UsageError(
            f"{address!r} is no page. Say one of {pages}; or /csv/REPORT, /api/REPORT; with a query, if wanted."
        )
    words = unsigned(parse_qsl(query, keep_blank_values=True))
    return f"{path}?{urlencode(words)}" if words else path


def metrics_key(lake: Lake) -> str:
    """The file with the key that opens `/metrics` alone, for Prometheus' `credentials_file`."""
    return str(lake.state / "metrics_key")

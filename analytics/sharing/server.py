"""What answers of one lake's shares are made from, and who may have them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from analytics.sharing.audit import Audit
from analytics.sharing.cut_files import CutFiles
from analytics.sharing.recipients import Recipient, Recipients
from analytics.sharing.shares import Shares
from analytics.sharing.tables import SharedTables
from nextclick.settings import Settings, SharingSettings
from nextclick.web.answers import Refused
from nextclick.web.failures import FailureLog
from nextclick.web.rates import UNKNOWN, RateLimiter
from nextclick.web.signed_links import SignedLinks

PREFIX: Final = "/delta-sharing"
_GUESSES_PER_SECOND: Final = 10.0
_READABLE: Final = {"sp": "r"}
"""As Azure's links say that they may be read: by this word Delta's kernel knows that an address is to be loaded as it stands."""


def endpoint(settings: SharingSettings) -> str:
    """What partners call the server by."""
    scheme = "https" if settings.tls_certificate else "http"
    return (settings.public_url.rstrip("/") or f"{scheme}://{settings.host}:{settings.port}") + PREFIX


class Reply(NamedTuple):
    """An answer, and what of it goes on record."""

    response: Response
    facts: Mapping[str, Any] = {}


class PartnerRequest(NamedTuple):
    """A request of a recipient who is known."""

    request: Request
    recipient: Recipient
    body: bytes


class SharingServer:
    """What the handlers share."""

    def __init__(self, settings: Settings, shares: Shares) -> None:
        self.settings, self.shares = settings.sharing, shares
        self.recipients, self.audit = Recipients(settings.lake), Audit(settings.lake)
        self.tables, self.links = SharedTables(settings), SignedLinks(settings.lake)
        self.files = CutFiles(settings.lake, settings.sharing.cache_bytes, settings.sharing.link_seconds)
        self._failures, self._guesses = FailureLog("share token"), RateLimiter(_GUESSES_PER_SECOND)

    def by_token(self, request: Request) -> Recipient:
        """Refused 401 without the token of somebody, or after its end; 429 where too many are wrong."""
        scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
        recipient = self.recipients.of_token(token.strip()) if scheme.lower() == "bearer" else None
        if recipient is None:
            self._failures.count(f"{len(token)} characters")
            if not self._guesses.take(UNKNOWN):
                raise Refused(429, "TOO_MANY_REQUESTS", "Too many wrong tokens: wait a second.")
            raise Refused(401, "UNAUTHENTICATED", "The bearer token is missing or unknown.")
        return self._active(recipient)

    def by_link(self, request: Request) -> Recipient:
        """Refused 401 where the link was changed or has ended, or its recipient's token has."""
        recipient = self.recipients.named(request.query_params.get("recipient", ""))
        if recipient is None or self.links.end(_address(request), recipient.token_sha256) is None:
            raise Refused(401, "UNAUTHENTICATED", "The link is wrong or has ended: query the table again.")
        return self._active(recipient)

    def _active(self, recipient: Recipient) -> Recipient:
        if not self.recipients.is_active(recipient):
            raise Refused(401, "UNAUTHENTICATED", f"The token ended at {recipient.ends_at:%Y-%m-%dT%H:%M:%SZ}.")
        return recipient

    def link(self, request: Request, recipient: Recipient, name: str) -> tuple[str, int]:
        """The address of a file for one recipient, and its end in seconds."""
        until = int(min(datetime.now(UTC).timestamp() + self.settings.link_seconds, recipient.ends_at.timestamp()))
        base = self.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/").removesuffix(PREFIX)
        path = f"{PREFIX}/files/{name}?{urlencode({'recipient': recipient.name, **_READABLE})}"
        return base + self.links.sign(path, until, recipient.token_sha256), until


def _address(request: Request) -> str:
    """As it was signed, however a proxy or a mount calls it."""
    return f"{PREFIX}/files/{request.path_params['name']}?{request.scope['query_string'].decode('latin-1')}"

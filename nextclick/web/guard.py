"""Who may see pages that people look at, and act there: loopback alone keeps out no page that a browser has open.

A page answers to its own host (no DNS rebinding) and origin (no foreign page's requests), and to whoever brings the token:
once in the link that the verb prints, from then on in a cookie that no script reads and no other site's page sends.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nextclick.errors import SetupError
from nextclick.lake import files
from nextclick.lake.paths import Lake

HOST: Final = "127.0.0.1"
_OWN_HOSTS: Final = (HOST, "localhost")
_READS: Final = {"GET", "HEAD", "OPTIONS"}


def new_token() -> str:
    """A token for one start of the pages."""
    return secrets.token_urlsafe(32)


def store_token(lake: Lake, token: str) -> None:
    """Keep it for other processes, in a file that its owner alone may read."""
    files.write(_address(lake), token.encode())


def stored_token(lake: Lake) -> str:
    """The token of the newest start; SetupError before the first."""
    if (token := files.read(_address(lake))) is None:
        raise SetupError(f"{_address(lake)} is not there. Start the pages with `nextclick up`.")
    return token.decode()


def _address(lake: Lake) -> str:
    return str(lake.state / "up_token")


Opens = Callable[[HTTPConnection], bool]
"""Whether a request brings what opens its own address alone, and no other page."""


def middleware(token: str, verb: str = "up", opens: Opens = lambda _: False) -> list[Middleware]:
    """What stands before a page's app, outermost first; `verb` prints the links to it."""
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=_OWN_HOSTS, www_redirect=False),
        Middleware(Guard, token=token, verb=verb, opens=opens),
    ]


class Guard:
    """Answers 403 to what a foreign page sends and 401 to who does not bring the token, also for WebSockets."""

    def __init__(self, app: ASGIApp, token: str, verb: str, opens: Opens = lambda _: False) -> None:
        self.app, self._opens = app, opens
        self._token = token
        self._verb = verb
        self._cookie = f"nextclick_{verb}_{hashlib.sha256(token.encode()).hexdigest()[:8]}"
        """One name for all pages of a start, since a cookie knows no port; another for each start, so that two lakes do not clash."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answer(HTTPConnection(scope)) if scope["type"] in ("http", "websocket") else None
        await (answer or self.app)(scope, receive, send)

    def _answer(self, request: HTTPConnection) -> Response | None:
        """None where the page itself is to answer."""
        if _foreign(request):
            return PlainTextResponse("This comes from a page of another origin.", 403)
        if request.scope.get("method") == "GET" and self._is_token(request.query_params.get("token", "")):
            answer = RedirectResponse(str(request.url.remove_query_params("token")), 303)
            answer.headers.update({"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
            answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            return answer
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        is_bearer = scheme.lower() == "bearer" and self._is_token(bearer.strip())
        if is_bearer or self._is_token(request.cookies.get(self._cookie, "")) or self._opens(request):
            return None
        return PlainTextResponse(f"Open the link that `nextclick {self._verb}` printed: it brings the token.", 401)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())


def _foreign(request: HTTPConnection) -> bool:
    """Whether a browser says that a page of another origin sent it; programs that are no browsers say nothing."""
    origin, host = request.headers.get("origin"), request.headers.get("host")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
        return True
    reads = request.scope["type"] == "http" and request.scope["method"] in _READS
    return not reads and request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none")

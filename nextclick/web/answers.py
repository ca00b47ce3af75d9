"""What a server answers."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

import msgspec

JSON: Final = "application/json"
_SAFE: Final = {b"cache-control": b"no-store", b"x-content-type-options": b"nosniff", b"server": b"nextclick"}
"""Answers are for who asked, and are what they say they are; one that says otherwise wins."""
_SAFE_HTTPS: Final = _SAFE | {b"strict-transport-security": b"max-age=31536000"}
HTML_HEADERS: Final = (
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
)
"""Of a page that runs no script and loads nothing."""
_PROXIES_LISTS: Final = frozenset(("x-forwarded-for", "forwarded"))
"""A proxy adds to them, some in a line of their own."""
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the client is told."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):
    """A request that is not taken at all: its status, a reason code, and what was wrong, where, and what to do."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def problem(status: int, reason: str, message: str) -> HttpAnswer:
    """The plain form of a refusal: `{"error": reason, "message": message}`."""
    return HttpAnswer(status=status, body=msgspec.json.encode({"error": reason, "message": message}))


def not_allowed(methods: Iterable[str]) -> HttpAnswer:
    """405, with the methods that the path has."""
    answer = problem(405, "wrong_method", f"Ask with {' or '.join(methods)}.")
    return msgspec.structs.replace(answer, headers=(("allow", ", ".join(methods)),))


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers, names in lower case; of a name that comes twice, the last, but of proxies' lists all."""
    sent = scope["headers"]
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in sent}
    if len(headers) < len(sent):
        for name in _PROXIES_LISTS & headers.keys():
            headers[name] = ", ".join(value.decode("latin-1") for raw, value in sent if raw.lower() == name.encode())
    return headers


async def send_answer(send: Send, scope: Scope, answer: HttpAnswer, headers: Iterable[tuple[str, str]]) -> None:
    """The answer as ASGI messages, with its length, these `headers` (the answer's own are among them), and `_SAFE` ones."""
    whole = _SAFE_HTTPS if scope.get("scheme") == "https" else _SAFE
    if own := {name.encode("latin-1"): value.encode("latin-1") for name, value in headers}:
        whole = whole | own
    about = ((b"content-type", answer.content_type.encode()), (b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": [*whole.items(), *about]})
    await send({"type": "http.response.body", "body": answer.body})


async def lifespan(receive: Receive, send: Send, start: Callable[[], None], end: Callable[[], Awaitable[None]]) -> None:
    """ASGI's messages about a worker's app: `start` before its first request, `end` after its last."""
    while (await receive())["type"] != "lifespan.startup":
        pass
    start()
    await send({"type": "lifespan.startup.complete"})
    while (await receive())["type"] != "lifespan.shutdown":
        pass
    await end()
    await send({"type": "lifespan.shutdown.complete"})

"""Which pages may send, and read the answer: the Fetch standard's CORS protocol."""

from collections.abc import Iterable, Mapping
from typing import Final

from collector.exchange import Refused

_PREFLIGHT: Final = (
    ("access-control-allow-methods", "GET, POST"),
    ("access-control-allow-headers", "authorization, content-type, content-encoding, sp-anonymous, x-write-key"),
    ("access-control-max-age", "600"),
)


def headers(request: Mapping[str, str], allowed: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Pages on the list may read answers, with credentials; without a list any page may, without them."""
    origin = request.get("origin")
    if origin is None:
        return ()
    asked = _PREFLIGHT if "access-control-request-method" in request else ()
    if not (listed := tuple(allowed)):
        return (("access-control-allow-origin", "*"), *asked)
    if origin not in listed:
        return (("vary", "Origin"),)
    credentials = ("access-control-allow-credentials", "true")
    return (("access-control-allow-origin", origin), credentials, ("vary", "Origin"), *asked)


def require_allowed(request: Mapping[str, str], allowed: Iterable[str]) -> None:
    """Refused 403 where a page that is not on the list sends: it could not read the answer, and would send again."""
    listed, origin = tuple(allowed), request.get("origin")
    if listed and origin is not None and origin not in listed:
        raise Refused(403, "origin_not_allowed", "Pages of this origin may not send here (collector.origins).")

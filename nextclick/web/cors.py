"""Which pages may ask, and read the answer: the Fetch standard's CORS protocol."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from nextclick.web.answers import Refused

_NAMES: Final = "authorization, content-type, content-encoding, sp-anonymous, x-write-key, x-read-key, x-user-signature"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_MOST_NAMES: Final = 64


def headers(request: Mapping[str, str], allowed: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Pages on the list may read answers, with credentials; without a list any page may, without them."""
    origin = request.get("origin")
    if origin is None:
        return ()
    preflight = _preflight(request) if "access-control-request-method" in request else ()
    if not (listed := tuple(allowed)):
        return (("access-control-allow-origin", "*"), *preflight)
    if origin not in listed:
        return (("vary", "Origin"),)
    credentials = ("access-control-allow-credentials", "true")
    return (("access-control-allow-origin", origin), credentials, ("vary", "Origin"), *preflight)


def _preflight(request: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Allows each header that is asked for: trackers have names of their own, and none of them opens anything here."""
    names = request.get("access-control-request-headers", "").split(",")[:_MOST_NAMES]
    wanted = ", ".join(name for each in names if _TOKEN.fullmatch(name := each.strip()))
    return (
        ("access-control-allow-methods", "GET, HEAD, POST"),
        ("access-control-allow-headers", wanted or _NAMES),
        ("access-control-max-age", "600"),
    )


def require_allowed(request: Mapping[str, str], allowed: Iterable[str], setting: str) -> None:
    """Refused 403 where a page that is not on the list (`setting`) asks: it could not read the answer, and would ask again."""
    listed, origin = tuple(allowed), request.get("origin")
    if listed and origin is not None and origin not in listed:
        raise Refused(403, "origin_not_allowed", f"Pages of this origin may not ask here ({setting}).")

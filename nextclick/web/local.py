"""A server without keys is this machine's own. Loopback alone keeps no browser off: any page may call it, or a name that leads to it."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from nextclick.web.answers import Refused

_NOBODY: Final = ("http://localhost",)
"""Stands for pages of this machine where the page that asks is none."""


@lru_cache(1024)
def is_local(address: str) -> bool:
    """Whether an origin, an address or what stands in Host is of this machine.

    >>> [is_local(each) for each in ("http://localhost:8000", "//127.0.0.1:80", "//[::1]", "//shop.localhost", "//127.0.0.1.example")]
    [True, True, True, True, False]
    """
    try:
        host = (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def require_local(headers: Mapping[str, str], setting: str) -> None:
    """Refused 403 where the request calls this machine by a foreign name, or a foreign page makes it without saying so."""
    host = headers.get("host")
    if host is not None and not is_local(f"//{host}"):
        raise Refused(
            403, "foreign_host", f"Without keys ({setting}) only requests to localhost or 127.0.0.1 are answered."
        )
    if (
        headers.get("sec-fetch-site") == "cross-site"
        and "origin" not in headers
        and not is_local(headers.get("referer", ""))
    ):
        raise Refused(403, "origin_not_allowed", f"Without keys ({setting}) only pages of this machine may ask here.")


def origins(headers: Mapping[str, str], listed: tuple[str, ...], has_keys: bool) -> tuple[str, ...]:
    """The origins of pages that may ask, for `cors`: those that are listed; without any, where keys are set, all; else this machine's."""
    if listed or has_keys:
        return listed
    origin = headers.get("origin", "")
    return (origin,) if is_local(origin) else _NOBODY

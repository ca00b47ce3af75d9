"""A request of an access log → the payload of one landing line."""

import re
from collections.abc import Set
from functools import lru_cache
from typing import Any, Final

from collector.access_logs.labels import label
from collector.access_logs.visitors import LogVisitors
from collector.imports.rows import Row, payload, text
from collector.request.errors import Unmappable
from nextclick.address import masked, truncated
from nextclick.contracts.events import Event, derived_id, somebody

REQUEST: Final = "request"
"""The custom event of a request that is no page view; nextclick.contracts.events.OUTSIDE_SESSIONS has it."""
_ABSOLUTE: Final = re.compile(r"(?i)([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class RequestMapper:
    """Turns the requests of one site's logs into encoded events; one that cannot be one raises `Unmappable`."""

    def __init__(self, site: str, visitors: LogVisitors, base_url: str, max_bytes: int, nobody: Set[str]) -> None:
        self._nobody = nobody
        self._site, self._visitors, self._base, self._max_bytes = site, visitors, base_url.rstrip("/"), max_bytes

    def __call__(self, row: Row | Unmappable) -> bytes:
        """The event as JSON; `row` has also `line` as it stands, and `nth`: how many lines equal to it the file had so far."""
        if isinstance(row, Unmappable):
            raise row
        if not (address := row.get("address")):
            raise Unmappable("missing_visitor", "the line has no address")
        status, url, agent = _status(row.get("status")), _url(row, self._base), _text(row.get("agent"))
        kind = label(row.get("method"), status, _path(row.get("target")), _text(row.get("content_type")), agent)
        visitor = self._visitors(text(address), agent, row["time"])
        event = Event(
            event="page_view" if kind == "page" else REQUEST,
            event_id=derived_id(self._site, row["line"], row["nth"]),
            client_time=row["time"],
            site=self._site,
            visitor_id=visitor,
            user_id=somebody(visitor, _text(row.get("user")), self._nobody)[1],
            page_url=url,
            referrer=_text(row.get("referrer")),
            user_agent=agent,
            ip=_kept_address(text(address)),
            properties=_properties(row, kind, url),
        )
        return payload(event, self._max_bytes)


def _status(value: Any) -> int | None:
    """The status as a number: 0 where the client left before there was one; None where the log has none."""
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        raise Unmappable("bad_type", f"the status is {str(value)[:60]!r}, which is no number") from None


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else text(value)


@lru_cache(1 << 14)
def _kept_address(address: str) -> str | None:
    """The truncated address; None for a host's name, of which nothing is kept."""
    try:
        return truncated(address.rpartition("%")[0] or address)
    except ValueError:
        return None


def _path(target: str | None) -> str:
    """The path alone, without host and query."""
    absolute = _ABSOLUTE.match(target) if target and target[:1] != "/" else None
    return ((absolute[3] or "/") if absolute else target or "").partition("?")[0]


def _url(row: Row, base: str) -> str | None:
    """The page's address: whole where the log names the host, or the setting does; else its path."""
    target: str | None = row.get("target")
    host: str | None = row.get("host")
    if not target:
        return None
    if absolute := _ABSOLUTE.match(target) if target[0] != "/" else None:
        scheme, host, rest = absolute.groups()
        return f"{scheme}://{host.removesuffix(_DEFAULT_PORTS.get(scheme.lower(), ''))}{rest}"
    if target[0] != "/":  # `OPTIONS *`, `CONNECT host:port`
        return None
    if not host:
        return base + target
    scheme = str(row.get("scheme") or ("https" if str(row.get("port")) == "443" else "http")).lower()
    return f"{scheme}://{host}{target}"


def _properties(row: Row, kind: str, url: str | None) -> dict[str, str]:
    """The label, and all that no field took; addresses in it are truncated."""
    kept = {"label": kind}
    for name in ("status", "method", "bytes", "protocol", "port", "content_type"):
        if (value := row.get(name)) not in (None, "", "-"):
            kept[name] = text(value)
    if url is None and row.get("target"):
        kept["target"] = text(row["target"])
    for name, value in row["more"].items():
        kept.setdefault(name, masked(text(value)))
    return kept

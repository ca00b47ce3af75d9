"""A request of an access log → the payload of one landing line."""

import re
from collections.abc import Set
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import msgspec

from collector.access_logs.labels import label
from collector.access_logs.values import first_address
from collector.access_logs.visitors import LogVisitors
from collector.dialects.shared.readers import Unread, cut, identifier
from collector.imports.cells import Row, text
from collector.imports.rows import payload
from collector.request import numbers
from collector.request.errors import Unmappable
from collector.request.model import EventLimits
from nextclick.address import truncated
from nextclick.contracts.events import Consent, Event, derived_id, somebody
from nextclick.redaction import redacted_event

REQUEST: Final = "request"
"""The custom event of a request that is no page view; nextclick.contracts.events.OUTSIDE_SESSIONS has it."""
_ABSOLUTE: Final = re.compile(r"(?i)([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_LIMITS: Final = EventLimits()
_REFUSALS: Final = re.compile(r"(?:.*[._(])?(?:dnt|sec[-_]gpc)\)?", re.IGNORECASE)
"""Where a log keeps the headers Do Not Track and Global Privacy Control."""
_OWN_PROPERTIES: Final = ("status", "method", "bytes", "protocol", "port", "content_type")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class RequestMapper:
    """Turns the requests of one site's logs into encoded events; one that cannot be one raises `Unmappable`."""

    def __init__(
        self,
        site: str,
        visitors: LogVisitors,
        base_url: str,
        max_bytes: int,
        nobody: Set[str],
        limits: EventLimits = _LIMITS,
    ) -> None:
        self._nobody, self._limits = nobody, limits
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
        more = _more(row, url)
        user = identifier(row.get("user"))
        if isinstance(user, str) and first_address(
            user
        ):  # some write it twice: it is nobody's name, and not to be kept
            user = None
        if is_unread := isinstance(user, Unread) or len(user or "") > self._limits.max_id_chars:
            more, user = {"user_id": text(row["user"]), **more}, None
        most = self._limits.max_text_chars
        event = Event(
            event="page_view" if kind == "page" else REQUEST,
            event_id=derived_id(self._site, row["line"], row["nth"]),
            client_time=row["time"],
            site=self._site,
            visitor_id=visitor,
            user_id=somebody(visitor, user, self._nobody)[1],
            page_url=_cut(url, most),
            referrer=_cut(_text(row.get("referrer")), most),
            user_agent=_cut(agent, most),
            ip=_kept_address(text(address)),
            consent=_consent(row["more"]),
            unread_fields=["user_id"] if is_unread else None,
            properties={
                cut(name, self._limits.max_id_chars): cut(value, most)
                for name, value in islice(more.items(), self._limits.max_properties - len(_OWN_PROPERTIES) - 1)
            },
        )
        kept = redacted_event(event)
        return payload(
            msgspec.structs.replace(kept, properties=_own(row, kind) | (kept.properties or {})), self._max_bytes
        )


def _cut(written: str | None, most: int) -> str | None:
    return cut(written, most) if written else written


def _consent(more: Row) -> Consent | None:
    """What the browser says for its visitor with each request, where the log keeps its headers."""
    if any(str(value).strip() == "1" and _REFUSALS.fullmatch(name) for name, value in more.items()):
        return Consent(personalization=False, advertising=False)
    return None


def _status(value: Any) -> int | None:
    """The status as a number: 0 where the client left before there was one (`-`); None where the log has none."""
    try:
        return None if value is None else numbers.whole("0" if value == "-" else str(value).partition(" ")[0])
    except (TypeError, ValueError, ArithmeticError):
        raise Unmappable("bad_type", f"the status is {str(value)[:60]!r}, which is no number") from None


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else text(value)


@lru_cache(1 << 14)
def _kept_address(address: str) -> str | None:
    """The truncated address; None for a host's name, of which nothing is kept."""
    try:
        return truncated(address)
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


def _own(row: Row, kind: str) -> dict[str, str]:
    """The label, and what each log tells of a request."""
    own = {name: text(value) for name in _OWN_PROPERTIES if (value := row.get(name)) not in (None, "", "-")}
    return {"label": kind, **own}


def _more(row: Row, url: str | None) -> dict[str, str]:
    """All that no field took; it may hold anything."""
    more = {name: text(value) for name, value in row["more"].items() if name != "label" and name not in _OWN_PROPERTIES}
    return {"target": text(row["target"]), **more} if url is None and row.get("target") else more

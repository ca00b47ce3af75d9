"""What the formats of access logs share: a format's shape, its names for things, times, requests, escapes."""

import re
from calendar import timegm
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_network
from typing import Any, Final, NamedTuple

from collector.imports.cells import Row, text
from collector.request.errors import Unmappable
from collector.request.times import parser
from nextclick.address import parsed

Reader = Callable[[str], Row | None]
"""A line without its newline → a request; None for a line that is none (a directive).

A request has, where the line tells them: `time` (milliseconds since 1970-01-01 UTC), `address` (as `client` gives it), `user`, `method`,
`target`, `protocol`, `status`, `bytes`, `referrer`, `agent`, `scheme`, `host`, `port`, `content_type`; and `more`,
what the line tells besides. It raises Unmappable, or ValueError where a part is not what it should be.
"""

Names = Mapping[str, tuple[str, ...]]
"""What a request has → a format's names for it, the first that has a value counts."""

CLIENT_HEADERS: Final = (
    "x-forwarded-for", "true-client-ip", "cf-connecting-ip", "x-real-ip", "fastly-client-ip", "fly-client-ip", "x-client-ip",
    "x-cluster-client-ip", "x-original-forwarded-for", "x-azure-clientip", "cloudfront-viewer-address", "client-ip", "forwarded",
)  # fmt: skip
"""Headers in which a proxy says for whom it asks: without them all who come by it would be one visitor."""

QUOTED: Final = r'"(?P<{}>(?:[^"\\]|\\.)*+)"'
"""A field of that name in quotes, with its escapes."""

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLF_TIME: Final = re.compile(
    r"(\d{1,2})/(\w{3})/(\d{4})[: ](\d\d):(\d\d):([0-5]\d|60)(\.\d+)?(?: ?([+-])(\d\d):?(\d\d)| ?(?:Z|UTC|GMT))?"
)
_PROTOCOL: Final = re.compile(r"HTTP/[\w.]{1,8}|1\.[01]|[23]")  # Hypercorn writes the number alone
_METHOD: Final = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}")
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_CONTROLS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"v": b"\v", b'"': b'"', b"\\": b"\\"}
_SECRETS: Final = re.compile(r"cookie|authorization|api-?key", re.IGNORECASE)
_LONGEST_LIST: Final = 1_024
_PRIVATE: Final = [
    ip_network(network)
    for network in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10",
        "::1/128",
    )
]  # fmt: skip
_FOR: Final = re.compile(r'(?i)(?:^|[;\s])for="?([^;"]*)')
_NAME: Final = re.compile(r"(?=[^:]*[A-Za-z][^.:]*(?::\d{1,5})?\Z)[\w-]+(?:\.[\w-]+)*\.?(?::\d{1,5})?")
_NO_NAMES: Final = frozenset((*_MONTHS, "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
_NOBODY: Final = ("", "-", "unknown", "(null)", "0.0.0.0", "::")
_LONGEST_NAME: Final = 255
_auto: Final = parser("auto")


class Format(NamedTuple):
    """One format of access logs."""

    name: str
    doc: str
    """Who writes it."""
    reader: Callable[[], Reader]
    """A reader for one file; those of W3C remember the file's header."""


def request(fields: Row, names: Names, time: Callable[[Any], int]) -> Row:
    """What the line gave, under our names; Unmappable where it has no time or no address."""
    row: Row = {name: _first(fields, columns) for name, columns in names.items()}
    row |= {name: text(value) for name, value in row.items() if value is not None and name != "time"}
    row["more"] = {name: value for name, value in fields.items() if not (missing(value) or _is_secret(name, value))}
    if row.get("request"):
        split_request(row, row["request"])
    if row["time"] is None:
        raise Unmappable("missing_time", f"the line has no {' or '.join(names['time'])}")
    row["time"] = moment(row["time"], time)
    row["address"] = client(row["address"], row.pop("forwarded", None))
    if (query := row.pop("query", None)) and row.get("target") and "?" not in row["target"]:
        row["target"] = f"{row['target']}?{query.removeprefix('?')}"
    return row


def _is_secret(name: str, value: Any) -> bool:
    """Whether it is a header with a secret, or a list of headers that has one, as Amazon's WAF and CloudFront write them."""
    return bool(
        _SECRETS.search(name) or ((isinstance(value, list) or "headers" in name) and _SECRETS.search(text(value)))
    )


def missing(value: Any) -> bool:
    return value is None or value in ("", "-", '""', '"-"')  # Apache writes "" for a name that is empty


def _first(fields: Row, names: tuple[str, ...]) -> Any:
    """The first of the names that has a value; that one is taken out of `fields`."""
    for name in names:
        if not missing(fields.get(name)):
            return fields.pop(name)
    return None


def moment(written: Any, time: Callable[[Any], int]) -> int:
    """The time as milliseconds; Unmappable if it is none."""
    try:
        return time(written)
    except (ValueError, TypeError, OverflowError):
        raise Unmappable("bad_time", f"{str(written)[:60]!r} is no time of this format") from None


@lru_cache(1 << 12)
def clf_time(written: str) -> int:
    """`09/Jul/1995:00:00:07 -0400` → milliseconds; without a zone it is UTC. ValueError if it is none."""
    match = _CLF_TIME.fullmatch(written)
    if match is None:
        raise ValueError(written)
    day, month, year, hour, minute, second, fraction, sign, hours, minutes = match.groups()
    when = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), tzinfo=UTC)
    offset = (int(hours) * 60 + int(minutes)) * (60_000 if sign == "+" else -60_000) if sign else 0
    return timegm(when.timetuple()) * 1000 + int(second) * 1000 + int(f"{(fraction or '.')[1:]}000"[:3]) - offset


def any_time(written: Any) -> int:
    """Numbers since 1970 by their size, ISO 8601, `2006/01/02 15:04:05` (UTC), or the time of Common Log."""
    if isinstance(written, str) and "/" in written:
        written = written.strip("[]")
        return _auto(written.replace("/", "-")) if written[4:5] == "/" else clf_time(written)
    if isinstance(written, bool):
        raise TypeError(written)
    return _auto(written)


def split_request(row: Row, line: str) -> None:
    """The request line, as sent, into method, target and protocol; one that is none is kept as `more.request`."""
    method, _, rest = line.partition(" ")
    target, _, protocol = rest.rpartition(" ")
    if not _PROTOCOL.fullmatch(protocol):
        target, protocol = rest, ""
    target = target.strip()
    if target and _METHOD.fullmatch(method):
        row["method"], row["target"], row["protocol"] = method, target, protocol or None
    elif line[:1] == "/" and row.get("method"):  # Logstash calls the target so
        row["target"] = line
    elif not missing(line):
        row["more"]["request"] = line


def unescaped(text: str) -> str:
    r"""What Apache and nginx wrote as `\"`, `\\` or `\xD0` as it was sent."""
    if "\\" not in text:
        return text
    return decoded(_ESCAPE.sub(_escape, text.encode()))


def _escape(match: re.Match[bytes]) -> bytes:
    code, character = match.groups()
    return bytes.fromhex(code.decode()) if code else _CONTROLS.get(character, match[0])


def decoded(raw: bytes) -> str:
    """UTF-8, or Latin-1 where it is none: every line of bytes is text of one of them."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def client(address: Any, forwarded: Any = None) -> str | None:
    """Who asked: the first public address of X-Forwarded-For, if it has one, else that of the connection, as `parsed` writes it.

    A private one in X-Forwarded-For is what a company's own proxy wrote, or no client at all but the server behind; it counts
    where the connection is none of the internet either. It may be a host's name, too; None where the log names none (`-`, `unix:`).
    Unmappable if it is neither: then the line is of another format.
    """
    first, public = _asked_for(str(forwarded or ""))
    if public:
        return public
    connection = _connection(str(address or ""))
    return connection if first is None or (connection and not is_private(connection)) else first


def first_address(forwarded: str) -> str | None:
    """The first address of `X-Forwarded-For: client, proxy, proxy`, or of RFC 7239's Forwarded; a client may have written anything."""
    return _asked_for(forwarded)[0]


@lru_cache(1 << 14)
def _asked_for(forwarded: str) -> tuple[str | None, str | None]:
    """The first address of such a list, and the first that is public."""
    first = None
    for hop in forwarded[:_LONGEST_LIST].split(","):
        if "=" in hop:
            hop = match[1] if (match := _FOR.search(hop)) else ""
        with suppress(ValueError):
            address = str(parsed(hop))
            if not is_private(address):
                return first or address, address
            first = first or address
    return first, None


@lru_cache(1 << 14)
def is_private(address: str) -> bool:
    """Whether it is of somebody's own network, not of the internet; a host's name is not."""
    with suppress(ValueError):
        read: Any = parsed(address)
        return any(read in network for network in _PRIVATE)
    return False


@lru_cache(1 << 14)
def _connection(address: str) -> str | None:
    if first := first_address(address):
        return first
    name = address.partition(",")[0].strip(' "')
    if name.lower() in _NOBODY or name.startswith("unix:"):
        return None
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name) or name in _NO_NAMES:
        raise Unmappable("malformed_line", f"{name[:60]!r} is no address and no name of a host")
    return name.partition(":")[0]


def is_no_login(user: str) -> bool:
    """Whether other fields stand in it: a field without a value, a time or a tag, an address."""
    words = user.split()
    return len(words) > 1 and any(word == "-" or ":" in word or first_address(word) for word in words)

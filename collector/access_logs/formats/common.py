"""Common and Combined Log Format of Apache, nginx and Traefik, each also with the virtual host in front.

https://httpd.apache.org/docs/2.4/logs.html; what may follow the user agent is nginx's `main` format, whose
next field is X-Forwarded-For, Traefik's five fields, or an administrator's own. Where others add to it, that is read, too:
addresses of X-Forwarded-For in front, ingress-nginx's `address - [address] - user`, a word between time and request.
"""

import re
from collections.abc import Callable
from typing import Final

from collector.access_logs.values import (
    QUOTED,
    Format,
    Reader,
    any_time,
    client,
    first_address,
    is_no_login,
    is_private,
    missing,
    moment,
    split_request,
    unescaped,
)
from collector.imports.cells import Row
from collector.request.errors import Unmappable

_ADDRESS: Final = r"(?P<address>[^\s,]++(?:, *+[^\s,]++)*+)"
_WHO: Final = r" ++(?P<ident>\S++) ++(?P<user>[^\[\]]*[^\[\]\s])"
_HOST: Final = (
    r"(?P<host>[^\s:,\[]++(?:, *+[^\s,]++)*+|\[[^\s\]]++\])(?::(?P<port>\d++))? "
    rf"(?P<address>(?!- )[^\s,]++(?:, *+[^\s,]++)*+){_WHO}"
)
_NO_HOST: Final = rf"{_ADDRESS}(?: - \[(?P<forwarded>[^\]]*+)\] - (?P<ingress_user>[^\[\]]*[^\[\]\s])|{_WHO})"
_LOOSE: Final = r'"(?P<request>.*?)"'
_ANSWER: Final = r" ++\[(?P<time>[^\]]{16,40})\] ++(?:(?P<between>[^\s\"][^\"]{0,254}?) )?REQUEST ++(?P<status>\d{3}|-) ++(?P<bytes>\d+|-)"
_WORDS: Final = r"(?: (?P<tail>[^\s\"]++(?: [^\s\"]++)*+))?"
_PAGE: Final = f" ++{QUOTED.format('referrer')} ++{QUOTED.format('agent')}(?: (?P<tail>.*))?"
_NO_HOSTS: Final = ("-", "_")
"""nginx's `server_name _` is for any host."""
_SECOND_HOST: Final = re.compile(r"(?:[\w-]+\.)+[A-Za-z]{2,}(?::\d{1,5})?")
"""The host where others have the ident, as lighttpd, Virtualmin and OVH write it."""
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"|(\S+)')


def _reader(start: str, end: str) -> Callable[[], Reader]:
    patterns = [  # a server of 1995 wrote quotes inside a request as they came
        re.compile(start + _ANSWER.replace("REQUEST", request) + end + " *")
        for request in (QUOTED.format("request"), _LOOSE)
    ]

    def read(line: str) -> Row:
        for pattern in patterns:
            if match := pattern.fullmatch(line):
                return _row(match.groupdict())
        raise Unmappable("malformed_line", "the line is not of the file's format")

    return lambda: read


def _row(row: Row) -> Row:
    row["time"] = moment(row["time"], any_time)
    row["more"] = {}
    if not missing(ident := row.pop("ident")):
        row["more"]["ident"] = ident
    ingress_user = row.pop("ingress_user", None)
    row["user"] = ingress_user or row["user"]
    if is_no_login(row["user"]):
        raise Unmappable("malformed_line", f"{row['user'][:60]!r} is no name with which somebody logged in")
    if row.get("host") in _NO_HOSTS:
        row["host"] = None
    if not row.get("host") and _SECOND_HOST.fullmatch(ident or ""):
        row["host"] = row["more"].pop("ident")
    client(row.get("host"))  # so that a word that is no host makes no page's address
    for name in ("referrer", "agent", "user"):
        row[name] = None if missing(row.get(name)) else unescaped(row[name])
    row["user"] = row["user"] and row["user"].strip('"')  # so Domino writes a name with blanks
    split_request(row, unescaped(row.pop("request")))
    forwarded = row.pop("forwarded", None)
    if tail := row.pop("tail", None):
        forwarded = _tail(row, tail) or forwarded
    if between := row.pop("between", None):
        row["more"]["between"] = between
    if _is_forwarded(row):
        forwarded = forwarded or row.pop("host")
    row["address"] = client(row["address"], forwarded)
    return row


def _tail(row: Row, tail: str) -> str | None:
    """What stands behind the user agent: the addresses of X-Forwarded-For, if they come first, and the rest."""
    token, forwarded = _TOKEN.match(tail), None
    if token and token[1] and (first_address(token[1]) or token[1] == "unknown"):
        forwarded = token[1]
    if forwarded or (token and token[1] == "-"):
        tail = tail[token.end() :].strip() if token else tail
    if tail:
        row["more"]["tail"] = tail
    return forwarded


def _is_forwarded(row: Row) -> bool:
    """Whether what stands where the host would is the client, whom a proxy of the site's own network, or several, asked for."""
    host, port = row.get("host"), row.get("port")
    if host and "," in host:
        if first_address(host) is None:
            raise Unmappable("malformed_line", f"{host[:60]!r} is no host and no list of addresses")
        return True
    if not host or port or first_address(host) is None:
        return False
    peer = first_address(row["address"])
    return peer is not None and is_private(peer)


FORMATS: Final = (  # that with a host first: the other reads its lines too, as those of a user with a blank in the name
    Format("combined_vhost", "Apache's vhost_combined, nginx with $host in front", _reader(_HOST, _PAGE)),
    Format("combined", "Apache, nginx, Traefik", _reader(_NO_HOST, _PAGE)),
    Format("common_vhost", "Apache's vhost_common", _reader(_HOST, _WORDS)),
    Format("common", "Apache, and most servers since 1995", _reader(_NO_HOST, _WORDS)),
)

"""Common and Combined Log Format of Apache, nginx and Traefik, each also with the virtual host in front.

https://httpd.apache.org/docs/2.4/logs.html; what may follow the user agent is nginx's `main` format, whose
next field is X-Forwarded-For, Traefik's five fields, or an administrator's own.
"""

import re
from collections.abc import Callable
from typing import Final

from collector.access_logs.values import (
    Format,
    Reader,
    clf_time,
    first_address,
    missing,
    moment,
    split_request,
    unescaped,
)
from collector.imports.rows import Row
from collector.request.errors import Unmappable

_HOST: Final = (
    r"(?P<host>[^\s:\[]+|\[[^\s\]]+\])(?::(?P<port>\d+))? (?P<address>(?!- )\S+) (?P<ident>\S+) (?P<user>\S+)"
)
_NO_HOST: Final = r"(?P<address>\S+) (?P<ident>\S+) (?P<user>\S.*?)"
_QUOTED: Final = r'"(?P<{}>(?:[^"\\]|\\.)*+)"'
_LOOSE: Final = r'"(?P<request>.*?)"'
_ANSWER: Final = r" \[(?P<time>[^\]]{20,40})\] REQUEST (?P<status>\d{3}) (?P<bytes>\d+|-)"
_PAGE: Final = f" {_QUOTED.format('referrer')} {_QUOTED.format('agent')}(?: (?P<tail>.*))?"
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*+)"|(\S+)')
_ADDRESSES: Final = re.compile(r"[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*(, *[\w.:]+)*")


def _reader(start: str, end: str) -> Callable[[], Reader]:
    patterns = [  # a server of 1995 wrote quotes inside a request as they came
        re.compile(start + _ANSWER.replace("REQUEST", request) + end + " *")
        for request in (_QUOTED.format("request"), _LOOSE)
    ]

    def read(line: str) -> Row:
        for pattern in patterns:
            if match := pattern.fullmatch(line):
                return _row(match.groupdict())
        raise Unmappable("malformed_line", "the line is not of the file's format")

    return lambda: read


def _row(row: Row) -> Row:
    row["time"] = moment(row["time"], clf_time)
    row["more"] = {}
    if not missing(ident := row.pop("ident")):
        row["more"]["ident"] = ident
    for name in ("referrer", "agent", "user"):
        row[name] = None if missing(row.get(name)) else unescaped(row[name])
    split_request(row, unescaped(row.pop("request")))
    if tail := row.pop("tail", None):
        _tail(row, tail)
    return row


def _tail(row: Row, tail: str) -> None:
    """What stands behind the user agent: the addresses of X-Forwarded-For, if they come first, and the rest."""
    token = _TOKEN.match(tail)
    if token and token[1] and _ADDRESSES.fullmatch(token[1]):
        row["address"] = first_address(token[1])
        tail = tail[token.end() :].strip()
    elif token and token[1] == "-":
        tail = tail[token.end() :].strip()
    if tail:
        row["more"]["tail"] = tail


FORMATS: Final = (  # that with a host first: the other reads its lines too, as those of a user with a blank in the name
    Format("combined_vhost", "Apache's vhost_combined, nginx with $host in front", _reader(_HOST, _PAGE)),
    Format("combined", "Apache, nginx, Traefik", _reader(_NO_HOST, _PAGE)),
    Format("common_vhost", "Apache's vhost_common", _reader(_HOST, "")),
    Format("common", "Apache, and most servers since 1995", _reader(_NO_HOST, "")),
)

"""W3C Extended Log Format: a `#Fields:` line names the columns. IIS and CloudFront write it.

https://www.w3.org/TR/WD-logfile.html; CloudFront separates by tabs and percent-encodes what it wrote
(https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html), IIS writes a blank as `+`.
"""

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from collector.access_logs.values import Format, Names, request
from collector.imports.rows import Row
from collector.request.errors import Unmappable
from collector.request.times import parser

_NAMES: Final[Names] = {
    "time": ("when",),
    "forwarded": ("x-forwarded-for", "X-Forwarded-For", "cs(X-Forwarded-For)"),
    "address": ("c-ip", "c-dns"),
    "user": ("cs-username",),
    "method": ("cs-method",),
    "target": ("target", "cs-uri"),
    "protocol": ("cs-protocol-version", "cs-version"),
    "status": ("sc-status",),
    "bytes": ("sc-bytes", "bytes"),
    "referrer": ("cs(Referer)",),
    "agent": ("cs(User-Agent)",),
    "scheme": ("cs-protocol",),
    "host": ("x-host-header", "cs-host", "cs(Host)"),
    "port": ("s-port",),
    "content_type": ("sc-content-type",),
}
_TOKEN: Final = re.compile(r'"(?:[^"]|"")*+"|\S+')
_time: Final = parser("iso8601")


class _W3C:
    """Reads the lines of one file; what `#Fields:` and `#Date:` said last counts."""

    def __init__(self, is_cloudfront: bool) -> None:
        self._cloudfront = is_cloudfront
        self._fields: list[str] = []
        self._date = ""

    def __call__(self, line: str) -> Row | None:
        if line.startswith("#"):
            self._directive(*line[1:].partition(":")[::2])
            return None
        fields = self._columns(line)
        fields["when"] = f"{fields.pop('date', self._date)}T{fields.pop('time', '00:00:00')}Z"
        fields["target"] = _target(fields)
        for name in ("cs(Referer)", "cs(User-Agent)"):
            if name in fields:
                fields[name] = self._text(fields[name])
        return request(fields, _NAMES, _time)

    def _directive(self, name: str, value: str) -> None:
        if name == "Fields":
            self._fields = value.split()
        elif name == "Date":
            self._date = value.split()[0] if value.split() else ""

    def _columns(self, line: str) -> Row:
        if not self._fields:
            raise Unmappable("missing_header", "no #Fields: line stands before this one")
        if ("x-edge-location" in self._fields) is not self._cloudfront:
            raise Unmappable("malformed_line", "the #Fields: line is of another format")
        values = line.split("\t") if "\t" in line else _TOKEN.findall(line) if '"' in line else line.split()
        if len(values) != len(self._fields):
            raise Unmappable("wrong_column_count", f"{len(values)} columns instead of {len(self._fields)}")
        return {name: _bare(value) for name, value in zip(self._fields, values, strict=True)}

    def _text(self, value: str) -> str:
        return unquote(unquote(value)) if self._cloudfront else value.replace("+", " ")


def _bare(value: str) -> str:
    return value[1:-1].replace('""', '"') if len(value) > 1 and value[0] == value[-1] == '"' else value


def _target(fields: Row) -> Any:
    """The path with its query; None where the columns are not there."""
    path, query = fields.pop("cs-uri-stem", None), fields.pop("cs-uri-query", "-")
    return path if query in ("-", "") or path is None else f"{path}?{query}"


def _reader(is_cloudfront: bool) -> Callable[[], _W3C]:
    return lambda: _W3C(is_cloudfront)


FORMATS: Final = (
    Format("cloudfront", "Amazon CloudFront, standard logs", _reader(True)),
    Format("w3c", "IIS, and others with a #Fields: line", _reader(False)),
)

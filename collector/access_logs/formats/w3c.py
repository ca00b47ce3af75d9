"""W3C Extended Log Format: a `#Fields:` line names the columns. IIS and CloudFront write it, CloudFront also as JSON.

CloudFront's real-time logs have no such line: they are read as having all fields, in Amazon's order; `own_fields` reads others.

https://www.w3.org/TR/WD-logfile.html; CloudFront separates by tabs and percent-encodes what it wrote
(https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html), IIS writes a blank as `+`.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from collector.access_logs.formats.json_objects import json_object
from collector.access_logs.values import CLIENT_HEADERS, Format, Names, any_time, missing, request
from collector.imports.cells import Row, text
from collector.request.errors import Unmappable

_NAMES: Final[Names] = {
    "time": ("when",),
    "forwarded": (*(form.format(name) for name in CLIENT_HEADERS for form in ("{}", "cs({})", "cs-{}")), "s-xff"),
    "address": ("c-ip", "c-dns"),
    "user": ("cs-username", "c-username", "cs-auth-username"),
    "method": ("cs-method",),
    "target": ("cs-uri-stem", "cs-uri", "cs-url", "cs-uri-path"),
    "query": ("cs-uri-query",),
    "protocol": ("cs-protocol-version", "cs-version"),
    "status": ("sc-status", "c-status"),
    "bytes": ("sc-bytes", "bytes"),
    "referrer": ("cs(Referer)", "cs(Referrer)", "cs-referer"),
    "agent": ("cs(User-Agent)", "c-user-agent", "cs-user-agent"),
    "scheme": ("cs-protocol", "cs-uri-scheme"),
    "host": ("x-host-header", "cs-host", "cs(Host)"),
    "port": ("s-port", "cs-uri-port"),
    "content_type": ("sc-content-type", "rs(content-type)"),
}
_TIMES: Final = (("date", "time"), ("date-local", "time-local"), ("x-date", "x-time"))
"""Columns of the date and of the time; a column `time` alone goes with what `#Date:` said."""
_WHOLE_TIMES: Final = ("timestamp", "x-timestamp", "date-time", "datetime", "timestamp(ms)")
_KNOWN: Final = {
    name.lower(): name for names in (*_NAMES.values(), *_TIMES, _WHOLE_TIMES, ("x-edge-location",)) for name in names
}
_REALTIME: Final = [
    "timestamp", "c-ip", "time-to-first-byte", "sc-status", "sc-bytes", "cs-method", "cs-protocol", "cs-host", "cs-uri-stem",
    "cs-bytes", "x-edge-location", "x-edge-request-id", "x-host-header", "time-taken", "cs-protocol-version", "c-ip-version",
    "cs-user-agent", "cs-referer", "cs-cookie", "cs-uri-query", "x-edge-response-result-type", "x-forwarded-for", "ssl-protocol",
    "ssl-cipher", "x-edge-result-type", "fle-encrypted-fields", "fle-status", "sc-content-type", "sc-content-len", "sc-range-start",
    "sc-range-end", "c-port", "x-edge-detailed-result-type", "c-country", "cs-accept-encoding", "cs-accept",
    "cache-behavior-path-pattern", "cs-headers", "cs-header-names", "cs-headers-count", "primary-distribution-id",
    "primary-distribution-dns-name", "origin-fbl", "origin-lbl", "asn",
]  # fmt: skip
"""https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/real-time-logs.html; fields were added at the end."""
_REALTIME_AT_FIRST: Final = 40
_FIELDS: Final = "#Fields:"
_WITHOUT_SCHEME: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::\d+)?/")
_EPOCH: Final = re.compile(r"\d{9,11}\.\d{3}")
_TOKEN: Final = re.compile(r'"(?:[^"]|"")*+"|\S+')


class _W3C:
    """Reads the lines of one file; what `#Fields:` and `#Date:` said last counts."""

    def __init__(self, is_cloudfront: bool, fields: str = "") -> None:
        self._cloudfront = is_cloudfront
        self._fields: list[str] = []
        self._directive("Fields", fields)
        self._date = ""

    def __call__(self, line: str) -> Row | None:
        if line.startswith("#"):
            self._directive(*line[1:].partition(":")[::2])
            return None
        fields = self._object(line) if self._cloudfront and line.startswith("{") else self._columns(line)
        fields["when"] = self._when(fields)
        if _WITHOUT_SCHEME.match(text(fields.get("cs-uri") or "")):
            fields["cs-uri"] = f"http://{fields['cs-uri']}"
        for name in (*_NAMES["referrer"], *_NAMES["agent"]):
            if name in fields:
                fields[name] = self._text(fields[name])
        return request(fields, _NAMES, any_time)

    def _when(self, fields: Row) -> str:
        for name in _WHOLE_TIMES:
            if not missing(fields.get(name)):
                return text(fields.pop(name))
        date, time = next((names for names in _TIMES if names[0] in fields), _TIMES[0])
        return f"{fields.pop(date, self._date)}T{fields.pop(time, '00:00:00')}Z"

    def _object(self, line: str) -> Row:
        fields = {_KNOWN.get(name.lower(), name): value for name, value in json_object(line).items()}
        if "c-ip" not in fields:
            raise Unmappable("missing_visitor", "the line has no c-ip")
        return fields

    def _directive(self, name: str, value: str) -> None:
        if name == "Fields":
            self._fields = [_KNOWN.get(name.lower(), name) for name in value.split()]
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

    def _text(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return unquote(unquote(value)) if self._cloudfront or "%20" in value else value.replace("+", " ")


def _read_realtime(line: str) -> Row:
    values = line.split("\t")
    if not _REALTIME_AT_FIRST <= len(values) <= len(_REALTIME) or not _EPOCH.fullmatch(values[0]):
        raise Unmappable("malformed_line", "the line is not of the file's format")
    return _realtime(len(values))(line) or {}


@lru_cache
def _realtime(columns: int) -> _W3C:
    return _W3C(True, " ".join(_REALTIME[:columns]))


def own_fields(words: str) -> Format | None:
    """The format of files without a header whose columns a `#Fields:` line describes; None if the words are none."""
    if not words.startswith(_FIELDS):
        return None
    fields = words.removeprefix(_FIELDS)
    return Format(words, "columns of one's own", lambda: _W3C("x-edge-location" in fields.split(), fields))


def _bare(value: str) -> str:
    return value[1:-1].replace('""', '"') if len(value) > 1 and value[0] == value[-1] == '"' else value


def _reader(is_cloudfront: bool) -> Callable[[], _W3C]:
    return lambda: _W3C(is_cloudfront)


FORMATS: Final = (
    Format("cloudfront", "Amazon CloudFront, standard logs, also as JSON", _reader(True)),
    Format("cloudfront_realtime", "Amazon CloudFront, real-time logs of all fields", lambda: _read_realtime),
    Format("w3c", "IIS, and others with a #Fields: line", _reader(False)),
)

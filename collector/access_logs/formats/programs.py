"""Access logs as programs and their frameworks write them, and IIS in its own form.

Most write Common Log; these do not: uWSGI, gin, fiber and chi (Go), aiohttp (Python), Actix (Rust),
the request log of Apache's mod_ssl, Rails, Zeek (its http.log), and IIS's native form, https://learn.microsoft.com/previous-versions/iis/6.0-sdk/ms525807(v=vs.90),
whose dates are month/day/year. Times without a zone are UTC.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from collector.access_logs.formats.json_objects import ANY
from collector.access_logs.values import QUOTED, Format, Names, Reader, any_time, request, unescaped
from collector.imports.cells import Row
from collector.request.errors import Unmappable

_REQUEST: Final = QUOTED.format("request")
_PAGE: Final = f"{QUOTED.format('referrer')} {QUOTED.format('agent')}"
_DAY: Final = r"\d{4}[-/]\d\d[-/]\d\d"
_CLOCK: Final = r"\d\d:\d\d:\d\d"
_UWSGI: Final = (
    r"\[pid: \d++\|app: [\d-]++\|req: [\d/-]++\] (?P<client>\S*+) \((?P<user>[^)]*+)\) \{[^}]*+\} \[(?P<time>[^\]]++)\] (?P<method>\S++) "
    r"(?P<target>\S++) => generated (?P<bytes>\d++) bytes in (?P<took>\d++ \w++)(?: via \S++)? "
    r"\((?P<protocol>HTTP/[\d.]++) (?P<status>\d{3})\)(?P<tail>.*+)"
)
_GO: Final = (
    rf"(?:\[GIN\] )?(?P<time>{_DAY}(?: -)? {_CLOCK}) ?\| ++(?P<status>\d{{3}}) ++\| ++(?P<took>\S++) ++\| ++(?P<client>\S++) ++\| ?+"
    r'(?P<method>[A-Z]++) ++(?:\| )?(?:"(?P<target>(?:[^"\\]|\\.)*+)"|(?P<bare>[^\s"|]++))(?P<tail>[^"]*+)'
)
_CHI: Final = (
    rf"(?P<time>{_DAY} {_CLOCK}(?:\.\d++)?) (?:\[(?P<request_id>[^\]]++)\] )?{_REQUEST} from (?P<client>\S++) - (?P<status>\d{{3}}) "
    r"(?P<bytes>\d++)B in (?P<took>\S++)"
)
_AIOHTTP: Final = (
    rf"(?P<client>\S++) \[(?P<time>[^\]]++)\] {_REQUEST} (?P<status>\d{{3}}) (?P<bytes>\d++|-)"
    rf"(?: {_PAGE})?(?: (?P<tail>.*+))?"
)
_ACTIX: Final = (
    rf"\[(?P<time>\S++) ++[A-Z]++ ++actix_web::middleware::logger\] (?P<client>\S++) {_REQUEST} (?P<status>\d{{3}}) (?P<bytes>\d++) "
    rf"{_PAGE}(?: (?P<tail>.*+))?"
)
_MOD_SSL: Final = (
    rf"\[(?P<time>[^\]]++)\] (?P<client>\S++) (?P<tls>(?:TLS|SSL)v\S++) (?P<cipher>\S++) {_REQUEST} (?P<bytes>\d++|-)"
)
_RAILS: Final = re.compile(
    r'(?:\[[^\]]{1,64}\] )*+Started (?P<method>[A-Z]++) "(?P<target>[^"]*+)" for (?P<client>\S++) at (?P<time>\d[^"]{15,40})'
)
_IIS: Final = [
    "client", "user", "date", "clock", "service", "server", "server_ip", "time_taken", "bytes_received", "bytes", "status",
    "win32_status", "method", "target", "query",
]  # fmt: skip
_IIS_SERVICE: Final = re.compile(r"[A-Z0-9]*SVC\d*")
_NAMES: Final[Names] = {
    name: (name,)
    for name in ("time", "user", "request", "method", "query", "protocol", "status", "bytes", "referrer", "agent")
} | {"address": ("client",), "target": ("target", "bare")}  # fmt: skip


def _clock(written: Any, form: str) -> int:
    return int(datetime.strptime(written, form).replace(tzinfo=UTC).timestamp() * 1000)


def _any_time(written: Any) -> int:
    return any_time(written.replace(" - ", " "))


def _reader(*patterns: str, time: Callable[[Any], int] = _any_time) -> Callable[[], Reader]:
    compiled = [re.compile(pattern) for pattern in patterns]

    def read(line: str) -> Row:
        match = next((match for pattern in compiled if (match := pattern.fullmatch(line.rstrip()))), None)
        if match is None:
            raise Unmappable("malformed_line", "the line is not of the file's format")
        row = request({name: unescaped(value or "") for name, value in match.groupdict().items()}, _NAMES, time)
        if "tls" in row["more"]:
            row["scheme"] = "https"
        return row

    return lambda: read


def _read_rails(line: str) -> Row | None:
    """What Rails says of a request when it starts; all else that it says of one is none."""
    if match := _RAILS.fullmatch(line.rstrip()):
        return request(match.groupdict(), _NAMES, any_time)
    if "Started " in line:
        raise Unmappable("malformed_line", "the line is not of the file's format")
    return None


def _zeek() -> Reader:
    """Of one file: what `#fields` said last counts."""
    fields: list[str] = []

    def read(line: str) -> Row | None:
        if line.startswith("#"):
            fields[:] = line.split("\t")[1:] if line.startswith("#fields\t") else fields
            return None
        values = line.split("\t")
        if "uri" not in fields or len(values) != len(fields):
            raise Unmappable("malformed_line", "the line is not of the columns that #fields names")
        return request(
            dict(zip(fields, ("" if value == "(empty)" else value for value in values), strict=True)), ANY, any_time
        )

    return read


def _read_iis(line: str) -> Row:
    values = line.rstrip(", ").split(", ")
    if not len(_IIS) - 1 <= len(values) <= len(_IIS) or not _IIS_SERVICE.fullmatch(values[4]):
        raise Unmappable("malformed_line", "the line is not of the file's format")
    fields: Row = dict(zip(_IIS, values, strict=False))
    day = fields.pop("date")
    fields["time"] = f"{day} {fields.pop('clock')}"
    year = "%y" if day[-3:-2] == "/" else "%Y"
    return request(fields, _NAMES, partial(_clock, form=f"%m/%d/{year} %H:%M:%S"))


FORMATS: Final = (
    Format("uwsgi", "uWSGI", _reader(_UWSGI, time=partial(_clock, form="%a %b %d %H:%M:%S %Y"))),
    Format("gin", "gin and fiber, of Go", _reader(_GO)),
    Format("chi", "chi, of Go", _reader(_CHI)),
    Format("aiohttp", "aiohttp's default, and Actix's", _reader(_AIOHTTP, _ACTIX)),
    Format("mod_ssl", "the request log of Apache's mod_ssl", _reader(_MOD_SSL)),
    Format("rails", "Rails' own log", lambda: _read_rails),
    Format("zeek", "Zeek's http.log, tab-separated", _zeek),
    Format("iis_native", "IIS in its native form", lambda: _read_iis),
)

"""HAProxy's HTTP log: `option httplog`, and what `option httpslog` adds behind it.

https://docs.haproxy.org/3.0/configuration.html#8.2.3. Its time names no zone and is read as UTC. Of captured request
headers, which bear no names in the log, those are recognized that say who asked and where.
"""

import re
from typing import Final

from collector.access_logs.values import Format, Names, clf_time, decoded, first_address, request
from collector.imports.cells import Row
from collector.request.errors import Unmappable

_LINE: Final = re.compile(
    r"(?P<client>\S+):(?P<client_port>\d+) \[(?P<time>[^\]]{20,40})\] (?P<frontend>\S+) (?P<backend>[^\s/]+)/(?P<server>\S+) "
    r"(?P<timers>[-+\d]+(?:/[-+\d]+){4}) (?P<status>-?\d+) \+?(?P<bytes>\d+) (?P<cookies>\S+ \S+) (?P<termination_state>\S{4}) "
    r"(?P<connections>[\d+]+(?:/[\d+]+){4}) (?P<queues>\d+/\d+) (?:\{(?P<captured>[^}]*)\} )?(?:\{(?P<captured_response>[^}]*)\} )?"
    r'"(?P<request>[^"]*)"?(?: (?P<tail>.*))?'
)
_NAMES: Final[Names] = {
    "time": ("time",),
    "forwarded": ("forwarded",),
    "address": ("client",),
    "request": ("request",),
    "status": ("status",),
    "bytes": ("bytes",),
    "referrer": ("referrer",),
    "agent": ("agent",),
    "host": ("host",),
}
_ESCAPE: Final = re.compile(rb"#([0-9A-F]{2})")
_HOST: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+(?::\d+)?|localhost(?::\d+)?")
_AGENT: Final = re.compile(r"[\w.-]+/[\w.+-]+(?: .*)?")


def _read(line: str) -> Row:
    match = _LINE.fullmatch(line)
    if match is None:
        raise Unmappable("malformed_line", "the line is not of the file's format")
    fields: Row = {name: _unescaped(value) for name, value in match.groupdict().items() if value}
    for value in fields.pop("captured", "").split("|"):
        if name := _header(value):
            fields.setdefault(name, value)
    if fields.get("request") == "<BADREQ>":
        fields["status"] = max(int(fields["status"]), 0)
    row = request(fields, _NAMES, clf_time)
    row["scheme"] = "https" if match["frontend"].endswith("~") else None  # so HAProxy marks TLS
    return row


def _header(value: str) -> str | None:
    """Which header it is a value of; None where that cannot be seen, or it may be a secret."""
    if first_address(value):
        return "forwarded"
    if value.startswith(("http://", "https://")):
        return "referrer"
    return "host" if _HOST.fullmatch(value) else "agent" if _AGENT.fullmatch(value) else None


def _unescaped(text: str) -> str:
    return decoded(_ESCAPE.sub(lambda code: bytes.fromhex(code[1].decode()), text.encode())) if "#" in text else text


FORMATS: Final = (Format("haproxy", "HAProxy's HTTP log", lambda: _read),)

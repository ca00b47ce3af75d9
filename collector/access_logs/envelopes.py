"""What stands around a line of an access log where something carried it: syslog, journald, containers, log shippers."""

import re
from typing import Any, Final

import msgspec

_STAMP: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_BSD: Final = r"[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?"
_LONG: Final = r"[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? [A-Z]{3,5}"  # journalctl -o short-full
_BARE: Final = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"  # Ruby's and Python's loggers
_LEVEL: Final = r"\[?(?:DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR)\]?:? ++"
_TAG: Final = r"[\w./@-]{1,64}(?:\[[\w.]{1,32}\])?: "
_AHEAD: Final = r"(?=\{|[\[\dA-Fa-f.:]{0,45}[.:][\], \dA-Fa-f.:]{0,512} (?:- [^\[]{1,256})?\[)"
_PREFIX: Final = re.compile(
    rf"(?:<\d{{1,3}}>)?(?:{_BSD}|{_STAMP}|{_LONG}) (?:[\w.:-]{{1,255}} )?(?:{_TAG}|{_AHEAD})"  # RFC 3164, files of rsyslog, journald
    rf"|\d{{9,10}}\.\d{{3,9}} [\w.:-]{{1,255}} {_TAG}"  # journalctl -o short-unix
    rf"|(?:\d{{1,6}} )?<\d{{1,3}}>1 (?:{_STAMP}|-) \S{{1,255}} \S{{1,48}} \S{{1,128}} \S{{1,32}} "  # RFC 5424, also as RFC 6587 counts it
    r'(?:-|(?=\w+=)|(?:\[(?:[^\]\\"]|\\.|"(?:[^"\\]|\\.)*+")*+\])+) ?(?:\ufeff)?'
    rf"|{_STAMP} (?:stdout|stderr) [FP](?::\S{{1,64}})? "  # Kubernetes' CRI
    rf"|[A-Z], \[{_BARE} #\d{{1,10}}\] ++[A-Z]{{1,8}} -- [^:]{{0,64}}: (?:\[[\w.:-]{{1,64}}\] )*+"  # Ruby
    rf"|(?:\[{_BARE}(?: [+-]\d{{4}})?\] \[\d{{1,10}}\] \[[A-Z]{{1,8}}\] |[A-Z]{{4,8}}:[\w.]{{1,64}}:|{_LEVEL}){_AHEAD}"  # Python
    r'|"(?=[\dA-Fa-f.:]{2,45} \S{1,64} \S{1,64} \[)'  # OpenLiteSpeed puts its lines in quotes
    r"|(?:\[pod/\S{1,255}\] |[\w.@-]{1,255} +\| )"  # kubectl logs --prefix, docker compose logs, docker service logs
)
_PAIRS: Final = re.compile(r"\w{1,32}=(?!.*\b(?:time|ts|t)=)")
_TIME: Final = re.compile(f"{_STAMP}|{_BARE}")
_COLOURS: Final = re.compile(r"\x1b\[[\d;]{0,16}m")
"""What Docker Compose and others paint a line's beginning with."""
_NAMES: Final = ("log", "message", "MESSAGE", "textPayload", "line", "short_message")
"""Of the text within a JSON object: Docker's and Fluent Bit's, Filebeat's, journald's, Google Cloud's, Loki's, Graylog's."""
_OBJECT: Final = "jsonPayload"
"""Of the object within one of Google Cloud's."""
_QUOTED_NAMES: Final = tuple(f'"{name}"' for name in (*_NAMES, _OBJECT))
_LINE: Final = re.compile(r"\s*\{|.*\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:|\d{4}-\d\d-\d\d", re.DOTALL)
_DEEPEST: Final = 3
_decode: Final = msgspec.json.Decoder().decode


def content(line: str) -> str:
    """The line that the server wrote; the line itself where nothing is known to stand around it.

    >>> content('Nov 27 10:00:00 web1 nginx[7]: 203.0.113.9 - - [27/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1')
    '203.0.113.9 - - [27/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1'
    """
    if "\x1b" in line:
        line = _COLOURS.sub("", line)
    for _ in range(_DEEPEST):
        inner = _within(line)
        if inner is None:
            return line
        line = inner.rstrip("\r\n")
    return line


def _within(line: str) -> str | None:
    if line.startswith("{"):
        return _text(line) if any(name in line for name in _QUOTED_NAMES) else None
    match = _PREFIX.match(line)
    if match is None:
        return None
    rest = line[match.end() :]
    if match[0] == '"':
        return rest.rstrip("\r\n").removesuffix('"')
    if _PAIRS.match(rest) and (time := _TIME.search(match[0])):  # logfmt often leaves it to what carries it
        return f'time="{time[0]}" {rest}'
    return rest


def _text(line: str) -> str | None:
    """A log's line, or its object, that an object has under one of the usual names; None where it has none."""
    try:
        value: Any = _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    if not isinstance(value, dict):
        return None
    if isinstance(inside := value.get(_OBJECT), dict):
        return msgspec.json.encode({"date": value.get("timestamp"), **inside}).decode()  # for one that names no time
    texts = (value.get(name) for name in _NAMES)
    return next((text for text in texts if isinstance(text, str) and _LINE.match(text)), None)

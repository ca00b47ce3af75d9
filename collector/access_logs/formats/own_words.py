"""A log in its server's own words: what nginx's `log_format` or Apache's `LogFormat` says becomes a reader of its lines.

https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format, https://httpd.apache.org/docs/2.4/mod/mod_log_config.html.
Apache's directives are read under the names of nginx's variables, which json_objects knows.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from collector.access_logs.formats.json_objects import NGINX, json_object
from collector.access_logs.values import Format, Names, Reader, any_time, is_no_login, missing, request, unescaped
from collector.imports.cells import Row, text
from collector.imports.formats.json_lines import flat
from collector.request.errors import Unmappable
from nextclick.errors import UsageError

_NAMES: Final[Names] = {**NGINX, "port": ("server_port",)}
_NGINX_DIRECTIVE: Final = re.compile(r"\s*log_format\s+\S+\s+(?:escape=\w+\s+)?(.*?);?\s*", re.DOTALL)
_APACHE_DIRECTIVE: Final = re.compile(
    r'(?i)\s*(?:LogFormat|(?:GlobalLog|CustomLog)\s+(?:"(?:[^"\\]|\\.)*"|\S+)|accesslog\.format\s*=)\s*"((?:[^"\\]|\\.)*)".*',
    re.DOTALL,
)
"""Apache's, and lighttpd's, which has the same words."""
_STRING: Final = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"|(\S+)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\([\"'\\tn])")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DIRECTIVE: Final = re.compile(r"%[!\d,]*[<>]?(?:\{([^}]*)\})?(\^[a-zA-Z]{2}|[a-zA-Z%])")
_APACHE: Final[Mapping[str, str]] = {
    "a": "remote_addr", "h": "remote_addr", "l": "remote_logname", "u": "remote_user", "r": "request", "s": "status",
    "b": "body_bytes_sent", "B": "body_bytes_sent", "O": "bytes_sent", "I": "request_length", "D": "request_microseconds",
    "T": "request_time", "v": "server_name", "V": "host", "p": "server_port", "m": "request_method", "U": "uri", "q": "args",
    "H": "server_protocol", "f": "filename", "k": "keepalive_requests", "L": "log_id", "P": "process_id",
    "X": "connection_status", "R": "handler", "A": "server_addr", "S": "bytes_transferred",
}  # fmt: skip
_APACHE_NAMED: Final[Mapping[str, str]] = {
    "i": "http_",
    "o": "sent_http_",
    "C": "cookie_",
    "e": "env_",
    "n": "note_",
    "x": "",
}
_CLOCKS: Final = ("sec", "msec", "usec")
_SHORT: Final[Mapping[str, str]] = {
    "%T": "%H:%M:%S",
    "%F": "%Y-%m-%d",
    "%R": "%H:%M",
    "%D": "%m/%d/%y",
    "%e": "%d",
    "%h": "%b",
}
_CONVERSION: Final = re.compile(r"%(.)")
_CONVERTED: Final[Mapping[str, str]] = {
    "Y": r"\d{4}", "z": r"(?:[+-]\d\d:?\d\d|Z)", "f": r"\d{1,6}", "%": "%", **dict.fromkeys("aAbBpZ", r"[^\W\d_]{1,20}"),
}  # fmt: skip
_LIST: Final = r'[^\s,"]*+(?:, *+[^\s,"]++)*+'
_UPSTREAMS: Final = r'[^\s,"]*+(?:(?:,| :) [^\s,"]++)*+'
_SHAPES: Final[Mapping[str, str]] = {
    "time_local": r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4}",
    "remote_user": r'[^\[\]"]*?',
    "request": r"(?:[A-Za-z]++ \S++ HTTP/[\d.]++|\S*+)",
    **dict.fromkeys(("http_x_forwarded_for", "proxy_add_x_forwarded_for"), _LIST),
}
"""Of values that stand without quotes and may hold blanks."""
_CHARACTERS: Final[Mapping[str, str]] = {
    "scheme": "[A-Za-z-]",
    "time_fraction": r"\d",
    "uri": r'[^?\s"]',
    "is_args": r"\?",
    **dict.fromkeys(("host", "http_host", "server_name"), r'[^/\s"|]'),
    **dict.fromkeys(
        ("status", "body_bytes_sent", "bytes_sent", "request_length", "request_time", "server_port", "msec"), r"[\d.-]"
    ),
}
"""What others are made of; they end where the text behind them begins, or with the first other character."""


class _Field(NamedTuple):
    name: str
    time_format: str = ""
    """Of a time, as strptime reads it."""


_Parts = Sequence[str | _Field]


@lru_cache(64)
def own_words(words: str) -> Format | None:
    """The format that the words describe; None if they are none. UsageError where lines of it could not be read."""
    server, parts = _parts(words)
    if not any(isinstance(part, _Field) for part in parts):
        return None
    _require(parts)
    reader = _json_reader(parts) if str(parts[0]).lstrip().startswith("{") else None
    return Format(words, f"a format in the words of {server}", reader or _line_reader(parts))


def _parts(words: str) -> tuple[str, _Parts]:
    words = words.replace("&quot;", '"')  # Tomcat's stand in XML
    if match := _NGINX_DIRECTIVE.fullmatch(words):
        strings = [first or second or bare for first, second, bare in _STRING.findall(match[1])]
        return "nginx", _split(_plain("".join(strings)), _VARIABLE, _variable)
    if match := _APACHE_DIRECTIVE.fullmatch(words):
        return "Apache", _split(_plain(match[1]), _DIRECTIVE, _directive)
    bare = _plain(words.strip("'\n"))
    if _VARIABLE.search(bare):
        return "nginx", _split(bare, _VARIABLE, _variable)
    return "Apache", _split(bare, _DIRECTIVE, _directive)


def _plain(string: str) -> str:
    return _ESCAPE.sub(lambda match: {"t": "\t", "n": "\n"}.get(match[1], match[1]), string)


def _split(
    string: str, pattern: re.Pattern[str], parts_of: Callable[[re.Match[str]], list[str | _Field]]
) -> list[str | _Field]:
    """Texts and fields in turn, neighbouring texts joined."""
    parts: list[str | _Field] = []
    place = 0
    for match in [*pattern.finditer(string), None]:
        new: list[str | _Field] = [
            string[place : match.start() if match else None],
            *(parts_of(match) if match else []),
        ]
        for part in new:
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part != "":
                parts.append(part)
        place = match.end() if match else place
    return parts


def _variable(match: re.Match[str]) -> list[str | _Field]:
    return [_Field(match[1] or match[2])]


def _directive(match: re.Match[str]) -> list[str | _Field]:
    argument, letter = match.groups()
    if letter == "%":
        return ["%"]
    if letter == "t":
        return ["[", _Field("time_local"), "]"] if argument is None else [_time_field(argument)]
    if argument and letter in _APACHE_NAMED:
        return [_Field(_APACHE_NAMED[letter] + argument.lower().replace("-", "_"))]
    if letter == "p" and argument == "remote":
        return [_Field("remote_port")]
    if letter == "a" and argument == "c":
        return [_Field("realip_remote_addr")]
    return [_Field(_APACHE.get(letter, f"apache_{letter.strip('^')}"))]


def _time_field(argument: str) -> _Field:
    form = argument.removeprefix("begin:").removeprefix("end:")
    if form in _CLOCKS or form == "%s":
        return _Field("msec")
    if form.endswith("_frac"):
        return _Field("time_fraction")
    for short, long in _SHORT.items():
        form = form.replace(short, long)
    return _Field("time", form)


def _require(parts: _Parts) -> None:
    names = {part.name for part in parts if isinstance(part, _Field)}
    for what, of, example in (
        ("time", "time", "$time_local or %t"),
        ("client's address", "address", "$remote_addr or %h"),
    ):
        wanted = {*_NAMES[of], *(_NAMES["forwarded"] if of == "address" else ())}
        if not names & wanted:
            raise UsageError(f"The format has no {what}, such as {example}: lines of it cannot be events.")


def _line_reader(parts: _Parts) -> Callable[[], Reader]:
    match_parts = _matcher(parts)

    def read(line: str) -> Row:
        fields = match_parts(line)
        if fields is None:
            raise Unmappable("malformed_line", "the line is not of the file's format")
        if is_no_login(fields.get("remote_user", "")):
            raise Unmappable(
                "malformed_line", f"{fields['remote_user'][:60]!r} is no name with which somebody logged in"
            )
        return request(fields, _NAMES, any_time)

    return lambda: read


def _matcher(parts: _Parts) -> Callable[[str], Row | None]:
    """Reads the fields out of a text. No part of its pattern looks back, so that no line can make it slow."""
    fields = [part for part in parts if isinstance(part, _Field)]
    pattern = re.compile("".join(_pattern(parts, place) for place in range(len(parts))) + r"[ \t]*", re.DOTALL)
    time_format = "\n".join(field.time_format for field in fields if field.time_format)
    _require_time(time_format)

    def match(line: str) -> Row | None:
        matched = pattern.fullmatch(line)
        if matched is None:
            return None
        row: Row = {}
        for field, value in zip(fields, matched.groups(), strict=True):
            if field.time_format:
                row["time"] = f"{row['time']}\n{value}" if "time" in row else value
            elif not missing(value):
                row.setdefault(field.name, unescaped(value))
        if time_format:
            row["time"] = _iso(row["time"], time_format)
        return row

    return match


def _require_time(form: str) -> None:
    try:
        datetime.strptime(datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC).strftime(form), form)
    except (ValueError, re.error) as error:
        raise UsageError(f"The format's times, as {form!r}, cannot be read: {error}.") from error


def _iso(written: str, form: str) -> str:
    try:
        time = datetime.strptime(written, form)
    except ValueError:
        raise Unmappable("bad_time", f"{written[:60]!r} is no time of the form {form}") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).isoformat()


def _pattern(parts: _Parts, place: int) -> str:
    part = parts[place]
    if isinstance(part, str):
        return re.escape(part)
    if part.time_format:
        return f"({_time_pattern(part.time_format)})"
    before, after = (parts[near] if 0 <= near < len(parts) else "" for near in (place - 1, place + 1))
    if isinstance(before, str) and isinstance(after, str) and before[-1:] == after[:1] == '"':
        return r'((?:[^"\\]|\\.)*+)'
    if isinstance(before, str) and isinstance(after, str) and (before[-1:], after[:1]) == ("[", "]"):
        return r"([^\]]*+)"
    if shape := _UPSTREAMS if part.name.startswith("upstream_") else _SHAPES.get(part.name):
        return f"({shape})"
    character = _CHARACTERS.get(part.name, ".")
    if isinstance(after, _Field):
        if character == ".":
            raise UsageError(
                f"In the format nothing stands between {part.name} and {after.name}: they cannot be told apart."
            )
        return f"({character}*+)"
    return f"((?:(?!{re.escape(after)}){character})*+)" if after else f"({character}*+)"


def _time_pattern(form: str) -> str:
    pattern, place = "", 0
    for match in _CONVERSION.finditer(form):
        pattern += re.escape(form[place : match.start()]) + _CONVERTED.get(match[1], r" ?\d{1,9}")
        place = match.end()
    return pattern + re.escape(form[place:])


def _json_reader(parts: _Parts) -> Callable[[], Reader] | None:
    """A reader of JSON whose values the parts describe; None where they are no JSON."""
    fields = [part for part in parts if isinstance(part, _Field)]
    numbers = iter(range(len(fields)))
    template = "".join(part if isinstance(part, str) else f"\x00{next(numbers)}\x00" for part in parts)
    bare = re.sub(r"(:\s*)(\x00\d+\x00)(?=\s*[,}])", r'\1"\2"', template).replace("\x00", "\\u0000")
    try:
        values = flat(msgspec.json.decode(bare))
    except (msgspec.DecodeError, AttributeError):
        return None
    matchers = {name: _matcher(_filled(value, fields)) for name, value in values.items() if "\x00" in str(value)}

    def read(line: str) -> Row:
        row: Row = {}
        for name, value in json_object(line).items():
            matched = matchers[name](text(value)) if name in matchers and value is not None else {name: value}
            row |= matched if matched is not None else {name: value}
        return request(row, _NAMES, any_time)

    return lambda: read


def _filled(value: str, fields: Sequence[_Field]) -> _Parts:
    pieces = value.split("\x00")
    return [piece if place % 2 == 0 else fields[int(piece)] for place, piece in enumerate(pieces) if piece]


_PROXY_MANAGER: Final = own_words(
    '[$time_local] $upstream_cache_status $upstream_status $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] '
    '[Length $body_bytes_sent] [Gzip $gzip_ratio] [Sent-to $server] "$http_user_agent" "$http_referer"'
)
assert _PROXY_MANAGER
FORMATS: Final = (Format("nginx_proxy_manager", "Nginx Proxy Manager", _PROXY_MANAGER.reader),)

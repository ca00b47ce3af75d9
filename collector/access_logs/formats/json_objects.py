"""Access logs of one JSON object a line: nginx, Caddy, Traefik, Cloudflare, and others (other_names.py).

nginx has no fixed names: its variables, and those that are usual for them, are known; also those of ingress-nginx,
Matomo's documentation, Elastic's Common Schema and Google Cloud's load balancers. What nginx wrote without `escape=json`
is mended where it is no JSON.
https://caddyserver.com/docs/caddyfile/directives/log, https://doc.traefik.io/traefik/observability/access-logs/,
https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/zone/http_requests/
"""

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote_plus

import msgspec

from collector.access_logs.formats.other_names import OTHERS
from collector.access_logs.values import (
    CLIENT_HEADERS,
    Format,
    Names,
    Reader,
    any_time,
    first_address,
    missing,
    request,
    unescaped,
)
from collector.dialects.shared.json_text import TEXT, json_of
from collector.imports.cells import Row
from collector.imports.formats.json_lines import flat
from collector.request.errors import Unmappable

NGINX: Final[Names] = {
    "time": ("time_iso8601", "msec", "time_local", "@timestamp", "timestamp", "time", "ts", "date"),
    "forwarded": (
        *(f"http_{name.replace('-', '_')}" for name in CLIENT_HEADERS),
        "x_forwarded_for",
        "xff",
        "x_real_ip",
    ),
    "address": (
        "remote_addr",
        "realip_remote_addr",
        "remote_ip",
        "client_ip",
        "clientip",
        "client",
        "ip",
        "proxy_protocol_addr",
        "client.ip",
        "source.ip",
        "httpRequest.remoteIp",
    ),
    "user": ("remote_user", "user"),
    "request": ("request",),
    "method": ("request_method", "method", "verb", "http.request.method", "httpRequest.requestMethod"),
    "target": ("request_uri", "uri", "url", "path", "url.original", "url.path", "httpRequest.requestUrl"),
    "query": ("request_query", "query_string", "args", "query", "url.query"),
    "protocol": ("server_protocol", "protocol", "request_proto", "httpRequest.protocol"),
    "status": ("status", "response", "status_code", "http.response.status_code", "httpRequest.status"),
    "bytes": (
        "body_bytes_sent",
        "bytes_sent",
        "bytes",
        "size",
        "length",
        "http.response.body.bytes",
        "httpRequest.responseSize",
    ),
    "referrer": (
        "http_referer",
        "http_referrer",
        "referer",
        "referrer",
        "http.request.referrer",
        "httpRequest.referer",
    ),
    "agent": ("http_user_agent", "user_agent", "agent", "user_agent.original", "httpRequest.userAgent"),
    "scheme": ("scheme", "http_x_forwarded_proto"),
    "host": ("http_host", "host", "server_name", "vhost", "domain", "url.domain"),
    "content_type": ("sent_http_content_type",),
}
ANY: Final[Names] = {name: (*names, *OTHERS.get(name, ())) for name, names in NGINX.items()}
_CADDY: Final[Names] = {
    "time": ("ts",),
    "address": ("request.client_ip", "request.remote_ip", "request.remote_addr"),
    "forwarded": tuple(f"request.headers.{name.title()}" for name in CLIENT_HEADERS),
    "user": ("user_id",),
    "method": ("request.method",),
    "target": ("request.uri",),
    "protocol": ("request.proto",),
    "status": ("status",),
    "bytes": ("size",),
    "referrer": ("request.headers.Referer",),
    "agent": ("request.headers.User-Agent",),
    "host": ("request.host",),
    "content_type": ("resp_headers.Content-Type",),
}
_TRAEFIK: Final[Names] = {
    "time": ("StartUTC", "time", "StartLocal"),
    "forwarded": tuple(f"request_{name.title()}" for name in CLIENT_HEADERS),
    "address": ("ClientHost", "ClientAddr"),
    "user": ("ClientUsername",),
    "method": ("RequestMethod",),
    "target": ("RequestPath",),
    "protocol": ("RequestProtocol",),
    "status": ("DownstreamStatus", "OriginStatus"),
    "bytes": ("DownstreamContentSize", "OriginContentSize"),
    "referrer": ("request_Referer",),
    "agent": ("request_User-Agent",),
    "scheme": ("RequestScheme",),
    "host": ("RequestHost", "RequestAddr"),
    "content_type": ("downstream_Content-Type", "origin_Content-Type"),
}
_CLOUDFLARE: Final[Names] = {
    "time": ("EdgeStartTimestamp", "Datetime"),
    "address": ("ClientIP",),
    "method": ("ClientRequestMethod",),
    "target": ("ClientRequestURI", "ClientRequestPath"),
    "protocol": ("ClientRequestProtocol",),
    "status": ("EdgeResponseStatus",),
    "bytes": ("EdgeResponseBytes",),
    "referrer": ("ClientRequestReferer",),
    "agent": ("ClientRequestUserAgent",),
    "scheme": ("ClientRequestScheme",),
    "host": ("ClientRequestHost",),
    "content_type": ("EdgeResponseContentType",),
}
_decode: Final = msgspec.json.Decoder().decode
_DEEPEST: Final = 32
_TELLS: Final = ("method", "target", "request", "status")
"""One of them each request has: an object of an address and a time alone is what an application logs."""
_BYTES: Final = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_CONSOLE: Final = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?)\t[A-Z]+\t[^\t]*\t[^\t]*\t(?=\{)")
"""What stands before Caddy's object in its format for people: the time, the level, the logger, the message."""
_EMPTY: Final = re.compile(rf"({TEXT})|:\s*+(?:-\s*+)?(?=[,}}])|,\s*+(?=}})", re.DOTALL)


def _reader(names: Names) -> Callable[[], Reader]:
    def read(line: str) -> Row:
        console = _CONSOLE.match(line)
        values = json_object(line[console.end() :]) | {"ts": console[1]} if console else json_object(line)
        if names is ANY:
            _renamed(values)
        if not any(name in values for name in (*names["address"], *names.get("forwarded", ()))):
            raise Unmappable("missing_visitor", f"the line has no {' or '.join(names['address'])}")
        fields = {name: _single(value) for name, value in values.items() if not missing(value)}
        row = request(fields, names, any_time)
        if not any(row.get(name) for name in _TELLS):
            raise Unmappable("malformed_line", "the object tells of no request")
        if "request.tls.version" in row["more"]:
            row["scheme"] = "https"
        return row

    return lambda: read


def _renamed(values: Row) -> None:
    """Fluentd's and Vector's parsers call a status `code` and the client `host`; Akamai writes agents as addresses are written."""
    if "method" in values and "code" in values:
        values.setdefault("status", values.pop("code"))
    if (
        "method" in values
        and all(missing(values.get(name)) for name in ANY["address"])
        and first_address(str(values.get("host")))
    ):
        values["remote_addr"] = values.pop("host")
    if isinstance(agent := values.get("UA"), str):
        values["UA"] = unquote_plus(agent)


def json_object(line: str) -> Row:
    """The line's object, nested names with dots."""
    try:
        value = _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        value = _mended(line)
        if value is None:
            raise Unmappable("malformed_json", f"the line is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unmappable("malformed_json", "the line is JSON, but no object")
    return flat(value)


def _mended(line: str) -> Any:
    r"""What nginx means where it writes its own escapes (`\x22`), and nothing or `-` for a number; None if it is no JSON yet."""
    text = _BYTES.sub(lambda match: msgspec.json.encode(unescaped(match[0])).decode()[1:-1], line)
    text = _EMPTY.sub(lambda match: match[1] or (":null" if match[0][0] == ":" else ""), text)
    try:
        return json_of(text.encode("utf-8", "replace"), _DEEPEST)
    except (ValueError, RecursionError):
        return None


def _single(value: Any) -> Any:
    """Of a header sent several times the only value; a text that Logstash left in its quotes is what they hold."""
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value[0] if isinstance(value, list) and len(value) == 1 else value


FORMATS: Final = (
    Format("caddy", "Caddy's JSON", _reader(_CADDY)),
    Format("traefik", "Traefik's JSON", _reader(_TRAEFIK)),
    Format("cloudflare", "Cloudflare's Logpush, HTTP requests", _reader(_CLOUDFLARE)),
    Format("nginx_json", "nginx with a log_format of JSON, and others' JSON", _reader(ANY)),
)

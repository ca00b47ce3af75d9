"""Access logs of one JSON object a line: nginx (`log_format … escape=json`), Caddy, Traefik.

nginx has no fixed names: its variables, and those that are usual for them, are known.
https://caddyserver.com/docs/caddyfile/directives/log, https://doc.traefik.io/traefik/observability/access-logs/
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from collector.access_logs.values import Format, Names, Reader, any_time, missing, request
from collector.imports.json_lines import flat
from collector.imports.rows import Row
from collector.request.errors import Unmappable

_NGINX: Final[Names] = {
    "time": ("time_iso8601", "msec", "time_local", "@timestamp", "timestamp", "time", "ts"),
    "forwarded": ("http_x_forwarded_for", "x_forwarded_for", "xff"),
    "address": ("remote_addr", "realip_remote_addr", "remote_ip", "client_ip", "clientip", "client"),
    "user": ("remote_user", "user"),
    "request": ("request",),
    "method": ("request_method", "method", "verb"),
    "target": ("request_uri", "uri", "url", "path"),
    "protocol": ("server_protocol", "protocol"),
    "status": ("status", "response", "status_code"),
    "bytes": ("body_bytes_sent", "bytes_sent", "bytes", "size"),
    "referrer": ("http_referer", "http_referrer", "referer", "referrer"),
    "agent": ("http_user_agent", "user_agent", "agent"),
    "scheme": ("scheme", "http_x_forwarded_proto"),
    "host": ("http_host", "host", "server_name", "vhost", "domain"),
    "content_type": ("sent_http_content_type",),
}
_CADDY: Final[Names] = {
    "time": ("ts",),
    "address": ("request.client_ip", "request.remote_ip", "request.remote_addr"),
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
    "forwarded": ("request_X-Forwarded-For",),
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
_decode: Final = msgspec.json.Decoder().decode


def _reader(names: Names) -> Callable[[], Reader]:
    def read(line: str) -> Row:
        fields = _object(line)
        if not any(name in fields for name in names["address"]):
            raise Unmappable("missing_visitor", f"the line has no {' or '.join(names['address'])}")
        row = request(fields, names, any_time)
        if "request.tls.version" in row["more"]:
            row["scheme"] = "https"
        return row

    return lambda: read


def _object(line: str) -> Row:
    """The line's object, nested names with dots; of a header sent several times the first value."""
    try:
        value = _decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Unmappable("malformed_json", f"the line is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Unmappable("malformed_json", "the line is JSON, but no object")
    return {name: _single(value) for name, value in flat(value).items() if not missing(value)}


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


FORMATS: Final = (
    Format("caddy", "Caddy's JSON", _reader(_CADDY)),
    Format("traefik", "Traefik's JSON", _reader(_TRAEFIK)),
    Format("nginx_json", "nginx with a log_format of JSON", _reader(_NGINX)),
)

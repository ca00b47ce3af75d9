"""What gateways, clouds and applications call the parts of a request in JSON, beside nginx's names.

Envoy and Istio, Kong, Fastly's example, Azure's Front Door, gateways and App Service, Google's App Engine, Amazon's API Gateway and
WAF and VPC Lattice, Vercel, Netlify, Akamai's DataStream, Datadog's standard attributes, Logstash's patterns for Apache, Zeek, Suricata,
Nextcloud, gunicorn, echo, and pino, with which programs on Node write.
"""

from typing import Final

from collector.access_logs.values import CLIENT_HEADERS, Names

_HEADERS: Final = ("request.headers.", "req.headers.")
"""Where Kong and pino have the headers, in small letters."""


def _names(words: str, *headers: str) -> tuple[str, ...]:
    return *words.split(), *(f"{prefix}{header}" for prefix in _HEADERS for header in headers)


OTHERS: Final[Names] = {
    "time": _names(
        "start_time started_at protoPayload.startTime proxy.timestamp requestTime timeStamp time_unix_nano timeUnixNano reqTimeSec "
        "eventTimestamp"
    ),
    "forwarded": _names("", *CLIENT_HEADERS),
    "address": _names(
        "properties.clientIP properties.clientIp properties.CIp protoPayload.ip proxy.clientIp downstream_remote_address "
        "req.remoteAddress clientIp clientIP remoteAddress remote_address sourceIp httpRequest.clientIp network.client.ip client.address "
        "source.address remoteAddr remoteIP remoteIp remote remote-address src_ip id.orig_h cliIP sourceIpPort"
    ),
    "user": _names("auth"),
    "method": _names(
        "properties.httpMethod properties.CsMethod protoPayload.method proxy.method httpMethod request.method req.method "
        "httpRequest.httpMethod http.method http.http_method reqMethod requestMethod"
    ),
    "target": _names(
        "properties.requestUri properties.CsUriStem protoPayload.resource proxy.path request.uri req.url request.url resourcePath "
        "httpRequest.uri http.url http.uri reqPath requestPath"
    ),
    "query": _names("properties.requestQuery properties.CsUriQuery httpRequest.args queryStr"),
    "protocol": _names(
        "properties.httpVersion properties.requestProtocol protoPayload.httpVersion request_protocol httpRequest.httpVersion"
    ),
    "status": _names(
        "properties.httpStatusCode properties.httpStatus properties.ScStatus protoPayload.status proxy.statusCode response.status "
        "response_status response_code res.statusCode statusCode http.status_code http.status status-code responseCode"
    ),
    "bytes": _names(
        "properties.sentBytes properties.responseBytes properties.ScBytes protoPayload.responseSize response.size response_body_size "
        "responseLength network.bytes_written http.response.bytes http.length totalBytes response_body_len bytes_out content_size bytesSent"
    ),
    "referrer": _names(
        "properties.referer properties.referrer properties.Referer protoPayload.referrer proxy.referer request_referer "
        "http.referer http.http_refer",
        "referer",
    ),
    "agent": _names(
        "properties.userAgent properties.UserAgent protoPayload.userAgent proxy.userAgent request_user_agent userAgent "
        "http.useragent http.http_user_agent UA",
        "user-agent",
    ),
    "host": _names(
        "properties.originalHost properties.hostName properties.host properties.CsHost protoPayload.host proxy.host authority "
        "http.host http.hostname reqHost hostHeader",
        "host",
    ),
}  # fmt: skip

"""Access logs as gateways, clouds and applications write them, and what proxies say of whom they ask for."""

import json

import pytest

from collector.access_logs.formats import recognized
from tests.unit.collector.access_logs.test_formats import (
    AT,
    CADDY,
    CLF,
    COMBINED,
    FIREFOX,
    HIT,
    IIS_AGENT,
    NGINX,
    REFERRER,
    TRAEFIK,
    events,
    read,
)

HEADERS = {"host": "shop.example", "user-agent": FIREFOX, "referer": REFERRER}
OTHERS = {
    "Istio": {"start_time": "2026-01-02T03:04:05.250Z", "method": "GET", "path": "/shoes?size=42", "protocol": "HTTP/1.1",
              "response_code": 200, "bytes_sent": 5120, "x_forwarded_for": "203.0.113.9", "user_agent": FIREFOX,
              "authority": "shop.example", "downstream_remote_address": "10.0.0.7:51", "response_flags": "-"},
    "Kong": {"client_ip": "203.0.113.9", "started_at": 1767323045250, "request": {"method": "GET", "uri": "/shoes?size=42",
             "headers": HEADERS, "url": "http://shop.example:8000/shoes?size=42"}, "response": {"status": 200, "size": 5120}},
    "Fastly": {"timestamp": "2026-01-02T03:04:05+0000", "client_ip": "203.0.113.9", "host": "shop.example", "url": "/shoes?size=42",
               "request_method": "GET", "request_protocol": "HTTP/2", "request_referer": REFERRER, "request_user_agent": FIREFOX,
               "response_status": 200, "response_body_size": 5120},
    "Azure's Front Door": {"time": "2026-01-02T03:04:05.2500000Z", "category": "FrontDoorAccessLog", "properties": {
        "httpMethod": "GET", "requestUri": "http://shop.example:80/shoes?size=42", "clientIp": "203.0.113.9", "httpStatusCode": "200",
        "responseBytes": "5120", "userAgent": FIREFOX, "referer": REFERRER}},
    "Azure's App Service": {"time": "2026-01-02T03:04:05Z", "properties": {
        "CsMethod": "GET", "CsUriStem": "/shoes", "CsUriQuery": "size=42", "CIp": "203.0.113.9", "ScStatus": 200, "ScBytes": 5120,
        "UserAgent": FIREFOX, "Referer": REFERRER, "CsHost": "shop.example"}},
    "App Engine": {"protoPayload": {"startTime": "2026-01-02T03:04:05.250Z", "ip": "203.0.113.9", "method": "GET",
                   "resource": "/shoes?size=42", "status": 200, "responseSize": "5120", "userAgent": FIREFOX,
                   "referrer": REFERRER, "host": "shop.example"}},
    "API Gateway": {"requestId": "a", "ip": "203.0.113.9", "requestTime": CLF, "httpMethod": "GET", "resourcePath": "/shoes?size=42",
                    "status": "200", "protocol": "HTTP/1.1", "responseLength": "5120", "userAgent": FIREFOX, "host": "shop.example"},
    "Vercel": {"proxy": {"timestamp": 1767323045250, "method": "GET", "host": "shop.example", "path": "/shoes?size=42",
               "userAgent": [FIREFOX], "referer": REFERRER, "statusCode": 200, "clientIp": "203.0.113.9"}, "bytes": 5120},
    "pino": {"level": 30, "time": 1767323045250, "pid": 7, "req": {"method": "GET", "url": "/shoes?size=42", "headers": HEADERS,
             "remoteAddress": "203.0.113.9", "remotePort": 5123}, "res": {"statusCode": 200.0}, "responseTime": 5, "bytes": 5120},
    "Logstash": {"@timestamp": "2026-01-02T03:04:05.250Z", "clientip": "203.0.113.9", "ident": "-", "auth": "-", "verb": "GET",
                 "request": "/shoes?size=42", "httpversion": "1.1", "response": "200", "bytes": "5120", "referrer": f'"{REFERRER}"',
                 "agent": f'"{FIREFOX}"', "vhost": "shop.example"},
    "Datadog": {"timestamp": "2026-01-02T03:04:05.250Z", "http": {"method": "GET", "url": "http://shop.example/shoes?size=42",
                "status_code": 200, "useragent": FIREFOX, "referer": REFERRER}, "network": {"client": {"ip": "203.0.113.9"},
                "bytes_written": 5120}},
    "gunicorn": {"time": f"[{CLF}]", "remote_address": "203.0.113.9", "request": "GET /shoes?size=42 HTTP/1.1", "status": "200",
                 "response_length": "5120", "user_agent": FIREFOX, "host": "shop.example", "bytes": 5120},
    "Fluentd": {"host": "203.0.113.9", "user": None, "method": "GET", "path": "http://shop.example/shoes?size=42", "code": 200,
                "size": 5120, "referer": REFERRER, "agent": FIREFOX, "time": "2026-01-02T03:04:05Z"},
    "Vector": {"host": "203.0.113.9", "identity": "-", "user": "-", "method": "GET", "path": "http://shop.example/shoes?size=42",
               "size": 5120, "status": 200, "agent": FIREFOX, "message": "GET /shoes",
               "timestamp": "2026-01-02T03:04:05Z"},
    "Akamai": {"version": 2, "reqTimeSec": "1767323045.25", "totalBytes": "5120", "cliIP": "203.0.113.9", "statusCode": "200",
               "proto": "HTTP", "reqHost": "shop.example", "reqMethod": "GET", "reqPath": "/shoes", "queryStr": "size=42",
               "UA": FIREFOX.replace("/", "%2F").replace(" ", "%20")},
    "Zeek": {"ts": 1767323045.25, "uid": "C1", "id.orig_h": "203.0.113.9", "id.orig_p": 51234, "id.resp_h": "10.0.0.1", "method": "GET",
             "host": "shop.example", "uri": "/shoes?size=42", "user_agent": FIREFOX, "response_body_len": 5120, "status_code": 200},
    "Suricata": {"timestamp": "2026-01-02T03:04:05.250000+0000", "event_type": "http", "src_ip": "203.0.113.9", "http": {
        "hostname": "shop.example", "url": "/shoes?size=42", "http_user_agent": FIREFOX, "http_method": "GET", "status": 200,
        "length": 5120}},
    "VPC Lattice": {"eventTimestamp": "2026-01-02T03:04:05.250Z", "requestMethod": "GET", "requestPath": "/shoes?size=42",
                    "responseCode": 200, "sourceIpPort": "203.0.113.9:51234", "userAgent": FIREFOX, "bytesSent": 5120,
                    "hostHeader": "shop.example"},
    "Google's container": {"jsonPayload": NGINX | {"scheme": "http"}, "timestamp": "2026-01-02T03:04:06Z"},
    "Google's container without a time": {
        "jsonPayload": NGINX | {"scheme": "http", "time_iso8601": ""}, "timestamp": "2026-01-02T03:04:05Z"
    },
    "Loki": {"labels": {"app": "web"}, "line": json.dumps(NGINX | {"scheme": "http"}), "timestamp": "2026-01-02T03:04:06Z"},
}  # fmt: skip


def test_headers_in_a_list_keep_no_cookie_and_a_method_may_be_in_small_letters() -> None:
    waf = {
        "timestamp": 1767323045250,
        "httpRequest": {
            "clientIp": "203.0.113.9", "uri": "/shoes", "args": "size=42", "httpMethod": "get", "country": "BR",
            "headers": [{"name": "Host", "value": "shop.example"}, {"name": "Cookie", "value": "session=secret"}],
        },
    }  # fmt: skip
    (event,) = read(json.dumps(waf))
    assert (event["event"], event["page_url"], event["properties"]["httpRequest.country"]) == (
        "page_view",
        "/shoes?size=42",
        "BR",
    )
    assert "secret" not in json.dumps(event)


def test_what_an_application_logs_is_no_access_log() -> None:
    assert recognized([b'{"timestamp":"2026-01-02T03:04:05Z","ip":"203.0.113.9","user":"joe","msg":"login"}']) is None


@pytest.mark.parametrize("name", OTHERS)
def test_json_of_gateways_clouds_and_applications(name: str) -> None:
    (event,) = read(json.dumps(OTHERS[name]))
    assert event["client_time"] // 1000 == AT.timestamp()
    assert event["page_url"].replace(":8000", "") == "http://shop.example/shoes?size=42"
    assert event["visitor_id"] == read(COMBINED)[0]["visitor_id"], "the same client and user agent"
    assert (event["event"], event["properties"]["method"], event["properties"]["status"]) == (
        "page_view",
        "GET",
        "200" if name != "pino" else "200.0",
    )
    assert event["properties"]["bytes"] == "5120"


@pytest.mark.parametrize(
    "header",
    [
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Real-IP",
        "Fastly-Client-IP",
        "X-Cluster-Client-IP",
        "X-Azure-ClientIP",
        "Forwarded",
    ],
)
def test_a_proxy_may_say_in_another_header_for_whom_it_asks(header: str) -> None:
    plain = read(COMBINED)[0]["visitor_id"]
    asked_for = 'for="203.0.113.9:40000";proto=https, for=10.0.0.4' if header == "Forwarded" else "203.0.113.9"
    variable = f"http_{header.lower().replace('-', '_')}"
    request = {
        **CADDY["request"],
        "client_ip": "",
        "remote_ip": "10.0.0.4",
        "headers": {"User-Agent": [FIREFOX], header.title(): [asked_for]},
    }
    quoted = asked_for.replace('"', "")
    w3c = f'2026-01-02 03:04:05 GET /shoes 10.0.0.4 {IIS_AGENT} 200 "{quoted}"'
    rows = [
        *read(json.dumps(NGINX | {"remote_addr": "10.0.0.4", variable: asked_for})),
        *read(json.dumps(CADDY | {"request": request})),
        *read(json.dumps(TRAEFIK | {"ClientHost": "10.0.0.4", f"request_{header.title()}": asked_for})),
        *read(f"#Fields: date time cs-method cs-uri-stem c-ip cs(User-Agent) sc-status {header}", w3c),
    ]
    words = f'%h %t "%r" %>s "%{{User-Agent}}i" "%{{{header}}}i"'
    rows += events(words, f'10.0.0.4 [{CLF}] "GET / HTTP/1.1" 200 "{FIREFOX}" "{quoted}"')
    assert [event["visitor_id"] for event in rows] == [plain] * 5


def test_the_server_behind_is_no_client_and_a_companys_own_address_neither() -> None:
    direct = read(COMBINED)[0]["visitor_id"]
    nginx_proxy = f'shop.example {COMBINED} "10.0.0.7:8080"'  # its last field is $upstream_addr
    company = f'10.0.0.4 {HIT} "192.168.1.5, 203.0.113.9"'
    compose = f"\x1b[0;33;1mweb-1     | \x1b[0m{COMBINED}"
    for line in (nginx_proxy, company, compose, json.dumps(NGINX | {"http_x_forwarded_for": "192.168.1.5"})):
        assert [event["visitor_id"] for event in read(line)] == [direct], line
    assert read(f'10.0.0.4 {HIT} "192.168.1.5"')[0]["ip"] == "192.168.0.0", "an intranet's visitors are told apart"
    assert read(f'unix: {HIT} "192.168.1.5"')[0]["ip"] == "192.168.0.0"


def test_the_host_may_stand_second_and_python_writes_no_zone() -> None:
    (lighttpd,) = read(COMBINED.replace(" - - ", " shop.example - "))
    assert (lighttpd["page_url"], lighttpd.get("user_id")) == ("http://shop.example/shoes?size=42", None)
    assert "ident" not in lighttpd["properties"]
    (python,) = read('203.0.113.9 - - [02/Jan/2026 03:04:05] "GET /shoes HTTP/1.1" 200 -')
    assert python["client_time"] == AT.timestamp() * 1000


def test_istios_line_without_forwarded_addresses_names_the_connection() -> None:
    (event,) = read(
        '[2026-01-02T03:04:05.250Z] "GET /shoes?size=42 HTTP/1.1" 200 - via_upstream - "-" 0 5120 15 14 "-" '
        f'"{FIREFOX}" "cc21d9b0" "shop.example" "10.0.0.1:80" outbound|80||shop.default 10.0.0.7:4 10.0.0.9:80 203.0.113.9:51234 - default'
    )
    assert (event["visitor_id"], event["properties"]["bytes"]) == (read(COMBINED)[0]["visitor_id"], "5120")


def test_caddy_in_its_form_for_people() -> None:
    rest = {name: value for name, value in CADDY.items() if name not in ("ts", "level", "logger", "msg")}
    (event,) = read("2026/01/02 03:04:05.250\tINFO\thttp.log.access.log0\thandled request\t" + json.dumps(rest))
    assert (event["client_time"], event["page_url"]) == (
        AT.timestamp() * 1000 + 250,
        "https://shop.example/shoes?size=42",
    )


def test_ltsv_with_nginxs_variables_means_the_sites_host() -> None:
    (event,) = read(
        "time_iso8601:2026-01-02T03:04:05+00:00\thost:shop.example\tremote_addr:203.0.113.9\trequest:GET /a HTTP/1.1\tstatus:200"
    )
    assert (event["page_url"], event["ip"]) == ("http://shop.example/a", "203.0.0.0")


@pytest.mark.parametrize(
    "line",
    [
        f"[2026-01-02 03:04:06 +0000] [7] [INFO] {COMBINED}",
        f"INFO:werkzeug:{COMBINED}",
        f'"{COMBINED}"',
        f"293 <158>1 2026-01-02T03:04:06Z web1 nginx 7 - - {COMBINED}",
        COMBINED.replace(" HTTP/2.0", " 2"),
        COMBINED.replace(" - - ", ' - "-" '),
    ],
    ids=["gunicorn's logger", "Python's logger", "OpenLiteSpeed", "RFC 6587", "Hypercorn", "a name in quotes"],
)
def test_what_stands_around_a_line_makes_no_other_visitor_and_no_user(line: str) -> None:
    (event,) = read(line)
    plain = read(COMBINED)[0]
    assert [event.get(name) for name in ("visitor_id", "user_id", "page_url", "client_time")] == [
        plain.get(name) for name in ("visitor_id", "user_id", "page_url", "client_time")
    ]


def test_name_and_value_take_their_time_from_what_carries_them() -> None:
    router = 'at=info method=GET path="/shoes?size=42" host=shop.example fwd="203.0.113.9" status=200 bytes=5120 protocol=http'
    ruby = "method=GET path=/shoes?size=42 host=shop.example status=200 remote_ip=203.0.113.9"
    grafana = 't=2026-01-02T03:04:05Z level=info msg="Request Completed" ' + ruby
    lines = (
        f"<158>1 2026-01-02T03:04:05+00:00 host heroku router - {router}",
        f"I, [2026-01-02T03:04:05.000000 #7]  INFO -- : [86-01] {ruby}",
        grafana,
    )
    for line in lines:
        (event,) = read(line)
        assert (event["client_time"], event["page_url"]) == (
            AT.timestamp() * 1000,
            "http://shop.example/shoes?size=42",
        ), line
        assert (event["ip"], event["properties"]["status"]) == ("203.0.0.0", "200")


def test_a_log_of_pairs_without_a_request_is_none() -> None:
    assert recognized([b"time=2026-01-02T03:04:05Z level=info msg=login ip=203.0.113.9 user=joe"]) is None


def test_columns_of_ones_own_need_no_header_in_the_file() -> None:
    fields = "#Fields: timestamp c-ip cs-method cs-host cs-uri-stem sc-status cs-user-agent"
    agent = FIREFOX.replace(" ", "%20")
    (event,) = events(fields, f"1767323045.250\t203.0.113.9\tGET\tshop.example\t/shoes?size=42\t200\t{agent}")
    assert (event["page_url"], event["user_agent"]) == ("http://shop.example/shoes?size=42", FIREFOX)
    assert event["visitor_id"] == read(COMBINED)[0]["visitor_id"]


def test_a_word_behind_the_numbers_is_a_property() -> None:
    (squid,) = read(f'203.0.113.9 - - [{CLF}] "GET http://shop.example/shoes HTTP/1.1" 200 5120 TCP_MISS:HIER_DIRECT')
    assert (squid["page_url"], squid["properties"]["tail"]) == ("http://shop.example/shoes", "TCP_MISS:HIER_DIRECT")


def test_an_address_where_a_name_would_stand_is_nobodys_name() -> None:
    lines = (
        COMBINED.replace(" - - ", " - 203.0.113.9 "),
        COMBINED.replace(" - - ", " - 2001:db8::9 "),
        json.dumps(NGINX | {"remote_user": "203.0.113.9"}),
    )
    for line in lines:
        (event,) = read(line)
        assert "user_id" not in event
        assert event["visitor_id"] == read(COMBINED)[0]["visitor_id"]
        assert "203.0.113.9" not in json.dumps(event)


@pytest.mark.parametrize(
    "before",
    ["web.1.x7gabc@node1    | ", "1767323045.123456 web1 nginx[1]: ", "INFO ", "[WARNING]: "],
    ids=["docker service logs", "journalctl -o short-unix", "a level", "a level in brackets"],
)
def test_what_carries_a_line_is_no_part_of_it(before: str) -> None:
    assert [{**event, "event_id": ""} for event in read(before + COMBINED)] == [
        {**event, "event_id": ""} for event in read(COMBINED)
    ]


@pytest.mark.parametrize("zone", ["UTC", "GMT", "Z", "+0000"])
def test_utc_may_be_written_as_a_word(zone: str) -> None:
    (event,) = read(f'203.0.113.9 - - [02/Jan/2026:03:04:05 {zone}] "GET /shoes HTTP/1.1" 200 5120')  # WEBrick's
    assert event["client_time"] == AT.timestamp() * 1000


@pytest.mark.parametrize(
    "line",
    [f"203.0.113.9, 198.51.100.18 10.0.0.1 {HIT}", f"unknown, 203.0.113.9 198.51.100.1 {HIT}",
     f'10.0.0.1 {HIT} "\\x22, 203.0.113.9"', f'10.0.0.1 {HIT} "me, 203.0.113.9, 198.51.100.18"'],
    ids=["two proxies first", "one not known", "a client's own word", "another"],
)  # fmt: skip
def test_of_several_addresses_forwarded_the_first_is_the_visitor(line: str) -> None:
    (event,) = read(line)
    assert event["visitor_id"] == read(COMBINED)[0]["visitor_id"]
    assert (event["page_url"], event.get("user_id")) == ("/shoes?size=42", None)
    assert "203.0.113.9" not in json.dumps(event)


def test_words_with_a_comma_before_an_address_are_no_host() -> None:
    assert recognized([f"shop, web 203.0.113.9 {HIT}".encode()]) is None


def test_apaches_json_as_it_is_often_copied() -> None:
    said = {"time": f"[{CLF}]", "remoteIP": "203.0.113.9", "host": "shop.example", "request": "/shoes", "query": "?size=42",
            "method": "GET", "status": "200", "userAgent": FIREFOX, "referer": REFERRER}  # fmt: skip
    (event,) = read(json.dumps(said))
    assert event["page_url"] == "http://shop.example/shoes?size=42"
    assert event["visitor_id"] == read(COMBINED)[0]["visitor_id"]

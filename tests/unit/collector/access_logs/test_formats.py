"""Each format of access logs: lines as its servers write them, recognized and read."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from collector.access_logs.envelopes import content
from collector.access_logs.formats import FORMATS, NAMES, named, recognized
from collector.access_logs.requests import RequestMapper
from collector.access_logs.visitors import LogVisitors
from collector.request.errors import Unmappable
from nextclick.settings import CHECKOUT
from tests.tracker_requests import NOBODY

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
REFERRER = "https://search.example/?q=shoes"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CLF = "02/Jan/2026:00:04:05 -0300"

CADDY: dict[str, Any] = {
    "level": "info", "ts": AT.timestamp() + 0.25, "logger": "http.log.access", "msg": "handled request",
    "request": {
        "remote_ip": "10.0.0.1", "client_ip": "203.0.113.9", "proto": "HTTP/2.0", "method": "GET", "host": "shop.example",
        "uri": "/shoes?size=42", "headers": {"User-Agent": [FIREFOX], "Referer": [REFERRER], "Cookie": ["session=secret"]},
        "tls": {"version": 772},
    },
    "user_id": "", "duration": 0.012, "size": 5120, "status": 200, "resp_headers": {"Content-Type": ["text/html; charset=utf-8"]},
}  # fmt: skip
TRAEFIK = {
    "ClientAddr": "203.0.113.9:51234", "ClientHost": "203.0.113.9", "ClientUsername": "-", "DownstreamContentSize": 5120,
    "DownstreamStatus": 200, "Duration": 1200345, "RequestHost": "shop.example", "RequestMethod": "GET",
    "RequestPath": "/shoes?size=42", "RequestProtocol": "HTTP/2.0", "RequestScheme": "https", "RouterName": "shop@docker",
    "StartUTC": "2026-01-02T03:04:05.25Z", "request_User-Agent": FIREFOX, "request_Referer": REFERRER, "time": "2026-01-02T03:04:05Z",
}  # fmt: skip
NGINX = {
    "time_iso8601": "2026-01-02T00:04:05-03:00", "remote_addr": "203.0.113.9", "remote_user": "", "request": "GET /shoes?size=42 HTTP/2.0",
    "status": "200", "body_bytes_sent": "5120", "http_referer": REFERRER, "http_user_agent": FIREFOX, "http_host": "shop.example",
    "scheme": "https", "request_time": "0.012", "http_x_forwarded_for": "-",
}  # fmt: skip
CLOUDFLARE = {
    "ClientIP": "203.0.113.9", "ClientRequestHost": "shop.example", "ClientRequestMethod": "GET", "ClientRequestURI": "/shoes?size=42",
    "EdgeEndTimestamp": "2026-01-02T03:04:06Z", "EdgeResponseBytes": 5120, "EdgeResponseStatus": 200,
    "EdgeStartTimestamp": "2026-01-02T03:04:05Z", "ClientRequestProtocol": "HTTP/2.0", "ClientRequestScheme": "https",
    "ClientRequestUserAgent": FIREFOX, "ClientRequestReferer": REFERRER, "RayID": "3a2",
}  # fmt: skip
IIS_AGENT, CLOUDFRONT_AGENT = FIREFOX.replace(" ", "+"), FIREFOX.replace(" ", "%2520")
SAMPLES = {
    "common": [f'203.0.113.9 - - [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120'],
    "common_vhost": [f'shop.example:443 203.0.113.9 - - [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120'],
    "combined": [f'203.0.113.9 - - [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}"'],
    "combined_vhost": [
        f'shop.example:443 203.0.113.9 - - [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}"'
    ],
    "nginx_json": [json.dumps(NGINX)],
    "caddy": [json.dumps(CADDY)],
    "traefik": [json.dumps(TRAEFIK)],
    "cloudflare": [json.dumps(CLOUDFLARE)],
    "w3c": [
        "#Software: Microsoft Internet Information Services 10.0",
        "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs(User-Agent) cs(Referer) "
        "cs-host sc-status sc-substatus sc-win32-status sc-bytes time-taken",
        f"2026-01-02 03:04:05 10.0.0.1 GET /shoes size=42 443 - 203.0.113.9 HTTP/2.0 {IIS_AGENT} {REFERRER} shop.example 200 0 0 5120 15",
    ],
    "cloudfront": [
        "#Version: 1.0",
        "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) "
        "cs-uri-query cs(Cookie) x-edge-result-type x-host-header cs-protocol cs-protocol-version x-forwarded-for sc-content-type",
        "\t".join(
            ["2026-01-02", "03:04:05", "GRU3-C1", "5120", "203.0.113.9", "GET", "d111111abcdef8.cloudfront.net", "/shoes", "200",
             REFERRER, CLOUDFRONT_AGENT, "size=42", "session=secret", "Miss", "shop.example", "https", "HTTP/2.0", "-", "text/html"]
        ),
    ],
    "elb": [
        "2026-01-02T03:04:05.250000Z shop-lb 203.0.113.9:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 5120 "
        f'"GET https://shop.example:443/shoes?size=42 HTTP/2.0" "{FIREFOX}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2'
    ],
    "alb": [
        "h2 2026-01-02T03:04:06.000000Z app/shop/50dc6c495c0c9188 203.0.113.9:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 5120 "
        f'"GET https://shop.example:443/shoes?size=42 HTTP/2.0" "{FIREFOX}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
        'arn:aws:elasticloadbalancing:region:1:targetgroup/shop/73e2 "Root=1-58337262-36d2" "shop.example" "-" 0 '
        '2026-01-02T03:04:05.250000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_1 "new-field"'
    ],
    "haproxy": [
        "Jan  2 03:04:06 lb haproxy[14389]: 203.0.113.9:33317 [02/Jan/2026:03:04:05.250] http-in~ shop/web1 10/0/30/69/109 200 5120 - - "
        f'---- 1/1/1/1/0 0/0 {{shop.example|{FIREFOX}|{REFERRER}}} {{}} "GET https://shop.example/shoes?size=42 HTTP/2.0"'
    ],
    "s3": [
        f"{'79a5' * 16} media [02/Jan/2026:03:04:05 +0000] 203.0.113.9 - 3E57427F3EXAMPLE REST.GET.OBJECT shoes "
        f'"GET /shoes?size=42 HTTP/2.0" 200 - 5120 5120 70 10 "{REFERRER}" "{FIREFOX}" - hostid= SigV4 ECDHE-RSA-AES128-GCM-SHA256 - '
        "shop.example TLSv1.2 - -"
    ],
    "gcs": [
        '"time_micros","c_ip","c_ip_type","c_ip_region","cs_method","cs_uri","sc_status","cs_bytes","sc_bytes","time_taken_micros",'
        '"cs_host","cs_referer","cs_user_agent","s_request_id","cs_operation","cs_bucket","cs_object"',
        f'"1767323045250000","203.0.113.9","1","","GET","/shoes?size=42","200","0","5120","44000","shop.example","{REFERRER}","{FIREFOX}",'
        '"ACjmbC","GET_Object","shop","shoes"',
    ],
    "ltsv": [
        f"time:[{CLF}]\thost:203.0.113.9\tforwardedfor:-\treq:GET /shoes?size=42 HTTP/2.0\tstatus:200\tsize:5120\treferer:{REFERRER}\t"
        f"ua:{FIREFOX}\tvhost:shop.example\tscheme:https\treqtime:0.012"
    ],
    "envoy": [
        '[2026-01-02T03:04:05.250Z] "GET /shoes?size=42 HTTP/2.0" 200 - 0 5120 15 14 "203.0.113.9,10.0.0.2" '
        f'"{FIREFOX}" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "shop.example" "10.0.0.1:80"'
    ],
    "squid": [
        "1767323045.250     44 203.0.113.9 TCP_MISS/200 5120 GET https://shop.example/shoes?size=42 - FIRSTUP_PARENT/10.0.0.1 text/html"
    ],
    "nginx_proxy_manager": [
        f'[{CLF}] - 200 200 - GET https shop.example "/shoes?size=42" [Client 203.0.113.9] [Length 5120] [Gzip 3.1] [Sent-to web] '
        f'"{FIREFOX}" "{REFERRER}"'
    ],
    "bunny": [
        f"HIT|200|1767323045250|5120|1234567|203.0.113.9|{REFERRER}|https://shop.example/shoes?size=42|DE|{FIREFOX}|289735f3|BR"
    ],
    "logfmt": [
        "2026-01-02T03:04:05.250000+00:00 heroku[router]: at=info method=GET path=\"/shoes?size=42\" host=shop.example request_id=86-01 "
        'fwd="203.0.113.9" dyno=web.1 connect=0ms service=15ms status=200 bytes=5120 protocol=https'
    ],
    "cloudfront_realtime": [
        "\t".join(
            ["1767323045.250", "203.0.113.9", "0.001", "200", "5120", "GET", "https", "shop.example", "/shoes?size=42", "440", "FRA56-C1",
             "abc==", "shop.example", "0.015", "HTTP/2.0", "IPv4", CLOUDFRONT_AGENT, REFERRER, "session=secret", "size=42", "Hit", "-",
             "TLSv1.3", "TLS_AES_128_GCM_SHA256", "Hit", "-", "-", "text/html", "5000", "-", "-", "51234", "Hit", "DE", "gzip", "*/*", "*",
             "Host:shop.example%0ACookie:session=secret", "Host%0ACookie", "2", "-", "-", "-", "-", "64496"]
        )
    ],
    "uwsgi": [
        "[pid: 7|app: 0|req: 1/1] 203.0.113.9 () {40 vars in 765 bytes} [Fri Jan  2 03:04:05 2026] GET /shoes?size=42 => generated 5120 "
        "bytes in 15 msecs (HTTP/2.0 200) 4 headers in 200 bytes (1 switches on core 0)"
    ],
    "gin": [
        "[GIN] 2026/01/02 - 03:04:05 |\x1b[97;42m 200 \x1b[0m|      1.234567ms |     203.0.113.9 |"
        '\x1b[97;44m GET     \x1b[0m "/shoes?size=42"'
    ],
    "chi": [
        '2026/01/02 03:04:05 [web/Ab-000001] "GET https://shop.example/shoes?size=42 HTTP/2.0" from 203.0.113.9:51234 - 200 5120B in 15.5µs'
    ],
    "aiohttp": [f'203.0.113.9 [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}"'],
    "mod_ssl": [f'[{CLF}] 203.0.113.9 TLSv1.3 TLS_AES_256_GCM_SHA384 "GET /shoes?size=42 HTTP/2.0" 5120'],
    "rails": [
        'I, [2026-01-02T03:04:05.000000 #7]  INFO -- : [86-01] Started GET "/shoes?size=42" for 203.0.113.9 at 2026-01-02 00:04:05 -0300',
        "I, [2026-01-02T03:04:05.000000 #7]  INFO -- : [86-01] Processing by ShoesController#index as HTML",
        "  Rendered shoes/index.html.erb within layouts/application (Duration: 1.2ms)",
        "Completed 200 OK in 15ms (Views: 9.3ms | ActiveRecord: 1.1ms)",
    ],
    "zeek": [
        "#separator \\x09",
        "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tmethod\thost\turi\treferrer\tversion\tuser_agent\tresponse_body_len\t"
        "status_code\tusername\tpassword",
        f"1767323045.250000\tC1\t203.0.113.9\t51234\t10.0.0.1\tGET\tshop.example\t/shoes?size=42\t{REFERRER}\t1.1\t{FIREFOX}\t5120\t"
        "200\t-\tsecret",
    ],
    "iis_native": ["203.0.113.9, -, 01/02/26, 3:04:05, W3SVC2, WEB01, 10.0.0.1, 15, 163, 5120, 200, 0, GET, /shoes, size=42,"],
}  # fmt: skip
BARE, UNENCRYPTED = (
    ("common", "combined", "uwsgi", "gin", "aiohttp", "iis_native", "mod_ssl", "rails"),
    ("gcs", "envoy", "zeek"),
)
WITHOUT_AGENT = ("common", "squid", "logfmt", "uwsgi", "gin", "chi", "mod_ssl", "iis_native", "rails")
WITHOUT = {
    "protocol": ("bunny", "gcs", "nginx_proxy_manager", "squid", "logfmt", "gin", "iis_native", "rails", "zeek"),
    "bytes": ("gin", "rails"),
    "status": ("mod_ssl", "rails"),
}


def events(name: str, *lines: str) -> list[dict[str, Any]]:
    """The events of a file with these lines in the format; its visitors' key is zeros."""
    reader = named(name).reader()
    to_payload = RequestMapper("shop", LogVisitors(lambda _: bytes(32), "shop", 24), "", 65_536, NOBODY)
    rows = [row | {"line": line, "nth": 1} for line in lines if (row := reader(content(line))) is not None]
    return [json.loads(to_payload(row)) for row in rows]


def test_every_format_has_a_sample_here() -> None:
    assert set(SAMPLES) == set(FORMATS)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_request_is_a_page_view_whoever_wrote_it_down(name: str) -> None:
    (event,) = events(name, *SAMPLES[name])
    assert event["event"] == "page_view"
    assert event["client_time"] // 1000 == AT.timestamp()
    host = "" if name in BARE else "http://shop.example" if name in UNENCRYPTED else "https://shop.example"
    assert event["page_url"] == f"{host}/shoes?size=42"
    assert event["ip"] == "203.0.0.0"
    assert "user_id" not in event
    assert event.get("user_agent") == (None if name.startswith(WITHOUT_AGENT) else FIREFOX)
    assert event.get("referrer") == (None if name.startswith((*WITHOUT_AGENT, "elb", "alb", "envoy")) else REFERRER)
    told = {"label": "page", "status": "200", "method": "GET", "bytes": "5120", "protocol": "HTTP/2.0"}
    assert {word: event["properties"].get(word) for word in told} == {
        word: None if name in WITHOUT.get(word, ()) else value for word, value in told.items()
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_each_format_is_recognized_also_behind_a_damaged_line(name: str) -> None:
    lines = [f"{line}\n".encode() for line in SAMPLES[name]]
    for found in (recognized(lines), recognized([*lines, b'broken" line\n', *lines])):
        assert found is not None
        assert found.name == name


def test_what_is_no_access_log_is_not_recognized() -> None:
    assert recognized([b"user_id,item_id,timestamp\n", b"1,2,3\n"]) is None
    assert recognized([b'{"user": "u1", "event": "view_item"}\n']) is None
    assert recognized([b"2026/01/02 03:04:05 [error] 7#7: *1 open() failed, client: 203.0.113.9\n"]) is None
    assert recognized([]) is None


def test_the_names_are_those_of_the_command_line() -> None:
    assert NAMES[0] == "auto"
    assert [named(name).name for name in NAMES[1:]] == [*FORMATS, "w3c", "combined", "combined", "nginx_json"]


@pytest.mark.parametrize("name", SAMPLES)
def test_no_secret_and_no_whole_address_is_kept(name: str) -> None:
    (event,) = events(name, *SAMPLES[name])
    assert "secret" not in json.dumps(event)
    assert "203.0.113.9" not in json.dumps(event)
    assert "10.0.0.1" not in json.dumps(event)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("caddy", {"duration": "0.012", "logger": "http.log.access"}),
        ("traefik", {"Duration": "1200345", "RouterName": "shop@docker"}),
        ("nginx_json", {"request_time": "0.012"}),
        ("w3c", {"time-taken": "15", "s-ip": "10.0.0.0", "port": "443"}),
        ("cloudfront", {"x-edge-location": "GRU3-C1", "x-edge-result-type": "Miss"}),
        ("alb", {"type": "h2", "trace_id": "Root=1-58337262-36d2", "tail": "new-field"}),
        ("elb", {"elb": "shop-lb", "backend": "10.0.0.0:80"}),
        ("haproxy", {"backend": "shop", "server": "web1", "timers": "10/0/30/69/109", "termination_state": "----"}),
        ("s3", {"bucket": "media", "operation": "REST.GET.OBJECT"}),
        ("bunny", {"cache_status": "HIT", "country": "BR"}),
        ("gcs", {"cs_operation": "GET_Object", "cs_bucket": "shop"}),
        ("ltsv", {"reqtime": "0.012"}),
        ("envoy", {"duration": "15", "upstream": "10.0.0.0:80"}),
        ("squid", {"result": "TCP_MISS", "hierarchy": "FIRSTUP_PARENT/10.0.0.0"}),
    ],
)
def test_what_no_field_takes_is_a_property(name: str, kept: dict[str, str]) -> None:
    (event,) = events(name, *SAMPLES[name])
    assert kept.items() <= event["properties"].items()


def test_a_request_line_may_lack_its_protocol_or_hold_blanks_and_quotes() -> None:
    rows = events(
        "common",
        '198.51.100.1 - - [09/Jul/1995:00:42:20 -0400] "GET /images/logo.gif" 200 5866',
        '198.51.100.1 - - [09/Jul/1995:00:42:20 -0400] "GET /ksc.html   Home Page HTTP/1.0" 200 7067',
        '198.51.100.1 - - [09/Jul/1995:00:42:20 -0400] "GET /say"hello" HTTP/1.0" 200 1',
        '198.51.100.1 - - [09/Jul/1995:00:42:20 -0400] "GET / HTTP/V1.0" 200 -',
    )
    assert [event.get("page_url") for event in rows] == [
        "/images/logo.gif",
        "/ksc.html   Home Page",
        '/say"hello"',
        "/",
    ]
    assert "bytes" not in rows[3]["properties"]


def test_a_request_that_is_none_is_an_error_and_kept() -> None:
    (event,) = events("combined", rf'198.51.100.1 - - [{CLF}] "\x16\x03\x01" 400 226 "-" "-"')
    assert event["event"] == "request"
    assert event["properties"] == {"label": "error", "status": "400", "bytes": "226", "request": "\x16\x03\x01"}


def test_escapes_of_apache_and_nginx_are_undone_and_cannot_forge_a_field() -> None:
    forged = rf'198.51.100.1 - - [{CLF}] "GET /a\" 200 5 \"x HTTP/1.1" 404 9 "-" "caf\xc3\xa9 \"q\" \\"'
    (event,) = events("combined", forged)
    assert (event["page_url"], event["properties"]["status"]) == ('/a" 200 5 "x', "404")
    assert event["user_agent"] == 'café "q" \\'


def test_behind_a_proxy_the_forwarded_address_is_the_visitor() -> None:
    line = SAMPLES["combined"][0]
    direct, behind, own = events(
        "combined", f'{line} "-" 0.012', f'{line} "198.51.100.7, 10.0.0.1"', f"{line} rt=0.012"
    )
    assert (direct["ip"], direct["properties"]["tail"]) == ("203.0.0.0", "0.012")
    assert behind["ip"] == "198.51.0.0"
    assert (own["ip"], own["properties"]["tail"]) == ("203.0.0.0", "rt=0.012")
    assert direct["visitor_id"] == own["visitor_id"] != behind["visitor_id"]
    (json_line,) = events("nginx_json", json.dumps(NGINX | {"http_x_forwarded_for": "198.51.100.7, 10.0.0.1"}))
    assert json_line["ip"] == "198.51.0.0"


def test_a_user_who_logged_in_is_a_user() -> None:
    (event,) = events("combined", SAMPLES["combined"][0].replace(" - - ", " - frida kahlo "))
    assert event["user_id"] == "frida kahlo"


def test_addresses_of_ipv6_and_hosts_by_name() -> None:
    six, name = events(
        "common_vhost",
        f'[2001:db8::1]:443 2001:db8:1:2::9 - - [{CLF}] "GET / HTTP/1.1" 200 1',
        f'shop.example crawl.example.org - - [{CLF}] "GET / HTTP/1.1" 200 1',
    )
    assert (six["ip"], six["page_url"]) == ("2001:db8:1::", "https://[2001:db8::]/")
    assert "ip" not in name
    assert "crawl" not in json.dumps(name)
    (balanced,) = events("elb", SAMPLES["elb"][0].replace("203.0.113.9:2817", "[2001:db8:1:2::9]:2817"))
    assert balanced["ip"] == "2001:db8:1::"


@pytest.mark.parametrize(
    "time", [AT.timestamp(), AT.timestamp() * 1000, "1767323045.000", AT.isoformat(), "2026/01/02 03:04:05", CLF]
)
def test_times_of_json_logs_in_any_usual_form(time: object) -> None:
    (event,) = events("caddy", json.dumps(CADDY | {"ts": time}))
    assert event["client_time"] == AT.timestamp() * 1000


def test_the_columns_of_w3c_may_change_within_a_file_and_the_date_may_stand_above() -> None:
    rows = events(
        "w3c",
        "#Date: 2026-01-02 00:00:00",
        "#Fields: time c-ip cs-method cs-uri",
        "03:04:05 203.0.113.9 GET /a.html",
        "#Fields: time c-ip cs-method cs-uri-stem cs-uri-query sc-status cs(User-Agent)",
        '03:04:06 203.0.113.9 GET /b.html - 200 "Mozilla/5.0 (Windows)"',
    )
    assert [event["page_url"] for event in rows] == ["/a.html", "/b.html"]
    assert rows[1]["client_time"] - rows[0]["client_time"] == 1000
    assert rows[1]["user_agent"] == "Mozilla/5.0 (Windows)"


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("combined", 'x - - [02/Jan/2026:00:04:05 -0300] "GET / HTTP/1.1" 200 1 "-" "no end', "malformed_line"),
        ("combined", 'x - - [42/Jan/2026:00:04:05 -0300] "GET / HTTP/1.1" 200 1 "-" "-"', "bad_time"),
        ("common", "", "malformed_line"),
        ("caddy", "[]", "malformed_json"),
        ("caddy", "{", "malformed_json"),
        ("caddy", '{"request": {"method": "GET"}, "ts": 1}', "missing_visitor"),
        ("caddy", '{"request": {"client_ip": "203.0.113.9"}}', "missing_time"),
        ("nginx_json", '{"remote_addr": "203.0.113.9", "time": true}', "bad_time"),
        ("nginx_json", '{"remote_addr": "203.0.113.9", "time": 1767323045, "status": "fine"}', "bad_type"),
        ("w3c", "2026-01-02 03:04:05", "missing_header"),
        ("alb", "http 2026-01-02T03:04:05Z app", "malformed_line"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_says_why(name: str, line: str, reason: str) -> None:
    with pytest.raises(Unmappable) as fault:
        events(name, line)
    assert fault.value.reason == reason


def test_a_line_of_w3c_with_another_number_of_columns_says_so() -> None:
    with pytest.raises(Unmappable, match="2 columns instead of 18"):
        events("w3c", SAMPLES["w3c"][1], "2026-01-02 03:04:05")


def test_the_page_lists_every_format_label_and_reason() -> None:
    page = (CHECKOUT / "docs" / "access-logs.md").read_text(encoding="utf-8")
    sources = "".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "collector/access_logs").rglob("*.py"))
    reasons = set(re.findall(r'Unmappable\(\s*"(\w+)"', sources))
    labels = set(
        re.findall(r'return "(\w+)"', (CHECKOUT / "collector/access_logs/labels.py").read_text(encoding="utf-8"))
    )
    assert {"bad_time", "malformed_line"} <= reasons
    assert {"bot", "error", "static"} <= labels
    assert [word for word in (*NAMES[1:], *reasons, *labels) if f"`{word}`" not in page] == []


COMBINED = SAMPLES["combined"][0]
HIT = COMBINED.partition(" ")[2]


def read(*lines: str) -> list[dict[str, Any]]:
    """The events of a file whose format is recognized."""
    format = recognized([line.encode() for line in lines])
    assert format is not None
    return events(format.name, *lines)


@pytest.mark.parametrize(
    "before",
    ["Jan  2 03:04:05 web1 nginx: ", "Jan 12 03:04:05 web1 nginx[812]: ", "<190>Jan 12 03:04:05 web1 nginx: ",
     "<190>Jan 12 03:04:05 nginx: ", "<134>1 2026-01-02T03:04:05.003Z web1 nginx 812 - - ",
     '<134>1 2026-01-02T03:04:05+00:00 web1 nginx - ID4 [x@1 a="]" b="\\"c"][y] ',
     "2026-01-02T03:04:05.123456+00:00 web1 nginx: ", "Jan 12 03:04:05 web1 ", "Fri 2026-01-02 03:04:05 UTC web1 nginx[1]: ",
     "2026-01-02T03:04:05.123456789Z stdout F ",
     "2026-01-02T03:04:05.123456789Z ", "[pod/web-7/nginx] ", "web-1  | ",
     "Jan 12 03:04:05 node1 dockerd[9]: 2026-01-02T03:04:05.123456789Z stdout F "],
)  # fmt: skip
def test_what_syslog_and_containers_put_before_a_line_is_no_part_of_it(before: str) -> None:
    (plain,) = read(COMBINED)
    for line in (COMBINED, json.dumps(NGINX)):
        (event,) = read(before + line)
        assert (event["visitor_id"], event["ip"], event.get("user_id")) == (plain["visitor_id"], "203.0.0.0", None)
        assert event["client_time"] == AT.timestamp() * 1000


@pytest.mark.parametrize(
    "carrier",
    [{"log": COMBINED + "\n", "stream": "stdout", "time": "2026-01-02T03:04:05.1Z"}, {"message": COMBINED, "host": {"name": "web1"}},
     {"MESSAGE": COMBINED, "SYSLOG_IDENTIFIER": "nginx"}, {"log": json.dumps(NGINX) + "\n", "stream": "stdout"}],
)  # fmt: skip
def test_a_line_within_a_json_object_is_read(carrier: dict[str, Any]) -> None:
    assert [event["visitor_id"] for event in read(json.dumps(carrier))] == [read(COMBINED)[0]["visitor_id"]]


@pytest.mark.parametrize(
    "start",
    ["Nov 27", "a,", "<134>1 2026-01-02", "10:00:00", "2026-01-02T03:04:05Z", "web1 nginx: 203.0.113.9", "x (203.0.113.9)", "203.0.113.999",
     "Fri Jan 2 03:04:05 2026 203.0.113.9"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["common", "combined", "common_vhost", "combined_vhost"])
def test_a_line_whose_address_is_none_is_unreadable(name: str, start: str) -> None:
    line = f"{start} {HIT}" if name.startswith("combined") else f"{start} {HIT}".partition(' "https:')[0]
    with pytest.raises(Unmappable) as fault:
        events(name, line)
    assert fault.value.reason == "malformed_line"


@pytest.mark.parametrize("user", ["- -", "10:00:00 web1 nginx: 203.0.113.9 - -", "web1 203.0.113.9", "frida -"])
def test_what_other_fields_left_is_no_user(user: str) -> None:
    with pytest.raises(Unmappable):
        events("combined", COMBINED.replace(" - - ", f" - {user} "))


def test_the_client_is_the_first_of_forwarded_addresses_also_in_front_of_the_line() -> None:
    strangers = [f"203.0.113.{last}" for last in (9, 10, 11)]
    for shape in (
        "{}, 10.183.250.139 {}",
        "{},10.183.250.139, 10.0.0.1 {}",
        "{} 10.183.250.139 {}",
        "{}:40000 {}",
        "::ffff:{} {}",
    ):
        rows = read(*(shape.format(client, HIT) for client in strangers))
        assert [event["visitor_id"] for event in rows] == [
            read(f"{client} {HIT}")[0]["visitor_id"] for client in strangers
        ], shape
        assert {(event["ip"], event["page_url"], event.get("user_id")) for event in rows} == {
            ("203.0.0.0", "/shoes?size=42", None)
        }


def test_what_servers_add_to_the_line_is_read() -> None:
    time = f"[{CLF}]"
    jetty, ingress, login, gandi, host, iso = (
        read(line)[0]
        for line in (
            COMBINED.replace(" - - ", " -  -  "),
            COMBINED.replace(" - - ", " - [203.0.113.9] - - ")
            + " 500 0.003 [shop-80] 10.1.1.1:80 100 0.002 200 abcdef",
            COMBINED.replace(" - - ", " - [203.0.113.9, 10.0.0.1] - frida "),
            "shop.example " + COMBINED.replace(time, f"{time} (0 s)"),
            "shop.example " + COMBINED.replace(time, f"{time} shop.example"),
            COMBINED.replace(CLF, "2026-01-02T03:04:05.250+00:00"),
        )
    )
    for event in (jetty, ingress, login, gandi, host, iso):
        assert event["visitor_id"] == read(COMBINED)[0]["visitor_id"]
        assert event["client_time"] // 1000 == AT.timestamp()
    assert [event.get("user_id") for event in (jetty, ingress, login, gandi)] == [None, None, "frida", None]
    assert gandi["page_url"] == host["page_url"] == "http://shop.example/shoes?size=42"


def test_blanks_numbers_and_empty_names_that_servers_add_are_no_matter() -> None:
    plain = read(COMBINED)[0]
    for line in (
        COMBINED.replace("] ", "]  ").replace(" 200 ", "  200  "),
        COMBINED.replace(" - - ", ' - "" '),
        f"- {COMBINED}",
        f"_ {COMBINED}",
        COMBINED.replace("203.0.113.9 ", "203.0.113.9, 10.0.0.1 "),
    ):
        (event,) = read(line)
        assert [event.get(name) for name in ("visitor_id", "page_url", "user_id")] == [
            plain["visitor_id"],
            "/shoes?size=42",
            None,
        ], line
    (numbered,) = read(SAMPLES["common"][0] + " 1234 0.5")
    assert (numbered["ip"], numbered["properties"]["tail"]) == ("203.0.0.0", "1234 0.5")
    (hosted,) = read("shop.example 203.0.113.9:51, 10.0.0.1 " + HIT)
    assert (hosted["visitor_id"], hosted["page_url"]) == (plain["visitor_id"], "http://shop.example/shoes?size=42")
    assert read(COMBINED.replace(" - - ", r" - DOM\jo "))[0]["user_id"] == r"DOM\jo"


def test_a_client_that_left_before_there_was_a_status_is_an_error() -> None:
    (event,) = read(COMBINED.replace(" 200 5120 ", " - - "))
    assert (event["event"], event["properties"]["label"]) == ("request", "error")


def test_a_leap_second_and_parts_of_a_second_are_read() -> None:
    leap, part = read(
        COMBINED.replace(CLF, "31/Dec/2016:23:59:60 +0000"), COMBINED.replace(CLF, "02/Jan/2026:03:04:05.655 +0000")
    )
    assert leap["client_time"] == datetime(2017, 1, 1, tzinfo=UTC).timestamp() * 1000
    assert part["client_time"] == AT.timestamp() * 1000 + 655


@pytest.mark.parametrize("nobody", ["-", "unix:", "unix:/run/nginx.sock", "unknown", "0.0.0.0", "::"])
def test_a_line_without_an_address_is_recognized_and_has_no_visitor(nobody: str) -> None:
    forwarded = f'{nobody} {HIT} "203.0.113.9"'
    assert read(forwarded, forwarded)[0]["ip"] == "203.0.0.0"
    for lines in (
        [f"{nobody} {HIT}"],
        [json.dumps(NGINX | {"remote_addr": nobody})],
        [*SAMPLES["w3c"][:2], SAMPLES["w3c"][2].replace("203.0.113.9", nobody)],
    ):
        with pytest.raises(Unmappable) as fault:
            read(*lines)
        assert fault.value.reason == "missing_visitor"


@pytest.mark.parametrize(
    "written", ["203.0.113.9:40000", "203.0.113.9:41000, 10.0.0.9", "::ffff:203.0.113.9", "[::ffff:203.0.113.9]:443"]
)
def test_ports_make_no_visitor_in_any_format(written: str) -> None:
    visitor = read(COMBINED)[0]["visitor_id"]
    lines = [
        json.dumps(NGINX | {"remote_addr": "10.0.0.4", "http_x_forwarded_for": written}),
        json.dumps(NGINX | {"remote_addr": "", "http_x_forwarded_for": written}),
        json.dumps(
            CADDY | {"request": {**CADDY["request"], "client_ip": None, "remote_ip": None, "remote_addr": written}}
        ),
        json.dumps(TRAEFIK | {"ClientHost": "", "ClientAddr": written}),
        json.dumps(CLOUDFLARE | {"ClientIP": written}),
        f'{COMBINED} "{written}"',
    ]
    assert [read(line)[0]["visitor_id"] for line in lines] == [visitor] * len(lines)
    header = "#Fields: date time cs-method cs-uri-stem c-ip cs(User-Agent) sc-status X-Forwarded-For"
    proxied = f'2026-01-02 03:04:05 GET /shoes 10.0.0.4 {IIS_AGENT} 200 "{written}"'
    assert read(header, proxied)[0]["visitor_id"] == visitor


def test_a_port_behind_ipv6_is_none_of_its_groups() -> None:
    first, second = (
        read(
            json.dumps(
                CADDY
                | {
                    "request": {
                        **CADDY["request"],
                        "client_ip": "",
                        "remote_ip": "",
                        "remote_addr": f"[2001:db8::5]:{port}",
                    }
                }
            )
        )
        for port in (4444, 4445)
    )
    assert first[0]["visitor_id"] == second[0]["visitor_id"]
    assert first[0]["ip"] == "2001:db8::"


def test_json_of_nginx_as_others_name_its_fields() -> None:
    matomo = {"ip": "203.0.113.9", "host": "shop.example", "path": "/shoes?size=42", "status": "200", "referrer": REFERRER,
              "user_agent": FIREFOX, "length": 5120, "generation_time_milli": 0.001, "date": "2026-01-02T04:04:05+01:00"}  # fmt: skip
    ingress = {"time": "2026-01-02T03:04:05+00:00", "remote_addr": "", "x_forwarded_for": "203.0.113.9", "bytes_sent": 5120,
               "remote_user": "", "status": 200, "vhost": "shop.example", "request_proto": "HTTP/2.0", "path": "/shoes",
               "request_query": "size=42",
               "method": "GET", "http_referrer": REFERRER, "http_user_agent": FIREFOX}  # fmt: skip
    elastic = {"@timestamp": "2026-01-02T03:04:05.000Z", "source": {"ip": "203.0.113.9"}, "user_agent": {"original": FIREFOX},
               "http": {"request": {"method": "GET"}, "response": {"status_code": 200, "body": {"bytes": 5120}}},
               "url": {"domain": "shop.example", "path": "/shoes", "query": "size=42"}}  # fmt: skip
    google = {"timestamp": "2026-01-02T03:04:05Z", "httpRequest": {"requestMethod": "GET", "requestUrl": "http://shop.example/shoes?size=42",
              "status": 200, "responseSize": "5120", "userAgent": FIREFOX, "remoteIp": "203.0.113.9:443"}}  # fmt: skip
    for fields in (matomo, ingress, elastic, google):
        (event,) = read(json.dumps(fields))
        assert (event["event"], event["page_url"]) == ("page_view", "http://shop.example/shoes?size=42")
        assert (event["visitor_id"], event["client_time"]) == (read(COMBINED)[0]["visitor_id"], AT.timestamp() * 1000)
        assert event["properties"]["bytes"] == "5120"


def test_json_that_nginx_wrote_with_its_own_escapes_is_mended() -> None:
    whole = '{"time_iso8601":"2026-01-02T03:04:05+00:00","remote_addr":"203.0.113.9","request":"GET /a?q=%s HTTP/1.1","status":200%s}'
    rows = read(
        whole % (r"\x22caf\xC3\xA9\x22\x5C", ""),
        whole % ("1", ',"request_time":'),
        whole % ("1", ',"upstream_time": -, "x":-'),
        whole % ("1", ","),
    )
    assert [event["page_url"] for event in rows] == ['/a?q="café"\\', "/a?q=1", "/a?q=1", "/a?q=1"]


def test_json_with_half_a_character_is_read() -> None:
    (event,) = read(json.dumps(CADDY).replace("/shoes", "/\\ud83d"))
    assert event["page_url"] == "https://shop.example/\ufffd?size=42"


def test_cloudfront_as_json() -> None:
    names = SAMPLES["cloudfront"][1].split()[1:]
    (event,) = read(json.dumps(dict(zip(names, SAMPLES["cloudfront"][2].split("\t"), strict=True))))
    assert event == {**events("cloudfront", *SAMPLES["cloudfront"])[0], "event_id": event["event_id"]}


def test_w3c_in_other_words_and_another_order() -> None:
    rows = read(
        "#Fields:\tdate-local\ttime-local\tc-status\tC-IP\tcs-uri\tcs(Referrer)\tcs(User-Agent)\tcs-method",
        f'2026-01-02\t03:04:05.250\t200\t"203.0.113.9"\t"shop.example/shoes"\t"{REFERRER}"\t"{FIREFOX}"\tGET',
        "#Fields: cs-method c-ip cs-uri-stem timestamp cs-uri-query",
        "GET 203.0.113.9 /shoes 1767323045 size=42",
    )
    assert [event["page_url"] for event in rows] == ["http://shop.example/shoes", "/shoes?size=42"]
    assert [event["client_time"] // 1000 for event in rows] == [AT.timestamp()] * 2
    assert (rows[0]["referrer"], rows[0]["properties"]["status"]) == (REFERRER, "200")


def test_haproxy_as_others_configure_it() -> None:
    start = "[02/Jan/2026:03:04:05.250] http-in shop/<NOSRV> 0/-1/-1/-1/+5"
    rows = read(
        f'203.0.113.9:33317 {start} 302 +99 - - PR-- 1/1/0/0/3 0/0 "GET /a HTTP/1.1"',
        f'2001:db8:1:2::9:33317 {start} 200 99 - SRV=secret ---- 1/1/0/0/0 0/0 {{|x}} "GET /b?q=#22 HTTP/1.1" 0/0/0/0/0 shop.example/-',
        f'10.0.0.4:33317 {start} 400 0 - - CR-- 1/1/0/0/0 0/0 {{203.0.113.9:51, 10.0.0.9}} "<BADREQ>"',
        f'10.0.0.4:33317 {start} -1 0 - - CR-- 1/1/0/0/0 0/0 {{}} "GET /cut',
        f'10.0.0.4:33317 {start} 400 0 - - CR-- 1/1/0/0/0 0/0 ""',
    )
    assert [event["ip"] for event in rows] == ["203.0.0.0", "2001:db8:1::", "203.0.0.0", "10.0.0.0", "10.0.0.0"]
    assert [event["properties"]["label"] for event in rows] == ["redirect", "page", "error", "error", "error"]
    assert [event.get("page_url") for event in rows] == ["/a", '/b?q="', None, "/cut", None]
    assert "secret" not in json.dumps(rows)


def test_an_account_that_signs_for_s3_is_no_visitor_who_logged_in() -> None:
    (event,) = read(
        f"{'79a5' * 16} www.shop.example [02/Jan/2026:03:04:05 +0000] 203.0.113.9 arn:aws:iam::1:user/joe EB35 WEBSITE.GET.OBJECT index "
        f'"GET /index HTTP/1.1" 200 - 368 368 10 9 "-" "{FIREFOX}"'
    )
    assert (event.get("user_id"), event["page_url"]) == (None, "http://www.shop.example/index")
    assert event["properties"]["requester"] == "arn:aws:iam::1:user/joe"

"""Logs in their server's own words: what nginx's log_format or Apache's LogFormat says is how lines are read."""

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.access_logs.formats import named
from collector.access_logs.reading import LogReading
from collector.access_logs.requests import RequestMapper
from collector.access_logs.visitors import LogVisitors
from collector.request.errors import Unmappable
from nextclick.errors import UsageError
from nextclick.settings import CHECKOUT, Settings, load
from tests.tracker_requests import NOBODY

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
CLF, ISO = "02/Jan/2026:00:04:05 -0300", "2026-01-02T00:04:05-03:00"
FIREFOX, REFERRER = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "https://search.example/?q=shoes",
)


def event_of(words: str, line: str) -> dict[str, Any]:
    row = named(words).reader()(line)
    assert row is not None
    mapper = RequestMapper("shop", LogVisitors(lambda _: bytes(32), "shop", 24), "", 65_536, NOBODY)
    event: dict[str, Any] = json.loads(mapper(row | {"line": line, "nth": 1}))
    return event


WORDS = {
    "nginx's main": (
        """log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';""",
        f'10.0.0.1 - - [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}" "203.0.113.9, 10.0.0.2"',
    ),
    "nginx with times of upstreams": (
        '$remote_addr $host [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" '
        "rt=$request_time ua=\"$upstream_addr\" us=$upstream_status ut=$upstream_response_time",
        f'203.0.113.9 shop.example [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}" '
        'rt=0.012 ua="10.0.0.1:80, 10.0.0.2:80" us=502, 200 ut=0.1, 0.2',
    ),
    "pipes": (
        "$msec|$remote_addr|$scheme://$host$request_uri|$request_method|$status|$body_bytes_sent|"
        "$server_protocol|$http_referer|$http_user_agent",
        f"{AT:.3f}|203.0.113.9|https://shop.example/shoes?size=42|GET|200|5120|HTTP/2.0|{REFERRER}|{FIREFOX}",
    ),
    "tabs": (
        r"${time_iso8601}\t$remote_addr\t$request_method $uri$is_args$args $server_protocol\t$status\t$body_bytes_sent\t"
        r"$http_referer\t$http_user_agent",
        f"{ISO}\t203.0.113.9\tGET /shoes?size=42 HTTP/2.0\t200\t5120\t{REFERRER}\t{FIREFOX}",
    ),
    "scheme and host": (
        '[$time_local] $status - $request_method $scheme $host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] '
        '"$http_user_agent" "$http_referer" $server_protocol',
        f'[{CLF}] 200 - GET https shop.example "/shoes?size=42" [Client 203.0.113.9] [Length 5120] "{FIREFOX}" "{REFERRER}" HTTP/2.0',
    ),
    "nginx's JSON by other names": (
        """log_format j escape=json '{"at": "$time_iso8601", "who": {"from": "$remote_addr"}, "what": "$request", "ok": $status, '
           '"size": $body_bytes_sent,'
           '"came": "$http_referer", "with": "$http_user_agent", "note": "always this"}';""",
        json.dumps({"at": ISO, "who": {"from": "203.0.113.9"}, "what": "GET /shoes?size=42 HTTP/2.0", "ok": 200, "size": 5120,
                    "came": REFERRER, "with": FIREFOX, "note": "always this"}),
    ),
    "Apache's combined": (
        r'LogFormat "%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"" combined',
        f'203.0.113.9 - - [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}"',
    ),
    "Apache behind a proxy": (
        r"%{X-Forwarded-For}i %a %u %{%Y-%m-%d}t %{%T %z}t %v:%p %m %U%q %H %>s %b %D \"%{Referer}i\" \"%!200,304{User-Agent}i\"",
        f'203.0.113.9, 10.0.0.2 10.0.0.1 - 2026-01-02 00:04:05 -0300 shop.example:443 GET /shoes?size=42 HTTP/2.0 200 5120 120 '
        f'"{REFERRER}" "{FIREFOX}"',
    ),
    "Apache with a date of its own": (
        r'%h %l %u [%{%B - %d, %Y:%H:%M:%S}t] \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"',
        f'203.0.113.9 - - [January - 02, 2026:03:04:05] "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}"',
    ),
    "Apache with seconds": (
        r'%{msec}t %h "%r" %>s %B "%{Referer}i" "%{User-Agent}i" %{SSL_PROTOCOL}x %%',
        f'{int(AT * 1000)} 203.0.113.9 "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}" TLSv1.3 %',
    ),
    "Apache's JSON": (
        r'LogFormat "{ \"time\":\"%{%Y-%m-%d}tT%{%T}t.%{msec_frac}tZ\", \"filename\":\"%f\", \"remoteIP\":\"%a\", \"host\":\"%V\", '
        r'\"request\":\"%U\", \"query\":\"%q\", \"method\":\"%m\", \"status\":\"%>s\", \"userAgent\":\"%{User-agent}i\", '
        r'\"referer\":\"%{Referer}i\", \"size\":%B, \"protocol\":\"%H\" }" json',
        json.dumps({"time": "2026-01-02T03:04:05.000Z", "filename": "/var/www/shoes", "remoteIP": "203.0.113.9",
                    "host": "shop.example", "request": "/shoes", "query": "?size=42", "method": "GET", "status": "200",
                    "userAgent": FIREFOX, "referer": REFERRER, "size": 5120, "protocol": "HTTP/2.0"}),
    ),
    "Apache with parts of a second before the zone": (
        r'%h %l %u %{%Y-%m-%dT%T}t.%{msec_frac}t%{%z}t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"',
        f'203.0.113.9 - - 2026-01-02T00:04:05.000-0300 "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}"',
    ),
    "Apache with seconds since 1970, piped": (
        r'CustomLog "|/usr/bin/rotatelogs -l /var/log/access.%Y%m%d 86400" "%{%s}t %h \"%r\" %>s %B \"%{Referer}i\" \"%{User-Agent}i\""',
        f'{int(AT)} 203.0.113.9 "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}"',
    ),
    "lighttpd": (
        r'accesslog.format = "%h %V %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""',
        f'203.0.113.9 shop.example - [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}"',
    ),
    "Tomcat": (
        "%h %l %u %t &quot;%r&quot; %s %b &quot;%{Referer}i&quot; &quot;%{User-Agent}i&quot;",
        f'203.0.113.9 - - [{CLF}] "GET /shoes?size=42 HTTP/2.0" 200 5120 "{REFERRER}" "{FIREFOX}"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", WORDS)
def test_a_line_is_read_as_the_server_was_told_to_write_it(words: str) -> None:
    event = event_of(*WORDS[words])
    assert (event["event"], event["client_time"], event["ip"]) == ("page_view", AT * 1000, "203.0.0.0")
    assert event["visitor_id"] == event_of(*WORDS["Apache's combined"])["visitor_id"]
    assert event["page_url"].endswith("/shoes?size=42")
    assert (event["referrer"], event["user_agent"], event.get("user_id")) == (REFERRER, FIREFOX, None)
    fields = {name: event["properties"][name] for name in ("status", "method", "bytes", "protocol")}
    assert fields == {"status": "200", "method": "GET", "bytes": "5120", "protocol": "HTTP/2.0"}


@pytest.mark.parametrize("words", ["pipes", "scheme and host", "Apache behind a proxy"])
def test_host_and_scheme_make_the_page_whole(words: str) -> None:
    assert event_of(*WORDS[words])["page_url"] == "https://shop.example/shoes?size=42"


def test_what_no_field_takes_is_a_property_and_secrets_are_none() -> None:
    words = '$remote_addr [$time_local] "$request" $status rt=$request_time c="$cookie_session" a="$http_authorization"'
    properties = event_of(words, f'203.0.113.9 [{CLF}] "GET / HTTP/1.1" 200 rt=0.012 c="secret" a="Bearer secret"')[
        "properties"
    ]
    assert properties["request_time"] == "0.012"
    assert "secret" not in json.dumps(properties)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f'203.0.113.9 - - [{CLF}] "GET / HTTP/1.1" 200 5 "-" "-"', None),
        (f'203.0.113.9 - frida kahlo [{CLF}] "GET / HTTP/1.1" 200 5 "-" "-"', None),
        (f'203.0.113.9 - - 198.51.100.7 - [{CLF}] "GET / HTTP/1.1" 200 5 "-" "-"', "malformed_line"),
        (f'Nov 27 - - [{CLF}] "GET / HTTP/1.1" 200 5 "-" "-"', "malformed_line"),
        (f'- - - [{CLF}] "GET / HTTP/1.1" 200 5 "-" "-"', "missing_visitor"),
        (f'203.0.113.9 - - [{CLF}] "GET / HTTP/1.1" 200 5 "-"', "malformed_line"),
        ('203.0.113.9 - - [yesterday] "GET / HTTP/1.1" 200 5 "-" "-"', "bad_time"),
        ("", "malformed_line"),
    ],
)
def test_a_line_that_is_not_as_it_was_told_is_a_reject(line: str, reason: str | None) -> None:
    words = r'%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
    if reason is None:
        assert event_of(words, line)["ip"] == "203.0.0.0"
    else:
        with pytest.raises(Unmappable) as fault:
            event_of(words, line)
        assert fault.value.reason == reason


def test_a_time_that_is_none_of_the_form_is_a_reject() -> None:
    with pytest.raises(Unmappable, match="is no time of the form %Y-%m-%d"):
        event_of('%h %{%Y-%m-%d}t "%r"', '203.0.113.9 2026-13-42 "GET / HTTP/1.1"')


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("combine", "'combine' is no format of access logs. Name one: auto, combined_vhost"),
        ("", "is no format"),
        ('$remote_addr "$request"', r"The format has no time, such as \$time_local or %t"),
        ('%t "%r" %>s', r"has no client's address"),
        (
            "$remote_addr $time_local $http_user_agent$request_time",
            "nothing stands between http_user_agent and request_time",
        ),
    ],
)
def test_words_that_describe_no_readable_log_are_refused(words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        named(words)


@given(
    st.lists(
        st.sampled_from(
            ["$", "%", "{", "}", '"', "'", "\\", ":", " ", "$time_local", "%{%Y", "}t", "%h", "%t", "$msec", "a", "\n"]
        )
    )
)
def test_any_words_are_a_format_or_refused(pieces: list[str]) -> None:
    with suppress(UsageError):
        read = named("".join(pieces)).reader()
        for line in ("", "1767323045 203.0.113.9", '{"a": 1}'):
            with suppress(Unmappable, ValueError):
                read(line)


def test_no_line_makes_a_pattern_slow() -> None:
    begun = time.process_time()
    for words, line in WORDS.values():
        read = named(words).reader()
        for bad in (
            line * 200,
            line + " " * 50_000 + "\x00",
            line[:40] + '" ' * 25_000,
            line[:20] + "1.1.1.1, " * 6_000,
            "- " * 30_000,
        ):
            with suppress(Unmappable, ValueError):
                read(bad)
    assert time.process_time() - begun < 3


def with_setting(folder: Path, words: str) -> Settings:
    default = (CHECKOUT / "conf" / "default.toml").read_text(encoding="utf-8")
    (folder / "default.toml").write_text(
        default.replace('[access_logs]\nformat = ""', f"[access_logs]\nformat = '{words}'")
    )
    return load(folder / "lake", environ={}, conf_dir=folder)


def test_a_setting_names_the_format_that_auto_tries_first(tmp_path: Path) -> None:
    words, line = WORDS["pipes"]
    own, other = tmp_path / "own.log", tmp_path / "access.log"
    own.write_text(line + "\n")
    other.write_text(WORDS["Apache's combined"][1] + "\n")
    reading = LogReading(with_setting(tmp_path, words), "auto", "shop")
    reading.find([own, other])
    assert reading.described(own) == f"{own}: recognized as {words} (a format in the words of nginx)"
    assert reading.key(own) == ("log", words, "shop")
    assert reading.described(other) == f"{other}: recognized as combined (Apache, nginx, Traefik)"
    with pytest.raises(UsageError, match="is no format"):
        LogReading(with_setting(tmp_path, "combine"), "auto", "shop")

"""What a request counts as, who asked, and what of it is kept."""

import json
import stat
import time
from pathlib import Path

import pytest

from collector.access_logs.labels import is_bot, label
from collector.access_logs.requests import RequestMapper
from collector.access_logs.visitors import LogVisitors, lake_keys
from collector.imports.cells import Row
from nextclick.contracts.events import OUTSIDE_SESSIONS
from nextclick.errors import LakeError
from nextclick.lake.paths import Lake
from tests.tracker_requests import NOBODY

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
DAY = 86_400_000
PAGE: Row = {
    "line": "a line", "nth": 1, "time": 5 * DAY, "address": "203.0.113.9", "agent": FIREFOX, "method": "GET", "target": "/",
    "status": "200", "more": {},
}  # fmt: skip


def event_of(base_url: str = "", **changes: object) -> Row:
    mapper = RequestMapper("shop", LogVisitors(lambda _: bytes(32), "shop", 24), base_url, 65_536, NOBODY)
    row: Row = json.loads(mapper({**PAGE, **changes}))
    return row


@pytest.mark.parametrize(
    ("method", "status", "path", "content_type", "agent", "expected"),
    [
        ("GET", 200, "/", None, FIREFOX, "page"),
        ("GET", 304, "/history/apollo.html", None, None, "page"),
        ("GET", 206, "/guide.txt", None, None, "page"),
        ("GET", 200, "/v1.2/guide", None, None, "page"),
        ("GET", 200, "/a.PNG", None, FIREFOX, "static"),
        ("GET", 200, "/style.css;jsessionid=1", None, FIREFOX, "static"),
        ("GET", 200, "/robots.txt", None, FIREFOX, "static"),
        ("GET", 200, "/api/cart", None, FIREFOX, "data"),
        ("GET", 200, "/cart", "application/json", FIREFOX, "data"),
        ("GET", 200, "/logo", "image/png", FIREFOX, "static"),
        ("GET", 200, "/logo.png", "text/html; charset=utf-8", FIREFOX, "page"),
        ("GET", 302, "/", None, FIREFOX, "redirect"),
        ("GET", 404, "/", None, FIREFOX, "error"),
        ("GET", 500, "/a.png", None, FIREFOX, "error"),
        ("GET", 0, "/", None, FIREFOX, "error"),
        (None, 400, "", None, None, "error"),
        (None, 200, "", None, None, "error"),
        (None, 200, "/shoes", None, FIREFOX, "page"),
        (None, 200, "/a.png", None, FIREFOX, "static"),
        ("POST", 200, "/", None, FIREFOX, "not_get"),
        ("HEAD", 200, "/a.png", None, FIREFOX, "not_get"),
        ("GET", 404, "/a.png", None, GOOGLEBOT, "bot"),
    ],
)  # fmt: skip
def test_a_request_is_labelled(
    method: str | None, status: int, path: str, content_type: str | None, agent: str | None, expected: str
) -> None:
    assert label(method, status, path, content_type, agent) == expected


def test_a_page_counts_as_a_view_and_everything_else_does_not() -> None:
    assert event_of()["event"] == "page_view"
    others = [event_of(target="/a.png"), event_of(status="404"), event_of(method="POST"), event_of(agent=GOOGLEBOT)]
    assert {event["event"] for event in others} == {"request"} <= set(OUTSIDE_SESSIONS)
    assert [event["properties"]["label"] for event in others] == ["static", "error", "not_get", "bot"]
    assert others[0]["properties"] == {"label": "static", "status": "200", "method": "GET"}


def test_a_log_without_status_still_has_pages() -> None:
    assert event_of(status=None)["event"] == "page_view"


def test_bots_are_asked_for_once_an_agent() -> None:
    is_bot.cache_clear()
    assert [is_bot(agent) for agent in (GOOGLEBOT, FIREFOX, GOOGLEBOT)] == [True, False, True]
    assert is_bot.cache_info().misses == 2


def test_an_id_is_of_site_line_and_its_number_among_equal_lines() -> None:
    assert event_of()["event_id"] == event_of()["event_id"]
    assert len({event_of(**change)["event_id"] for change in ({}, {"nth": 2}, {"line": "another"})}) == 3


@pytest.mark.parametrize(
    ("base_url", "changes", "url"),
    [
        ("", {}, "/"),
        ("https://shop.example/", {"target": "/a"}, "https://shop.example/a"),
        ("https://shop.example", {"host": "other.example", "target": "/a"}, "http://other.example/a"),
        ("", {"host": "shop.example", "port": "443"}, "https://shop.example/"),
        ("", {"host": "shop.example", "scheme": "HTTPS"}, "https://shop.example/"),
        ("", {"target": "http://shop.example:80/a?b"}, "http://shop.example/a?b"),
        ("", {"target": "https://shop.example:8443/"}, "https://shop.example:8443/"),
    ],
)
def test_the_pages_address_is_as_whole_as_the_log_allows(base_url: str, changes: Row, url: str) -> None:
    assert event_of(base_url, **changes)["page_url"] == url


def test_what_names_no_page_is_kept_as_it_was_asked() -> None:
    event = event_of(method="OPTIONS", target="*")
    assert "page_url" not in event
    assert event["properties"]["target"] == "*"


def test_addresses_are_kept_truncated_wherever_they_stand() -> None:
    event = event_of(more={"upstream": "198.51.100.7:80, 2001:db8:1:2::9"})
    assert event["ip"] == "203.0.0.0"
    assert event["properties"]["upstream"] == "198.51.0.0:80, 2001:db8:1::"
    assert "ip" not in event_of(address="ppp44.crim.ca")


def test_no_secret_and_no_address_is_kept_within_urls_and_properties() -> None:
    event = event_of(
        target="/reset?token=secret&lang=de&ip=203.0.113.9", host="shop.example", referrer="https://ann:secret@shop.example/#access_token=secret",
        more={"upstream": "10.0.0.1:80", "session_token": "secret"},
    )  # fmt: skip
    assert event["page_url"] == "http://shop.example/reset?lang=de&ip=203.0.0.0"
    assert "secret" not in json.dumps(event)


def test_long_text_is_cut_with_a_mark_and_loses_its_nul_but_an_id_is_never_cut() -> None:
    event = event_of(
        target="/" + "x" * 9_000, agent="a\0b", referrer="r" * 5_000, more={"request": "\x16\x03\0", "long": "y" * 9_000}, user="u" * 300
    )  # fmt: skip
    assert [len(event[name]) for name in ("page_url", "referrer")] == [4_096, 4_096]
    assert (event["page_url"][-1], event["user_agent"]) == ("…", "ab")
    assert (event["properties"]["request"], len(event["properties"]["long"])) == ("\x16\x03", 4_096)
    assert ("user_id" in event, event["unread_fields"], event["properties"]["user_id"]) == (
        False,
        ["user_id"],
        "u" * 300,
    )
    assert event_of(user="fri\x07da")["unread_fields"] == ["user_id"]
    assert len(event_of(more={str(number): "1" for number in range(500)})["properties"]) <= 200


@pytest.mark.parametrize(
    "header",
    ["http_dnt", "http_sec_gpc", "request.headers.Dnt", "request.headers.Sec-Gpc", "request_Sec-Gpc", "cs(DNT)"],
)
def test_who_asked_not_to_be_tracked_said_no(header: str) -> None:
    assert event_of(more={header: "1"})["consent"] == {"personalization": False, "advertising": False}
    assert "consent" not in event_of(more={header: "0"})


def test_a_visitor_is_an_address_and_agent_on_one_site_for_one_period() -> None:
    visitors = LogVisitors(lambda _: bytes(32), "shop", 24)
    first = visitors("203.0.113.9", FIREFOX, 5 * DAY)
    assert first == visitors("203.0.113.9", FIREFOX, 6 * DAY - 1)
    assert len(first) == 32
    others = [
        visitors("203.0.113.10", FIREFOX, 5 * DAY),
        visitors("203.0.113.9", GOOGLEBOT, 5 * DAY),
        visitors("203.0.113.9", None, 5 * DAY),
        visitors("203.0.113.9", FIREFOX, 6 * DAY),
        LogVisitors(lambda _: bytes(32), "other", 24)("203.0.113.9", FIREFOX, 5 * DAY),
        LogVisitors(lambda _: bytes(31) + b"1", "shop", 24)("203.0.113.9", FIREFOX, 5 * DAY),
    ]
    assert len({first, *others}) == 7


def test_no_rotation_keeps_a_visitor_for_ever() -> None:
    visitors = LogVisitors(lambda _: bytes(32), "shop", 0)
    assert visitors("203.0.113.9", FIREFOX, 0) == visitors("203.0.113.9", FIREFOX, 9_000 * DAY)


def test_a_lakes_key_is_random_its_owners_alone_and_of_a_day_of_the_logs(tmp_path: Path) -> None:
    lake, other = Lake(tmp_path / "a"), Lake(tmp_path / "b")
    keys = lake_keys(lake, 8, 35)
    assert keys(0) == keys(2) == lake_keys(lake, 8, 35)(1)
    assert len({keys(0), keys(3), keys(-1), lake_keys(other, 8, 35)(0)}) == 4
    for file in (tmp_path / "a" / "_state" / "access_logs").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.write_bytes(b"short")
    with pytest.raises(LakeError, match="has 5 bytes instead of 32"):
        lake_keys(lake, 8, 35)(0)


def test_a_period_longer_than_a_day_has_one_key(tmp_path: Path) -> None:
    keys = lake_keys(Lake(tmp_path), 36, 35)
    assert len({keys(period) for period in range(3)}) == 3


def test_a_key_is_deleted_some_days_after_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, made_at = Lake(tmp_path), time.time_ns()
    follower = lake_keys(lake, 24, 35)
    key = follower(20_000)
    for days, is_kept in ((34, True), (36, False)):
        monkeypatch.setattr("time.time_ns", lambda days=days: made_at + days * 86_400 * 10**9)
        assert (lake_keys(lake, 24, 35)(20_000) == follower(20_000) == key) is is_kept


def test_the_key_of_before_that_served_for_ever_goes_but_where_nothing_rotates(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lasting = lake_keys(lake, 0, 35)
    assert lasting(0) == lasting(9_000) == lake_keys(lake, 0, 35)(0)
    assert lake_keys(lake, 24, 35)(0) != lasting(0)
    lake_keys(lake, 24, 35)
    assert not (tmp_path / "_state" / "access_logs.key").exists()

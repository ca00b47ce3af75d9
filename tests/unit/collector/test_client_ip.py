"""Whose address an event has: with ports and brackets, within IPv6, behind proxies that are networks."""

from pathlib import Path

import pytest

from collector.dialects.shared import values
from collector.request.client_ip import address, networks
from nextclick.address import truncated
from nextclick.errors import SettingsError
from nextclick.settings import CHECKOUT, load
from nextclick.web.answers import headers_of
from tests.collector_app import in_process

PAGE_VIEW = {"name": "pageview", "url": "https://shop.example/", "domain": "shop.example"}
OURS = networks(["10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"])


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("203.0.113.9", "203.0.0.0"),
        (" 203.0.113.9:51001 ", "203.0.0.0"),
        ("203.0.113.9:51001, 10.0.0.9", "203.0.0.0"),
        ("203.0.113.9,10.0.0.9", "203.0.0.0"),
        ("[203.0.113.9]:80", "203.0.0.0"),
        ('"203.0.113.9"', "203.0.0.0"),
        ("::ffff:203.0.113.9", "203.0.0.0"),
        ("::FFFF:cb00:7109", "203.0.0.0"),
        ("[::ffff:203.0.113.9]:443", "203.0.0.0"),
        ("2001:db8:1:2::9", "2001:db8:1::"),
        ("[2001:db8:1:2::9]", "2001:db8:1::"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1::"),
        ("fe80::1%eth0", "fe80::"),
        ("", None),
        ("-", None),
        ("unix:", None),
        ("unknown", None),
        ("_hidden", None),
        (":80", None),
        ("203.0.113.9:", None),
        ("203.0.113.9:http", None),
        ("203.0.113.256", None),
        ("0.0.0.0", None),
        ("[::]:443", None),
        ("[203.0.113.9", None),
        ("1:2:3", None),
        ("9" * 100_000, None),
    ],
)
def test_an_address_is_read_in_any_way_that_headers_and_trackers_write_it(written: str, kept: str | None) -> None:
    assert values.address(written) == kept
    if kept is None:
        with pytest.raises(ValueError):  # noqa: PT011
            truncated(written)


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("203.0.113.9", {"x-forwarded-for": "6.6.6.6"}, "203.0.113.9"),
        ("::ffff:203.0.113.9", {}, "203.0.113.9"),
        ("10.1.2.3", {"x-forwarded-for": "203.0.113.9:51001"}, "203.0.113.9"),
        ("::ffff:10.1.2.3", {"x-forwarded-for": "203.0.113.9:51002"}, "203.0.113.9"),
        ("10.1.2.3", {"x-forwarded-for": "6.6.6.6, 203.0.113.9, 10.9.9.9"}, "203.0.113.9"),
        ("2001:db8:ffff::1", {"x-forwarded-for": "[2001:db8:1::9]:443,"}, "2001:db8:1::9"),
        ("10.1.2.3", {}, "10.1.2.3"),
        ("10.1.2.3", {"x-forwarded-for": "10.4.5.6"}, "10.4.5.6"),
        ("10.1.2.3", {"forwarded": "for=203.0.113.9;proto=https;by=10.1.2.3"}, "203.0.113.9"),
        ("10.1.2.3", {"forwarded": 'for=6.6.6.6, by=x;For="[2001:db8:1::9]:4711" , for=10.0.0.5'}, "2001:db8:1::9"),
        ("10.1.2.3", {"x-forwarded-for": "203.0.113.9", "forwarded": "for=6.6.6.6"}, "203.0.113.9"),
        ("10.1.2.3", {"forwarded": 'for=6.6.6.6;x=", for="[2001:db8:1::9]"'}, ""),
        ("10.1.2.3", {"forwarded": 'for=6.6.6.6;x="\\", for="[2001:db8:1::9]"'}, "2001:db8:1::9"),
        ("10.1.2.3", {"x-forwarded-for": "203.0.113.9, unknown"}, ""),
        ("10.1.2.3", {"x-forwarded-for": "0.0.0.0"}, ""),
        ("10.1.2.3", {"forwarded": "for=203.0.113.9, for=_hidden"}, ""),
        ("10.1.2.3", {"forwarded": "for=203.0.113.9, proto=https"}, ""),
        ("", {"x-forwarded-for": "6.6.6.6"}, ""),
    ],
)
def test_the_client_is_whom_no_proxy_of_ours_asked_for(peer: str, headers: dict[str, str], client: str) -> None:
    assert address(peer, headers, OURS) == client


def test_a_list_that_proxies_continue_in_lines_of_their_own_is_one_list() -> None:
    sent = [(b"X-Forwarded-For", b"203.0.113.9"), (b"Host", b"a"), (b"x-forwarded-for", b"10.9.9.9"), (b"host", b"b")]
    assert headers_of({"headers": sent}) == {"x-forwarded-for": "203.0.113.9, 10.9.9.9", "host": "b"}


def test_a_proxy_that_is_no_network_is_refused_at_the_start(tmp_path: Path) -> None:
    default = (CHECKOUT / "conf" / "default.toml").read_text(encoding="utf-8")
    (tmp_path / "default.toml").write_text(default.replace("\nproxies = []", '\nproxies = ["10.0.0.1/8"]'))
    with pytest.raises(SettingsError, match=r"proxies: 10\.0\.0\.1/8 has host bits set"):
        load("lake", environ={}, conf_dir=tmp_path)


def test_connections_of_one_client_are_one_visitor_without_cookies_whatever_proxy_forwards_them(tmp_path: Path) -> None:
    with in_process(tmp_path, NEXTCLICK_COLLECTOR__PROXIES='["203.0.113.0/24"]') as door:
        visitors = [
            {event["visitor_id"]: event["ip"] for event in door.post("/api/event", PAGE_VIEW, **headers).events}
            for headers in (
                {"x_forwarded_for": "198.51.100.7:51001"},
                {"x_forwarded_for": "6.6.6.6, 198.51.100.7:51002, 203.0.113.8"},
                {"x_forwarded_for": "::ffff:198.51.100.7"},
                {"forwarded": 'for="198.51.100.7:51003";proto=https'},
            )
        ]
        nobody = door.post("/api/event", PAGE_VIEW, x_forwarded_for="unknown")
    assert visitors == [visitors[0]] * 4
    assert list(visitors[0].values()) == ["198.51.0.0"]
    assert (nobody.events, [reject["reason"] for reject in nobody.rejects]) == ([], ["missing_visitor"])

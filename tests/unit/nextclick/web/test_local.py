"""A server without keys answers this machine, and no page of another."""

import pytest

from nextclick.web.answers import Refused
from nextclick.web.local import origins, require_local


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"host": "localhost:8081"}, None),
        ({"host": "127.0.0.1"}, None),
        ({"host": "[::1]:8081"}, None),
        ({}, None),  # HTTP/1.0
        ({"host": "evil.example"}, "foreign_host"),
        ({"host": "localhost.evil.example:8081"}, "foreign_host"),
        ({"host": "127.0.0.1.nip.io"}, "foreign_host"),
        ({"host": "[::1"}, "foreign_host"),
        ({"host": ""}, "foreign_host"),
        ({"host": "localhost", "sec-fetch-site": "cross-site"}, "origin_not_allowed"),  # an image of a page that hides
        (
            {"host": "localhost", "sec-fetch-site": "cross-site", "referer": "https://evil.example/"},
            "origin_not_allowed",
        ),
        ({"host": "127.0.0.1", "sec-fetch-site": "cross-site", "referer": "http://localhost:3000/"}, None),
        ({"host": "localhost", "sec-fetch-site": "none"}, None),  # the address was typed
    ],
)
def test_foreign_names_and_pages_are_refused(headers: dict[str, str], reason: str | None) -> None:
    if reason is None:
        require_local(headers, "serving.read_keys")
        return
    with pytest.raises(Refused, match=r"serving\.read_keys") as refused:
        require_local(headers, "serving.read_keys")
    assert refused.value.reason == reason


def test_without_keys_and_a_list_pages_of_this_machine_may_ask() -> None:
    page, evil, listed = "http://localhost:3000", "https://evil.example", ("https://shop.example",)
    assert origins({"origin": page}, (), has_keys=False) == (page,)
    assert evil not in origins({"origin": evil}, (), has_keys=False)
    assert "null" not in origins({"origin": "null"}, (), has_keys=False)
    assert origins({"origin": evil}, (), has_keys=True) == ()
    assert origins({"origin": evil}, listed, has_keys=False) == listed

"""Payloads of the landing log as live profiles read them; what silver refuses is left out, at the same limits."""

from typing import Any

import msgspec
import pytest

from nextclick.profile import profile
from nextclick.profile.live_arrivals import Arrivals
from nextclick.settings import load

NOON = 1_795_348_800_000
DAY = 86_400_000
ARRIVALS = Arrivals(load(environ={"NEXTCLICK_SITE": "shop"}))
GOOD = {"event": "view_item", "event_id": "e", "client_time": NOON, "visitor_id": "v", "item_id": "lamp"}


def read(**changes: Any) -> Any:
    event = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return ARRIVALS.read(msgspec.json.encode(event), NOON)


def test_an_event_belongs_to_the_site_of_the_settings_unless_it_names_one() -> None:
    assert read().keys == (profile.visitor_key("shop", "v"),)
    assert read(site="other").keys == (profile.visitor_key("other", "v"),)
    assert read(visitor_id=None, user_id="u").keys == (profile.person_key("shop", "u"),)


def test_fields_that_this_version_does_not_know_are_no_obstacle() -> None:
    assert read(shelf={"row": 3}, properties={"colour": "red"}).action.item == "lamp"


def test_the_corrected_time_counts() -> None:
    assert read(occurred_at=NOON - 5).action.at == NOON - 5
    assert read(client_time=60_000, occurred_at=NOON).action.at == NOON


@pytest.mark.parametrize(
    ("field", "most", "too_much"),
    [
        ("event_id", "e" * 256, "e" * 257),
        ("item_id", "é" * 256, "é" * 257),
        ("page_url", "x" * 4096, "x" * 4097),
        ("properties", {f"p{n}": "" for n in range(200)}, {f"p{n}": "" for n in range(201)}),
        ("scroll_pct", 100, 101),
        ("quantity", 1_000_000, 1_000_001),
        ("dwell_ms", 0, -1),
        ("price", "0", "-0.01"),
        ("occurred_at", NOON + DAY, NOON + DAY + 1),
        ("client_time", 631_152_000_000, 631_151_999_999),
        ("name", "\\u0000 in words", "a\x00b"),
    ],
)
def test_each_limit_holds_at_its_edge(field: str, most: object, too_much: object) -> None:
    assert read(**{field: most})
    assert read(**{field: too_much}) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"no json",
        b"[]",
        b"\xff",
        b'{"event":"x","event_id":"\\ud800","client_time":1,"visitor_id":"v"}',
        b"[" * 5000,
    ],
)
def test_what_is_no_event_is_nothing(payload: bytes) -> None:
    assert ARRIVALS.read(payload, NOON) is None


@pytest.mark.parametrize("missing", ["event", "event_id", "client_time", "visitor_id"])
def test_an_event_that_lacks_what_it_needs_is_nothing(missing: str) -> None:
    assert read(**{missing: None}) is None
    assert read(**{missing: ""}) is None

"""Each column at its limits, and what lies beyond: 10,000 events that no job may stop at."""

import json
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from nextclick.contracts import silver
from nextclick.contracts.events import KINDS, MILLIS
from nextclick.reconciliation import reconcile
from nextclick.settings import Settings
from spark_jobs.transforms.silver.type_events import FIELDS, TIMES
from tests.spark import path
from tests.spark.conftest import MINUTE, RECEIVED, new_events, publish

SITE = "extremes"
"""Of nearly all of them: a site is a field, too."""
LARGEST_PRICE = Decimal("99999999999999.9999")
BEYOND: tuple[dict[str, Any], ...] = (
    {"event": "engagement", "dwell_ms": (1 << 63) - 1},
    {"event": "engagement", "dwell_ms": silver.DWELL_MS + 1},
    {"event": "engagement", "dwell_ms": -1},
    {"event": "purchase", "item_id": "lamp", "price": "1", "quantity": 1_000_001, "currency": "EUR"},
    {"event": "purchase", "item_id": "lamp", "price": "1", "quantity": (1 << 31) - 1, "currency": "EUR"},
)
"""Of each another event, that no table could add up for long."""


TEXTS: tuple[Any, ...] = (
    "",
    " ",
    "x" * 256,
    "x" * 257,
    "é" * 4096,
    "x" * 4097,
    "\0",
    "\ud83d",
    "\u202e",
    "null",
    "'",
    '"',
    "\\",
    0,
    1.5,
    True,
    [],
    {},
    ["a"],
    {"a": 1},
)
NUMBERS: tuple[Any, ...] = (
    0,
    1,
    -1,
    0.5,
    100,
    101,
    1_000_000,
    1_000_001,
    silver.DWELL_MS,
    silver.DWELL_MS + 1,
    (1 << 31) - 1,
    1 << 31,
    -(1 << 31),
    (1 << 63) - 1,
    1 << 63,
    -(1 << 63),
    1 << 64,
    1e308,
    -1e308,
    5e-324,
    float("nan"),
    float("inf"),
    -float("inf"),
    "12",
    "NaN",
    "x",
    "",
    True,
    [],
    {},
)
MONEY: tuple[Any, ...] = (
    str(LARGEST_PRICE),
    "99999999999999.99995",
    "100000000000000",
    "0.0001",
    "0.00004",
    "-0.0001",
    "-99999999999999.9999",
    "1e13",
    "1e999999999",
    "1e-999999999",
    "-0",
    *NUMBERS,
)
EPOCHS: tuple[Any, ...] = (*MILLIS, MILLIS[0] - 1, MILLIS[1] + 1, 0, -1, RECEIVED, RECEIVED + 2_000 * MINUTE, *NUMBERS)
OTHERS: dict[str, tuple[Any, ...]] = {
    "event": (*KINDS, "custom", *TEXTS),
    "price": MONEY,
    "properties": ({}, {"items": "[]"}, {"items": "[\"a\"]", "propensities": "[1e999]"}, {"items": "x"}, {"k": None}, {"k": {}},
                   {"previous_id": "x1"}, {"previous_id": ""}, {f"k{n}": "v" for n in range(201)}, *TEXTS, *NUMBERS),
    "consent": ({}, {"personalization": False}, {"personalization": "no"}, {"analytics": 1}, *TEXTS),
    "unread_fields": ([], ["price"], [None], "price", 1, {}),
} | dict.fromkeys(TIMES, EPOCHS)  # fmt: skip


def values(field: str) -> tuple[Any, ...]:
    """The utmost that the field can hold, and what it cannot hold."""
    numeric = silver.EVENTS.column(field).type in ("int", "bigint", "double")
    return OTHERS.get(field, NUMBERS if numeric else TEXTS)


def extremes(seed: int, count: int = 10_000) -> Iterator[bytes | dict[str, Any]]:
    """Events of fifty visitors, each with up to three fields of such values: first each value of each field, then any."""
    draw = random.Random(seed)
    pairs = [(name, value) for name in FIELDS for value in values(name)]
    draw.shuffle(pairs)
    for number in range(count):
        event: dict[str, Any] = {
            "event": draw.choice(KINDS),
            "event_id": f"extreme {seed} {draw.randrange(count * 5)}",
            "client_time": RECEIVED - draw.randrange(3 * 1440) * MINUTE,
            "visitor_id": f"x{draw.randrange(50)}",
            "site": SITE,
            "user_id": draw.choice([None, None, f"u{draw.randrange(30)}", "null"]),
            "item_id": draw.choice([None, f"i{draw.randrange(9)}"]),
            "properties": {"previous_id": f"u{draw.randrange(30)}"},
        }
        if event["event"] == "served" and number % 2:  # as the API writes it, when it is the sender
            yield {"event": "served", "event_id": f"served {seed} {number}", "client_time": event["client_time"],
                   "visitor_id": "x1", "site": SITE, "request_id": f"r{draw.randrange(9)}",
                   "properties": {"items": "[\"i1\",\"i1\"]"}}  # fmt: skip
        else:
            for name in draw.sample(FIELDS, draw.randrange(4)):
                name, value = pairs.pop() if pairs else (name, draw.choice(values(name)))
                event[name] = value
            yield json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def twice(make: Callable[..., dict[str, Any]], minute: float, **fields: Any) -> list[dict[str, Any]]:
    return [make(minute, **fields), make(minute + 1, **fields)]


def land(settings: Settings) -> None:
    event = new_events(site=SITE)
    good = event(0, event="view_item", visitor_id="good", item_id="lamp")
    rich = {
        "event": "purchase",
        "visitor_id": "rich",
        "item_id": "lamp",
        "price": str(LARGEST_PRICE),
        "currency": "EUR",
    }
    at_limits = [
        *twice(event, 1, event="engagement", visitor_id="rich", dwell_ms=silver.DWELL_MS, scroll_pct=100),
        *twice(event, 3, **rich, quantity=1_000_000, position=(1 << 31) - 1, propensity=1, request_id="r"),
        event(2, event="served", visitor_id="rich", request_id="r", properties={"items": "[]"}),
    ]
    beyond = [event(5 + number, visitor_id="bad") | fields for number, fields in enumerate(BEYOND)]
    large_segments = msgspec.structs.replace(settings.landing, segment_bytes=1 << 24)
    publish(msgspec.structs.replace(settings, landing=large_segments), [good, *at_limits, *beyond, *extremes(1)])


def assert_went_through(settings: Settings) -> None:
    refused = [row for row in path.rows(settings, "silver.quarantine") if '"visitor_id":"bad"' in row.payload]
    assert sorted(row.reason for row in refused) == ["out_of_range"] * len(BEYOND)

    sessions = {row.visitor_id: row for row in path.rows(settings, "silver.sessions", SITE)}
    assert {"good", "rich"} < set(sessions)
    assert "bad" not in sessions
    paid = LARGEST_PRICE * 1_000_000 * 2
    assert (sessions["rich"].engaged_ms, sessions["rich"].revenue) == (2 * silver.DWELL_MS, {"EUR": paid})
    [day] = [row for row in path.rows(settings, "gold.item_daily", SITE) if row.item_id == "lamp"]
    assert (day.views, day.revenue) == (1, {"EUR": paid})
    traffic = sum(row.sessions for row in path.rows(settings, "gold.traffic_daily", SITE))
    assert traffic == len(path.rows(settings, "silver.sessions", SITE))
    account = reconcile(settings)
    assert (account.residual, account.double_counted) == (0, 0)
    assert min(account.silver, account.quarantined) > 1_000

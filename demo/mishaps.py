"""What really happens on the way: events come late, twice, or broken.

Every kind of broken line must become exactly one row of silver.quarantine; the copies must become duplicates; and
what is late must end up where it belongs.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from demo.visits import DAY_MS, Flags, Ints

HOUR_MS: Final = 3_600_000
LATE_MS: Final = 600_000
"""An event that arrives more than ten minutes after it happened counts as late."""

Fields = dict[str, Any]

encode = msgspec.json.Encoder().encode


def arrivals(rng: np.random.Generator, at: Ints) -> Ints:
    """When each event reaches the door: mostly within seconds, 2 % hours and 0.5 % days after it happened."""
    roll = rng.random(len(at))
    hours = rng.integers(LATE_MS + 1, 8 * HOUR_MS, len(at))
    days = rng.integers(DAY_MS, 4 * DAY_MS, len(at))
    return at + np.where(roll < 0.005, days, np.where(roll < 0.025, hours, rng.integers(50, 20_000, len(at))))


def copies(rng: np.random.Generator, arrival: Ints) -> tuple[Ints, Ints]:
    """Which events are sent again, byte for byte, and when: 1.5 % within a minute, 0.3 % days later."""
    soon = np.flatnonzero(rng.random(len(arrival)) < 0.015)
    later = np.flatnonzero(rng.random(len(arrival)) < 0.003)
    again = np.concatenate([soon, later])
    delay = np.concatenate([rng.integers(100, 60_000, len(soon)), rng.integers(DAY_MS, 6 * DAY_MS, len(later))])
    return again, arrival[again] + delay


def _without(*names: str) -> Callable[[Fields], bytes]:
    return lambda event: encode({name: value for name, value in event.items() if name not in names})


def _with(**changes: Any) -> Callable[[Fields], bytes]:
    return lambda event: encode(event | changes)


def _spliced(name: str, literal: bytes) -> Callable[[Fields], bytes]:
    """JSON text as careless producers write it: no encoder of ours would."""
    return lambda event: encode(event | {name: "@"}).replace(b'"@"', literal)


BROKEN: Final[dict[str, Callable[[Fields], bytes]]] = {
    "cut in the middle": lambda event: encode(event)[: len(encode(event)) // 2],
    "no visitor": _without("visitor_id", "user_id"),
    "no kind": _without("event"),
    "impossible time": _with(client_time="2026-02-30T25:61:00Z"),
    "far future": _with(client_time="2226-06-01T12:00:00Z"),
    "NaN price": _spliced("price", b"NaN"),
    "infinite price": _spliced("price", b"1e400"),
    "negative price": _with(price=-5.0),
    "wrong type": _with(quantity="many"),
    "NUL in an id": _with(item_id="i00\x0001"),
    "lone surrogate": _spliced("query", rb'"caf\ud800"'),
    "oversized": _with(properties={"note": "x" * 100_000}),
    "same id, other payload": _with(page_url="https://shop.example/other"),
}
"""Kinds of broken lines: how each is made from a good event. The last needs its original to come first."""


def is_late(at: Ints, arrival: Ints) -> Flags:
    return arrival - at > LATE_MS

"""What really happens on the way: events come late, twice, or broken.

Every kind of broken line must become exactly one row of silver.quarantine; the copies must become duplicates; and
what is late must end up where it belongs.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from demo.traffic.trackers import PLAIN, Fields, Parcel, TrackerRecord, encode, write
from demo.traffic.visits import DAY_MS, Ints

HOUR_MS: Final = 3_600_000
_OF_EACH_KIND: Final = 8
"""Broken lines of a kind."""
LATE_MS: Final = 600_000
"""An event that arrives more than ten minutes after it happened counts as late."""


def arrivals(rng: np.random.Generator, at: Ints) -> Ints:
    """When each record reaches the door: mostly within seconds, 2 % hours and 0.5 % days after it happened."""
    roll = rng.random(len(at))
    hours = rng.integers(LATE_MS + 1, 8 * HOUR_MS, len(at))
    days = rng.integers(DAY_MS, 4 * DAY_MS, len(at))
    return at + np.where(roll < 0.005, days, np.where(roll < 0.025, hours, rng.integers(50, 20_000, len(at))))


def copies(rng: np.random.Generator, arrival: Ints) -> tuple[Ints, Ints]:
    """Which records are sent again, byte for byte, and when: 1.5 % within a minute, 0.3 % days later."""
    soon = np.flatnonzero(rng.random(len(arrival)) < 0.015)
    later = np.flatnonzero(rng.random(len(arrival)) < 0.003)
    again = np.concatenate([soon, later])
    delay = np.concatenate([rng.integers(100, 60_000, len(soon)), rng.integers(DAY_MS, 6 * DAY_MS, len(later))])
    return again, arrival[again] + delay


def _without(*names: str) -> Callable[[Fields], bytes]:
    return lambda event: encode({name: value for name, value in event.items() if name not in names})


def _with(**changes: Any) -> Callable[[Fields], bytes]:
    return lambda event: encode(event | changes)


def _spliced(field: str, literal: bytes, **changes: Any) -> Callable[[Fields], bytes]:
    """JSON text as careless producers write it: no encoder of ours would."""
    return lambda event: encode(event | changes | {field: "@"}).replace(b'"@"', literal)


class Broken(NamedTuple):
    """A kind of broken line: the reason it must get in silver.quarantine, and how it is made from a good event."""

    reason: str
    spoil: Callable[[Fields], bytes]


BROKEN: Final = {
    "cut in the middle": Broken("malformed_json", lambda event: encode(event)[: len(encode(event)) // 2]),
    "no visitor": Broken("missing_visitor", _without("visitor_id", "user_id")),
    "no kind": Broken("missing_event", _without("event")),
    "impossible time": Broken("bad_time", _with(client_time="2026-02-30T25:61:00Z")),
    "far future": Broken("future_time", _with(client_time="2226-06-01T12:00:00Z")),
    "NaN price": Broken("id_collision", _spliced("price", b"NaN", name="not a number")),
    "infinite price": Broken("id_collision", _spliced("price", b"1e400", name="infinite")),
    "negative price": Broken("out_of_range", _with(event="purchase", price=-5.0)),
    "wrong type": Broken("id_collision", _with(quantity="many")),
    "NUL in an id": Broken("id_collision", _with(item_id="i00\x0001")),
    "lone surrogate": Broken("id_collision", _spliced("query", rb'"caf\ud800"')),
    "oversized": Broken("too_large", _with(properties={f"note {n}": "x" * 4_000 for n in range(20)})),
    "same id, other payload": Broken("id_collision", _with(page_url="https://shop.example/other")),
}
"""All are in the plain form, and come after their original: what the door can mend, another payload under its id, is a collision."""


class Sent(NamedTuple):
    """Records in order of arrival, and how many events of them are what."""

    lines: list[TrackerRecord]
    arrival: Ints
    """Epoch ms, ascending."""
    late: int
    duplicates: int
    broken: dict[str, int]
    """By kind."""


def send(rng: np.random.Generator, parcels: list[Parcel], end: int) -> Sent:
    """Good records, copies and broken lines, as the door sees them until `end` (epoch ms); all arrive by then."""
    at, size = np.array([(parcel.at, len(parcel.events)) for parcel in parcels]).T
    arrival = arrivals(rng, at)
    again, again_at = copies(rng, arrival)
    plain = [number for number, parcel in enumerate(parcels) if parcel.tracker == PLAIN]
    victims = {kind: rng.choice(plain, min(_OF_EACH_KIND, len(plain)), replace=False) for kind in BROKEN}
    good = list(map(write, parcels))
    lines = good + [good[n] for n in again.tolist()]
    lines += [
        TrackerRecord(PLAIN, BROKEN[kind].spoil(parcels[n].events[0]))
        for kind, chosen in victims.items()
        for n in chosen.tolist()
    ]
    spoiled_at = np.concatenate([arrival[chosen] + DAY_MS // 2 for chosen in victims.values()])
    due = np.concatenate([arrival, again_at, spoiled_at]).clip(max=end - 1)
    order = np.argsort(due, kind="stable")  # ties keep the original before its copies
    return Sent(
        lines=[lines[n] for n in order.tolist()],
        arrival=due[order],
        late=int(size[arrival - at > LATE_MS].sum()),
        duplicates=int(size[again].sum()),
        broken={kind: len(chosen) for kind, chosen in victims.items()},
    )

"""Visitors who are no customers, one kind of abuse each, and what is known of them: the detector reads none of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from demo.traffic.catalogue import ShopItems
from demo.traffic.trackers import Fields
from demo.traffic.visits import DAY_MS, START_MS

SHARE: Final = 0.01
"""Abusers for each visitor; of each kind there is one at least."""
FILE: Final = "abuse.json"
_HOUR_MS, _MINUTE_MS, _SECOND_MS = 3_600_000, 60_000, 1_000

Timed = tuple[int, Fields]
"""Milliseconds from the hour in which it begins, and the event but for its id, time and visitor."""


class Abuser(msgspec.Struct, frozen=True):
    """What one visitor does wrong, and when it begins."""

    visitor_id: str
    kind: str
    at: int
    """Epoch ms."""


def make_abuse(
    rng: np.random.Generator, catalogue: ShopItems, visitors: int, days: int
) -> tuple[list[Abuser], list[tuple[int, Fields]]]:
    """The abusers; and what they do: epoch ms, and the event but for its id and time."""
    kinds = [*_KINDS]
    abusers, acts = [], []
    for number in range(max(len(kinds), round(SHARE * visitors))):
        kind, hour = kinds[number % len(kinds)], int(rng.integers(8, 11))
        one = Abuser(f"x{number:05d}", kind, START_MS + int(rng.integers(days)) * DAY_MS + hour * _HOUR_MS)
        item = str(rng.choice(catalogue.ids))
        abusers.append(one)
        acts += [
            (one.at + after, {"visitor_id": one.visitor_id, "device": "desktop", "country": "DE"} | fields)
            for after, fields in _KINDS[kind](item, one.visitor_id)
        ]
    return abusers, acts


def write_abuse(abusers: list[Abuser], folder: Path) -> None:
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(abusers)))


def load_abuse(folder: Path) -> list[Abuser]:
    return msgspec.json.decode((folder / FILE).read_bytes(), type=list[Abuser])


def _click_flood(item: str, name: str) -> Iterator[Timed]:
    for n in range(90):
        yield n * 5 * _SECOND_MS, {"event": "click", "item_id": item, "surface": "front_page", "position": 1}


def _cart_bomb(item: str, name: str) -> Iterator[Timed]:
    goods = {"price": 10.0, "currency": "EUR", "quantity": 1}
    for n in range(120):
        yield n * 4 * _SECOND_MS, {"event": "add_to_cart", "item_id": item, **goods}


def _many_agents(item: str, name: str) -> Iterator[Timed]:
    for n in range(24):
        agent = f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{100 + n}.0.0.0 Safari/537.36"
        yield n * 20 * _SECOND_MS, {"event": "view_item", "item_id": item, "user_agent": agent}


def _repeated_order(item: str, name: str) -> Iterator[Timed]:
    for n in range(14):
        yield n * 10 * _MINUTE_MS, _bought(item, f"o{name}")


def _impossible_speed(item: str, name: str) -> Iterator[Timed]:
    for n in range(220):
        yield n * _SECOND_MS // 4, {"event": "view_item", "item_id": item}


def _self_clicks(item: str, name: str) -> Iterator[Timed]:
    for n in range(26):
        shown: dict[str, Any] = {"surface": "home", "properties": {"banner": "summer"}}
        yield n * 4 * _MINUTE_MS, {"event": "impression", **shown}
        yield n * 4 * _MINUTE_MS + 2 * _SECOND_MS, {"event": "click", **shown}


def _coupon_abuse(item: str, name: str) -> Iterator[Timed]:
    for n in range(12):
        yield n * 20 * _MINUTE_MS, _bought(item, f"o{name}-{n}") | {"properties": {"coupon": "WELCOME"}}


def _bought(item: str, order: str) -> Fields:
    return {"event": "purchase", "item_id": item, "order_id": order, "price": 10.0, "currency": "EUR", "quantity": 1}


_KINDS: Final[dict[str, Callable[[str, str], Iterator[Timed]]]] = {
    "click_flood": _click_flood,
    "cart_bomb": _cart_bomb,
    "many_agents": _many_agents,
    "repeated_order": _repeated_order,
    "impossible_speed": _impossible_speed,
    "self_clicks": _self_clicks,
    "coupon_abuse": _coupon_abuse,
}

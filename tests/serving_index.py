"""A small shop as an index, by hand: what ranking, rules and fall-backs are tested on."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import numpy as np

from nextclick import ctr, kv
from nextclick.kv.lists import packing
from nextclick.kv.lists.packing import DescribedItems
from nextclick.lake.lists_manifest import PinnedSessionModel, Vectors
from nextclick.settings import Settings
from serving.index import index
from serving.index.index import ServingIndex

NOW: Final = 1_795_341_600_000
"""2026-11-22T10:00:00Z in milliseconds."""
DAY: Final = 86_400_000
GOODS: Final[dict[str, dict[str, Any]]] = {
    "lamp": {"name": "Amber lamp", "category": "light", "price": 20.0, "strength": 8.0, "seen": NOW - 60 * DAY},
    "bulb": {"name": "Amber bulb", "category": "light", "price": 5.0, "strength": 4.0, "seen": NOW},
    "sofa": {"name": "Soft sofa", "category": "seats", "price": 900.0, "strength": 2.0, "available": False},
    "stool": {"name": "Low stool", "category": "seats", "price": 40.0, "strength": 1.0, "available": True},
    "gift": {"name": "Gift card", "strength": 0.0},
}
"""Five items; popularity n/(n+κ) with κ = 3, the median of 8, 4, 2 and 1."""


def served(settings: Settings) -> ServingIndex:
    """What was exported, as the API has it."""
    return index.load(kv.open_table(settings).snapshot())


class Store:
    """A version in memory; lists are ids, best first."""

    def __init__(
        self,
        goods: Mapping[str, Mapping[str, Any]],
        popular: Sequence[str] = (),
        people: Mapping[str, Sequence[str]] | None = None,
        similar: Mapping[str, Sequence[str]] | None = None,
        more: Mapping[bytes, bytes] | None = None,
        vectors: Mapping[str, Sequence[float]] | None = None,
        version: int = 1,
    ) -> None:
        ids = list(goods)
        dimensions = len(next(iter((vectors or {}).values()), ()))
        about = Vectors(table_version=1, method="als", dimensions=dimensions, alpha=1.0, regularization=1.0)
        lists = SimpleNamespace(model_version="7", vectors=about if vectors else None, session=PinnedSessionModel())
        self.manifest: Any = SimpleNamespace(version=version, items=len(ids), models=("7",), lists=lists)
        number = {item: place for place, item in enumerate(ids)}
        pack = packing.PAIRS[packing.SHORT].pack

        def packed(items: Sequence[str]) -> bytes:
            body = b"".join(pack(number[item], goods[item].get("strength", 1.0)) for item in items)
            return packing.HEADER.pack(packing.SHORT, 0) + body

        self.entries = dict(packing.pack_ids(ids)) | {packing.POPULAR: packed(popular)} | dict(more or {})
        self.entries |= {packing.person_key(name): packed(items) for name, items in (people or {}).items()}
        self.entries |= {packing.similar_key(name): packed(items) for name, items in (similar or {}).items()}
        if vectors:
            rows = [vectors.get(item, [0.0] * dimensions) for item in ids]
            self.entries[packing.vectors_key(0)] = np.array(rows, "<f2").tobytes()
        if ids:
            self.entries[packing.shelf_key(0)] = packing.encode_shelf(_shelf(list(goods.values())))

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]


def _shelf(rows: Sequence[Mapping[str, Any]]) -> DescribedItems:
    def column(name: str) -> list[Any]:
        return [row.get(name) for row in rows]

    nothing: list[Any] = [None] * len(rows)
    strengths = [row.get("strength", 0.0) for row in rows]
    seen = column("seen")
    names, categories, prices, currencies = map(column, ("name", "category", "price", "currency"))
    recommendable = [row.get("recommendable", True) for row in rows]
    available = column("available")
    return DescribedItems(
        names, categories, prices, currencies, available, nothing, seen, seen, strengths, recommendable
    )


def shop(**how: Any) -> ServingIndex:
    """The index of GOODS (or `goods`); the other arguments are those of `Store`."""
    return index.load(Store(how.pop("goods", GOODS), **how))


def click_model(coefficients: Mapping[str, float], intercept: float = 0.0) -> dict[bytes, bytes]:
    """A click model as an entry of the store."""
    model = ctr.CtrModel(version="1", intercept=intercept, coefficients=dict(coefficients))
    return {packing.CTR_MODEL: msgspec.json.encode(model)}


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

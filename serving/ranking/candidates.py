"""The items that are ranked for one answer, as arrays: a row an item."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.index.index import ServingIndex
from serving.index.items import UNKNOWN, Floats, ItemColumns, Numbers, places
from serving.ranking.visitor import Known

SESSION, PERSONAL, CATEGORY, POPULAR, SIMILAR = 1, 2, 4, 8, 16
"""Where a candidate comes from; several of them may hold."""
_VIEW_DECAY: Final = 0.8
"""What an item resembles counts by this factor less for each view since."""
_SHARES: Final = {"personal": 0.35, "session": 0.35, "categories": 0.15, "fresh": 0.05}
"""Of the candidates; popular items fill what is left."""
_CATEGORIES: Final = 3


@dataclass(eq=False)
class Candidates:
    """Candidates; the arrays are as long as `number`."""

    number: Numbers
    """Index of each item; UNKNOWN for what the catalogue does not have."""
    category: Numbers
    price: Floats
    available: NDArray[np.int8]
    origin: NDArray[np.int64]
    """Where it comes from: a sum of the constants above."""
    personal: Floats
    """1 for the first of the person's own list, falling evenly; 0 outside."""
    similar: Floats
    """The same for lists of what resembles the last views, 0.8 times as much for each view since."""
    row: Numbers
    """Which row of the candidates it began in this was."""

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: NDArray[Any]) -> "Candidates":
        """Some rows, in that order."""
        return Candidates(*(column.take(rows) for column in vars(self).values()))


def of_numbers(stock: ItemColumns, number: Numbers, origin: int = 0) -> Candidates:
    """Items of the catalogue about which nothing else is known."""
    nothing = np.zeros(len(number))
    return Candidates(
        number=number,
        category=stock.category.take(number),
        price=stock.price.take(number),
        available=stock.available.take(number),
        origin=np.full(len(number), origin, np.int64) if origin else np.zeros(len(number), np.int64),
        personal=nothing,
        similar=nothing.copy(),
        row=places(len(number)),
    )


def gather(index: ServingIndex, known: Known, limit: int, fresh_since: float) -> Candidates:
    """At most `limit` items for a visitor: their own list, what resembles their last views, and popular and fresh ones."""
    room = _rooms(limit)
    personal = known.personal[: room["personal"]] if known.personal is not None else index.by_popularity[:0]
    each = max(1, room["session"] // max(1, len(known.similar)))
    similar = [items[:each] for items in known.similar]
    liked = [index.of_category(code)[: room["categories"] // _CATEGORIES + 1] for code in top_categories(index, known)]
    fresh = index.fresh(fresh_since)[: room["fresh"]]
    popular = index.by_popularity[:limit]
    chosen = _filled_up(index, np.concatenate([personal, *similar, *liked, fresh]), popular, limit)
    candidates = of_numbers(index.catalogue, chosen)
    annotate(index, candidates, known, ((POPULAR, popular), (CATEGORY, np.concatenate([popular[:0], *liked]))))
    return candidates


@lru_cache
def _rooms(limit: int) -> dict[str, int]:
    """How many of so many candidates each way may give."""
    return {name: max(1, int(share * limit)) for name, share in _SHARES.items()}


def dedupe_keep_last(index: ServingIndex, items: Numbers) -> Numbers:
    """Each item where it stands last."""
    last: Numbers = items[index.rows(items, items)[0] == places(len(items))]
    return last


def _filled_up(index: ServingIndex, items: Numbers, others: Numbers, limit: int) -> Numbers:
    """Each of `items` where it stands last, then those of `others` that are not among them; at most `limit`."""
    last, beside = index.rows(items, items, others)
    chosen = items[last == places(len(items))][:limit]
    return np.concatenate([chosen, others[beside == UNKNOWN][: limit - len(chosen)]])


@lru_cache(1_024)
def _worths(lengths: tuple[int, ...], decay: float) -> Floats:
    """What the places of lists count, one list after the other: 1 for the first, falling evenly; each list `decay` times the one before."""
    worths = [decay**place * (1.0 - np.arange(length) / max(1, length)) for place, length in enumerate(lengths)]
    return np.concatenate([np.zeros(0), *worths])


def top_categories(index: ServingIndex, known: Known) -> list[int]:
    """The codes of the categories that the visitor leans to most: of the session, the last one, by interest."""
    features, code = known.features, index.catalogue.code
    codes: dict[int, None] = {}
    for name in (features.session_category, features.last_category, *features.top_categories):
        if name in code:
            codes[code[name]] = None
            if len(codes) == _CATEGORIES:
                break
    return list(codes)


def annotate(
    index: ServingIndex, candidates: Candidates, known: Known, others: Sequence[tuple[int, Numbers]] = ()
) -> None:
    """Fill in what the person's own list and the last views say of the candidates, and which `others`, by origin, have them."""
    own: tuple[Numbers, ...] = () if known.personal is None else (known.personal,)
    lists = (
        (PERSONAL, candidates.personal, own, 1.0),
        (SESSION, candidates.similar, known.similar, _VIEW_DECAY),
    )
    joined = [np.concatenate([candidates.number[:0], *several]) for _, _, several, _ in lists]
    rows = index.rows(candidates.number, *joined, *(items for _, items in others))
    for (origin, column, several, decay), row in zip(lists, rows[: len(lists)], strict=True):
        if not several:
            continue
        there = row >= 0
        row, worth = row[there], _worths(tuple(map(len, several)), decay)[there]
        np.maximum.at(column, row, worth)
        candidates.origin[row] |= origin
    for (origin, _), row in zip(others, rows[len(lists) :], strict=True):
        candidates.origin[row[row >= 0]] |= origin

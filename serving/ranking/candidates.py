"""The items that are ranked for one answer, as arrays: a row an item."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.index.index import ServingIndex
from serving.index.items import NOTHING, Floats, ItemColumns, Numbers, places, zeros
from serving.ranking.visitor import Known

_VIEW_DECAY: Final = 0.8
"""What an item resembles counts by this factor less for each view since."""
_SHARES: Final = {"personal": 0.35, "session": 0.35, "categories": 0.15, "fresh": 0.05}
"""Of the candidates; popular items fill what is left."""
_CATEGORIES: Final = 3


@dataclass(eq=False)
class Candidates:
    """Candidates; the arrays are as long as `number`, but for `in_categories`."""

    in_categories: Numbers
    """Items that are popular in the categories that the visitor leans to, whether they are candidates or not."""
    number: Numbers
    """Index of each item; UNKNOWN for what the catalogue does not have."""
    category: Numbers
    price: Floats
    available: NDArray[np.int8]
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
        return Candidates(self.in_categories, *[column.take(rows) for column in self.columns()])

    def columns(self) -> list[NDArray[Any]]:
        """What has a row a candidate: all fields but the first."""
        return list(vars(self).values())[1:]


def of_numbers(stock: ItemColumns, number: Numbers, in_categories: Numbers = NOTHING) -> Candidates:
    """Items of the catalogue about which nothing else is known."""
    nothing = zeros(len(number))
    return Candidates(
        number=number,
        category=stock.category.take(number),
        price=stock.price.take(number),
        available=stock.available.take(number),
        personal=nothing,
        similar=nothing,
        row=places(len(number)),
        in_categories=in_categories,
    )


def gather(
    index: ServingIndex, known: Known, limit: int, fresh_since: float, may_be: NDArray[np.bool_] | None = None
) -> Candidates:
    """At most `limit` items for a visitor: their own list, what resembles their last views, and popular and fresh ones.

    Those are left out that may not be candidates, by index of item (`may_be`; None: all may).
    """
    room = _rooms(limit)
    personal = known.personal[: room["personal"]] if known.personal is not None else NOTHING
    each = max(1, room["session"] // max(1, len(known.similar)))
    similar = [items[:each] for items in known.similar]
    liked = [index.of_category(code)[: room["categories"] // _CATEGORIES + 1] for code in top_categories(index, known)]
    in_categories = np.concatenate([NOTHING, *liked])
    fresh = index.fresh(fresh_since)[: room["fresh"]]
    several = np.concatenate([personal, *similar, in_categories, fresh])
    chosen = index.distinct(several, index.by_popularity[:limit])[:limit]
    if may_be is not None:
        chosen = chosen[may_be.take(chosen)]
    candidates = of_numbers(index.catalogue, chosen, in_categories)
    annotate(index, candidates, known)
    return candidates


@lru_cache
def _rooms(limit: int) -> dict[str, int]:
    """How many of so many candidates each way may give."""
    return {name: max(1, int(share * limit)) for name, share in _SHARES.items()}


@lru_cache(1_024)
def _worths(lengths: tuple[int, ...], decay: float) -> tuple[Numbers, Floats]:
    """What the places of lists count, one list after the other: 1 for the first, falling evenly; each list `decay` times the one before.

    The places by what they count, rising, and what they count.
    """
    lists = [decay**place * (1.0 - np.arange(length) / max(1, length)) for place, length in enumerate(lengths)]
    worths = np.concatenate([np.zeros(0), *lists])
    order = np.argsort(worths, kind="stable")
    return order, worths[order]


def top_categories(index: ServingIndex, known: Known) -> list[int]:
    """The codes of the categories that the visitor leans to most: of the session, the last one, by interest."""
    features, code = known.features, index.catalogue.code
    codes: dict[int, None] = {}
    for name in chain((features.session_category, features.last_category), features.top_categories):
        if name in code:
            codes[code[name]] = None
            if len(codes) == _CATEGORIES:
                break
    return list(codes)


def annotate(index: ServingIndex, candidates: Candidates, known: Known) -> None:
    """Fill in what the person's own list and the last views say of the candidates."""
    if known.personal is not None:
        candidates.personal = _worth(index, candidates, (known.personal,), 1.0)
    if known.similar:
        candidates.similar = _worth(index, candidates, known.similar, _VIEW_DECAY)


def _worth(index: ServingIndex, candidates: Candidates, lists: tuple[Numbers, ...], decay: float) -> Floats:
    """What each candidate counts in lists: as much as its best place there; 0 in none."""
    order, worths = _worths(tuple(map(len, lists)), decay)
    return index.values(candidates.number, np.concatenate(lists).take(order), worths)

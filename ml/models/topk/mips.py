"""The exact n best items by inner product, without looking at all items.

No item's score exceeds |query| · |item|. With the items in falling order of their
length, a query is done as soon as the next item's bound lies below its n-th best
score. Lengths differ by orders of magnitude, since few items are used by many, so
most queries end after a few thousand items. Teflioudi, Gemulla, Mykytiuk, "LEMP:
Fast Retrieval of Large Entries in a Matrix Product", SIGMOD 2015.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats
from ml.models.protocol import Lists

TopK = Callable[[Floats, Floats, int, csr_matrix | None], tuple[Any, Any]]
"""(items, queries, n, what to leave out by query) → (rows, scores), padded with the lowest float."""

_FIRST = 2048
"""Items that every query is compared with."""
_ROUNDING = 1 + 1e-5
_NOTHING = np.finfo(np.float32).min / 2


class MipsIndex:
    """Items ready to be ranked; those whose vector is zero are never found."""

    def __init__(self, items: Floats, top_k: TopK) -> None:
        lengths = np.linalg.norm(items, axis=1)
        order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        self._order, self._lengths, self._items = (
            order.astype(np.int32),
            lengths[order],
            np.ascontiguousarray(items[order]),
        )
        self._place = np.full(len(items), len(items), np.int32)
        self._place[order] = np.arange(len(order), dtype=np.int32)
        self._top_k = top_k

    def best(self, queries: Floats, n: int, seen: csr_matrix | None = None) -> Lists:
        """The n items with the highest inner product with each query, less what its row of `seen` holds."""
        lists = Lists(np.full((len(queries), n), -1, np.int32), np.zeros((len(queries), n), np.float32))
        lengths = np.linalg.norm(queries, axis=1)
        open_, width = np.flatnonzero(lengths > 0), min(max(_FIRST, 2 * n), len(self._items))
        while len(open_) and width:
            out = self._left_out(seen[open_], width) if seen is not None else None
            indices, scores = self._top_k(self._items[:width], queries[open_], n, out)
            there = scores > _NOTHING  # neither padding nor NaN
            lists.items[open_, : there.shape[1]] = np.where(there, self._order[np.where(there, indices, 0)], -1)
            lists.scores[open_, : there.shape[1]] = np.where(there, scores, 0)
            if width == len(self._items):
                break
            bound = lengths[open_] * self._lengths[width] * _ROUNDING
            open_, width = open_[~(bound < scores[:, -1])], min(2 * width, len(self._items))
        return lists

    def _left_out(self, seen: csr_matrix, width: int) -> csr_matrix:
        """`seen` over the first `width` items, in their order here."""
        place, row = self._place[seen.indices], np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
        inside = place < width
        ones = np.ones(int(inside.sum()), np.float32)
        return csr_matrix((ones, (row[inside], place[inside])), shape=(seen.shape[0], width))

"""Items that lead to others: one matrix, asked with the last items of a session.

    score(j) = Σ over the last items i of 2^(−steps back / half-life) · links[i, j]

What the links are is what recipes differ in: counted transitions (markov.py), a step and a step
more (walk.py), or a regression in closed form (linear.py).
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, quiet
from ml.models.topk import sparse_arrays
from ml.models.topk.sparse_arrays import Sparse
from ml.models.topk.sparse_topk import best, best_next


class Asks(Protocol):
    """What of a session at hand a recipe looks at."""

    @property
    def last_items(self) -> int:
        """Items of the session at hand that count, each at its latest place."""

    @property
    def half_life_places(self) -> float:
        """An item counts half as much with each of these steps back."""


class LinksRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe whose model is a matrix of links; what they are is what `fit` of each says."""

    last_items: int
    half_life_places: float

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> "LinksModel":
        raise NotImplementedError

    def layout(self, items: int) -> Layout:
        return {"links": Sparse(items, items)}

    def restore(self, arrays: Arrays) -> "LinksModel":
        return LinksModel(self, sparse_arrays.from_arrays("links", arrays, len(arrays["links.indptr"]) - 1))


@dataclass(frozen=True)
class LinksModel:
    """How strongly which item leads to which."""

    recipe: LinksRecipe
    links: csr_matrix
    """Items × items."""

    @property
    def arrays(self) -> Arrays:
        return sparse_arrays.to_arrays("links", self.links)

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None, repeats: bool = False) -> Lists:
        return best_next(self.scores, recent, n, seen, repeats)

    def scores(self, recent: Rows) -> csr_matrix:
        """Lists × items; no row without a known item has any."""
        return csr_matrix(counted(recent, self.recipe, self.links.shape[0]) @ self.links)


def counted(recent: Rows, recipe: Asks, items: int) -> csr_matrix:
    """Lists × items: what each of the last items counts."""
    last = distinct(recent, recipe.last_items)
    row, place = np.nonzero(last >= 0)
    weight = halved(last.shape[1] - 1 - place, recipe.half_life_places)
    return csr_matrix((weight, (row, last[row, place])), (len(last), items))


def distinct(recent: Rows, length: int) -> Rows:
    """The last `length` distinct items of each row, oldest first, each at its latest place; padded left with −1."""
    again = np.zeros(recent.shape, np.bool_)
    for later in range(1, recent.shape[1]):
        again[:, :-later] |= recent[:, :-later] == recent[:, later:]
    items = np.where(again, -1, recent)
    order = np.argsort(items >= 0, axis=1, kind="stable")
    return np.take_along_axis(items, order, axis=1)[:, -length:]


def halved(steps: Rows, half_life: float) -> Floats:
    """2^(−steps / half-life)."""
    return np.exp2(-np.minimum(steps / half_life, 100.0)).astype(np.float32)


def strongest(links: csr_matrix, n: int) -> csr_matrix:
    """The n highest positive entries of each row."""
    lists = best(links.tocsr(), min(n, links.shape[1]))
    row, place = np.nonzero(lists.items >= 0)
    return csr_matrix((lists.scores[row, place], (row, lists.items[row, place])), links.shape)


def row_shares(links: csr_matrix, exponent: float = 1.0) -> csr_matrix:
    """Each row divided by its sum^exponent."""
    total = np.maximum(links.sum(axis=1).A1, 1e-12) ** exponent
    scaled = links.copy()
    scaled.data = (links.data / np.repeat(total, np.diff(links.indptr))).astype(np.float32)
    return scaled

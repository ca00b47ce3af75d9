"""The next item from the sessions most like the one at hand, where places and distances count: STAN.

Garg, Gupta, Malhotra, Vig, Shroff, "Sequence and Time Aware Neighborhood for Session-based
Recommendations", SIGIR 2019, with the rarity of V-STAN (Ludewig, Mauro, Latifi, Jannach, UMUAI 31, 2021).
An item of the session at hand counts half as much with each `half_life_places` steps back.
Of the `sample` latest sessions with such an item, the `neighbours` of the highest

    likeness = Σ over shared items of their counts / (items of the neighbour)^`length`

vote: an item of theirs gets likeness · 2^(−distance / `near_places`) · idf^`rarity`, where the distance is that to the
latest item that is shared; what came before it counts `before` times as much. Older sessions fade by `half_life_hours`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from ml.data.interactions import Floats, Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, quiet
from ml.models.session.links import distinct, halved
from ml.models.session.markov import faded
from ml.models.topk import sparse_arrays
from ml.models.topk.sparse_arrays import Sparse
from ml.models.topk.sparse_topk import best, best_next

Numbers = NDArray[np.int64]
_BATCH = 256


class Stan(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="stan"):
    """Memory: each session's items twice, and 256 lists × `last_items` × `sample` entries at a time."""

    neighbours: int = 500
    sample: int = 1500
    last_items: int = 9
    half_life_places: float = 2.0
    near_places: float = 4.0
    before: float = 0.5
    length: float = 0.5
    rarity: float = 0.5
    half_life_hours: float | None = None

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> "StanModel":
        newest = np.argsort(-train.ended_at, kind="stable")
        last = csr_matrix(train.last_places[newest])
        with_it = np.bincount(last.indices, minlength=len(train.items))
        idf = np.log1p(len(train) / np.maximum(with_it, 1)).astype(np.float32)
        weight = np.ones(len(train), np.float32)
        if self.half_life_hours is not None:
            weight = faded(train.as_of - train.ended_at[newest], self.half_life_hours)
        return StanModel(self, last, weight, idf)

    def layout(self, items: int) -> Layout:
        return {"sessions": Sparse(None, items), "weights": Sparse(None, 1), "idf": (items,)}

    def restore(self, arrays: Arrays) -> "StanModel":
        sessions = sparse_arrays.from_arrays("sessions", arrays, len(arrays["idf"]))
        weights = sparse_arrays.from_arrays("weights", arrays, 1).toarray()[:, 0]
        return StanModel(self, sessions, weights, arrays["idf"])


@dataclass(frozen=True)
class StanModel:
    """The sessions, the newest first."""

    recipe: Stan
    sessions: csr_matrix
    """Sessions × items: the latest place of each item in the session, from 1 on."""
    weight: Floats
    """What the age of each session leaves of it."""
    idf: Floats

    @property
    def arrays(self) -> Arrays:
        weights = sparse_arrays.to_arrays("weights", csr_matrix(self.weight[:, None]))
        return sparse_arrays.to_arrays("sessions", self.sessions) | weights | {"idf": self.idf}

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None, repeats: bool = False) -> Lists:
        return best_next(self.scores, recent, n, seen, repeats)

    def scores(self, recent: Rows) -> csr_matrix:
        """Lists × items: the summed votes of each list's neighbours."""
        parts = [self._scores(recent[start : start + _BATCH]) for start in range(0, len(recent), _BATCH)]
        return csr_matrix(vstack(parts, "csr")) if parts else csr_matrix((0, len(self.idf)), dtype=np.float32)

    def _scores(self, recent: Rows) -> csr_matrix:
        row, session, likeness, place = self._neighbours(distinct(recent, self.recipe.last_items))
        entry, of = spread(self.sessions.indptr, session)
        steps = self.sessions.data[entry] - place[of]
        vote = likeness[of] * halved(np.abs(steps), self.recipe.near_places)
        vote *= np.where(steps < 0, np.float32(self.recipe.before), steps > 0)
        item = self.sessions.indices[entry]
        vote *= self.rarity[item]
        return csr_matrix((vote.astype(np.float32), (row[of], item)), (len(recent), len(self.idf)))

    def _neighbours(self, items: Rows) -> tuple[Numbers, Numbers, Floats, Floats]:
        """Row, session, likeness and place of the latest shared item of each row's neighbours."""
        row, at = np.nonzero(items >= 0)
        back = items.shape[1] - 1 - at
        entry, of = spread(self.postings.indptr, items[row, at])
        session = self.postings.indices[entry]
        likeness = halved(back, self.recipe.half_life_places)[of] * self.size[session]
        key = row[of] * self.sessions.shape[0] + session
        order = np.argsort(key << 6 | back[of], kind="stable")
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        key, place = key[order][first], self.postings.data[entry[order][first]]
        summed = np.add.reduceat(likeness[order], first) if len(first) else likeness
        shape = (len(items), self.sessions.shape[0])
        shared = csr_matrix((summed, (key // shape[1], key % shape[1])), shape)
        nearest = best(shared, min(self.recipe.neighbours, shape[1]))
        row, rank = np.nonzero(nearest.items >= 0)
        session = nearest.items[row, rank].astype(np.int64)
        where = np.searchsorted(key, row * shape[1] + session)
        return row, session, nearest.scores[row, rank], place[where]

    @cached_property
    def postings(self) -> csr_matrix:
        """Items × sessions: the latest places of each item in its `sample` latest sessions."""
        by_item = self.sessions.T.tocsr()
        by_item.sort_indices()
        rank = np.arange(by_item.nnz) - np.repeat(by_item.indptr[:-1], np.diff(by_item.indptr))
        by_item.data = np.where(rank < self.recipe.sample, by_item.data, 0)
        by_item.eliminate_zeros()
        return by_item

    @cached_property
    def size(self) -> Floats:
        """Weight of each session, over its items^length."""
        size = np.maximum(np.diff(self.sessions.indptr), 1).astype(np.float32)
        return np.asarray(self.weight / size ** np.float32(self.recipe.length))

    @cached_property
    def rarity(self) -> Floats:
        return np.asarray(self.idf ** np.float32(self.recipe.rarity))


def spread(indptr: NDArray[Any], rows: NDArray[Any]) -> tuple[Numbers, Numbers]:
    """The entries of each of `rows` of a CSR matrix, one row after the other, and the place in `rows` of each."""
    start, count = indptr[rows].astype(np.int64), np.diff(indptr)[rows].astype(np.int64)
    of = np.repeat(np.arange(len(rows)), count)
    return np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count) + start[of], of

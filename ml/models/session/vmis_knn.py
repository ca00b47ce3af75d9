"""The next item from the sessions that are most like the one at hand: VMIS-kNN.

Kersbergen, Sprangers, Schelter, "Serenade – Low-Latency Session-Based Recommendation
in e-Commerce at Scale", SIGMOD 2022. Of the m latest sessions that share an item with
the session at hand, the k that share most are its neighbours, where an item counts by
its place: r = Σ place / length. A neighbour gives each of its items
r · λ · ln(sessions / sessions with the item), and λ = 1 − 0.1 · steps back to the
latest item that is shared, at least 0.

Here two sparse products answer a whole batch. In the first one the item at place p
weighs p + 2^(9 + p): of the sum over shared items the lower ten bits are Σ place, and
the highest bit tells the latest of them.
"""

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, quiet
from ml.models.session.links import distinct
from ml.models.session.markov import faded
from ml.models.topk import sparse_arrays
from ml.models.topk.sparse_arrays import Sparse
from ml.models.topk.sparse_topk import best_next, first_of_each

LONGEST = 32
"""Places for which a packed weight has room: 1 + … + 32 < 2^10."""
_SUM_BITS, _PLACE_BITS = 10, 6
_HOUR = 3_600_000_000

Numbers = NDArray[np.int64]


class VmisKnn(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="vmis_knn"):
    """Memory: each session's items twice, and 1,024 lists × `sample` × `last_items` entries at a time."""

    neighbours: int = 500
    """k."""
    sample: int = 500
    """m."""
    last_items: int = 9
    """How many distinct items of the session at hand count, at most 32."""
    half_life_hours: float | None = None
    """A neighbour's votes halve with each of these since its last click; None, as published: age counts not."""
    window_hours: float | None = None
    """Only clicks of this recent time are learned from; None, as published: all."""

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> "SessionKnnModel":
        if self.window_hours is not None:
            train = train.between(train.as_of - int(self.window_hours * _HOUR), train.as_of + 1)
        used, order = train.used, np.argsort(train.ended_at, kind="stable")
        with_it = np.bincount(used.indices, minlength=len(train.items))
        idf = np.log(max(len(train), 1) / np.maximum(with_it, 1)).astype(np.float32)
        used = used[order]
        if self.half_life_hours is not None:
            age = train.as_of - train.ended_at[order]
            used.data = np.repeat(faded(age, self.half_life_hours), np.diff(used.indptr))
        return SessionKnnModel(self, used, idf)

    def layout(self, items: int) -> Layout:
        return {"sessions": Sparse(None, items), "idf": (items,)}

    def restore(self, arrays: Arrays) -> "SessionKnnModel":
        return SessionKnnModel(self, sparse_arrays.from_arrays("sessions", arrays, len(arrays["idf"])), arrays["idf"])


@dataclass(frozen=True)
class SessionKnnModel:
    """What was used together, session by session."""

    recipe: VmisKnn
    sessions: csr_matrix
    """Sessions × items, in the order of their last clicks; an entry is the session's weight by its age."""
    idf: Floats
    """ln(sessions / sessions with the item) of each item."""

    @property
    def arrays(self) -> Arrays:
        return sparse_arrays.to_arrays("sessions", self.sessions) | {"idf": self.idf}

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None, repeats: bool = False) -> Lists:
        return best_next(self.scores, recent, n, seen, repeats)

    def scores(self, recent: Rows) -> csr_matrix:
        """Lists × items: the summed votes of each list's neighbours."""
        queries, length = _queries(distinct(recent, self.recipe.last_items), len(self.idf))
        row, session, places, latest = self._neighbours(queries @ self._postings)
        decay = np.maximum(1 - 0.1 * (length[row] - latest + 1), 0)
        weight = (places / length[row] * decay).astype(np.float32)
        scores = csr_matrix((weight, (row, session)), (len(recent), self.sessions.shape[0])) @ self.sessions
        scores.data *= self.idf[scores.indices]
        return scores

    def _neighbours(self, shared: csr_matrix) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Row, session, Σ place and latest shared place of each row's neighbours.

        Both sorts are of one integer an entry, with what decides in its upper bits; of two
        sessions that share as much the later one is nearer.
        """
        sessions, bits = shared.shape[1], shared.shape[1].bit_length()
        row = np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr))
        weight = shared.data.astype(np.int64)
        age, latest = sessions - 1 - shared.indices.astype(np.int64), np.frexp(weight >> _SUM_BITS)[1]
        fact = (weight & _mask(_SUM_BITS)) << _PLACE_BITS | latest
        fact_bits = _SUM_BITS + _PLACE_BITS
        key = first_of_each((row << bits | age) << fact_bits | fact, bits + fact_bits, self.recipe.sample)
        row, age, places = (
            key >> bits + fact_bits,
            key >> fact_bits & _mask(bits),
            key >> _PLACE_BITS & _mask(_SUM_BITS),
        )
        key = ((row << _SUM_BITS | _mask(_SUM_BITS) - places) << bits | age) << _PLACE_BITS | key & _mask(_PLACE_BITS)
        key = first_of_each(key, bits + fact_bits, self.recipe.neighbours)
        places = _mask(_SUM_BITS) - (key >> bits + _PLACE_BITS & _mask(_SUM_BITS))
        return (
            key >> bits + fact_bits,
            sessions - 1 - (key >> _PLACE_BITS & _mask(bits)),
            places,
            key & _mask(_PLACE_BITS),
        )

    @cached_property
    def _postings(self) -> csr_matrix:
        """Items × sessions: 1 in the `sample` latest sessions of each item; earlier ones are nobody's neighbours."""
        by_item = self.sessions.T.tocsr()
        by_item.sort_indices()
        from_end = np.repeat(by_item.indptr[1:], np.diff(by_item.indptr)) - np.arange(by_item.nnz)
        by_item.data = (from_end <= self.recipe.sample).astype(np.float64)
        by_item.eliminate_zeros()
        return by_item


def _queries(items: Rows, columns: int) -> tuple[csr_matrix, Numbers]:
    """Lists × items with the packed weight of each place, and each list's number of items."""
    there = items >= 0
    place = np.cumsum(there, axis=1)[there]
    weight = place + np.exp2(_SUM_BITS - 1 + place)
    return csr_matrix((weight, (np.nonzero(there)[0], items[there])), (len(items), columns)), there.sum(axis=1)


def _mask(bits: int) -> int:
    return (1 << bits) - 1

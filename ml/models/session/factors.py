"""The next item by what is common to many sessions: the leading singular vectors of sessions × items.

With S = P^−½ R I^−½ of sessions and items (P, I: row and column sums), an item leads to others by V Vᵀ: the low-pass
part of ml/models/user_item/gf_cf.py (Shen et al., CIKM 2021), asked with the last items of the session.
"""

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from scipy.sparse import csr_matrix, vstack
from threadpoolctl import threadpool_limits

from ml.data.interactions import Floats, Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, quiet
from ml.models.session.links import counted
from ml.models.topk.dense_topk import best_dense
from ml.models.topk.diagonal import power, sums
from ml.models.topk.sparse_topk import best_next

_BATCH = 512
_ROUNDING = 1e-6
"""Of the greatest score of a row."""


class SessionFactors(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="session_factors"):
    """Memory: items × `factors` twice, and 512 lists × items scores at a time."""

    factors: int = 64
    last_items: int = 9
    half_life_places: float = 2.0
    popular: float = 0.5
    """An item is listed by its column sum to this power."""
    depth: int = 300
    """Items that are listed."""
    seed: int = 1

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> "SessionFactorsModel":
        from sklearn.utils.extmath import randomized_svd  # takes a second, which who reads a model does not need

        used = train.used
        items, sessions = sums(used, 0), sums(used, 1)
        scaled = (power(sessions, -0.5) @ used @ power(items, -0.5)).tocsr()
        vectors = np.zeros((len(train.items), self.factors), np.float32)
        if size := min(self.factors, *(length - 1 for length in scaled.shape)):
            with threadpool_limits(1, "blas"):  # sums of several threads differ in the last bits
                _, _, right = randomized_svd(scaled, size, n_iter=2, random_state=self.seed)
            vectors[:, :size] = right.T
        return SessionFactorsModel(self, vectors, items)

    def layout(self, items: int) -> Layout:
        return {"item_vectors": (items, self.factors), "item_sums": (items,)}

    def restore(self, arrays: Arrays) -> "SessionFactorsModel":
        return SessionFactorsModel(self, arrays["item_vectors"], arrays["item_sums"])


@dataclass(frozen=True)
class SessionFactorsModel:
    """A vector for each item."""

    recipe: SessionFactors
    item_vectors: Floats
    item_sums: Floats
    """Sessions with each item."""

    @property
    def arrays(self) -> Arrays:
        return {"item_vectors": self.item_vectors, "item_sums": self.item_sums}

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None, repeats: bool = False) -> Lists:
        return best_next(self.scores, recent, n, seen, repeats)

    def scores(self, recent: Rows) -> csr_matrix:
        """Lists × items: the `depth` best of each list."""
        parts = [csr_matrix((0, len(self.item_sums)), dtype=np.float32)]
        for start in range(0, len(recent), _BATCH):
            query = counted(recent[start : start + _BATCH], self.recipe, len(self.item_sums))
            lists = best_dense(self.leads(query), min(self.recipe.depth, len(self.item_sums)))
            row, place = np.nonzero(lists.items >= 0)
            entries = (lists.scores[row, place], (row, lists.items[row, place]))
            parts.append(csr_matrix(entries, (len(lists.items), len(self.item_sums))))
        return csr_matrix(vstack(parts, "csr"))

    def leads(self, query: csr_matrix) -> Floats:
        """Where the items lead to by which each row of `query` asks: scores of all items. What rounding leaves of nothing is nothing."""
        scores = np.asarray((query @ self._inward) @ self._outward)
        scores[np.abs(scores) < _ROUNDING * np.abs(scores).max(axis=1, initial=0.0, keepdims=True)] = 0.0
        return scores

    @cached_property
    def _inward(self) -> Floats:
        return np.asarray(power(self.item_sums, -0.5) @ self.item_vectors)

    @cached_property
    def _outward(self) -> Floats:
        return np.asarray((power(self.item_sums, self.recipe.popular) @ self.item_vectors).T)

"""What people use who have used the same: neighbours among people, all of them, the nearer the louder.

    likeness(p, q) = (Σ over shared items of r_p r_q · I^−b) / Q^½, raised to `sharpness`
    score(p, i)    = Σ over q ≠ p of likeness(p, q) · r_q(i) · I^−c

with I and Q the column and row sums of R. With a sharpness of 1 this would be the first
step of ml/models/user_item/gf_cf.py; above it near neighbours count for more. Raised cosines:
Aiolli, "Efficient Top-N Recommendation for Very Large Scale Binary Rated Datasets",
RecSys 2013.

Nothing is learned beforehand: the model is everybody's own pairs. While listing, memory
holds dense.ENTRIES scores and, of the people listed at a time, the likenesses to all.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Interactions, Rows
from ml.models.protocol import Arrays, Layout, Lists, Progress, Recommender, quiet
from ml.models.topk import sparse_arrays
from ml.models.topk.dense_topk import dense_lists
from ml.models.topk.diagonal import power, sums
from ml.models.topk.sparse_arrays import Sparse


class UserKnn(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="user_knn"):
    """How people are compared."""

    shared: float = 0.5
    """b: how much less a popular item that both used says."""
    popular: float = 0.2
    """c: how much less popular items are recommended."""
    sharpness: float = 1.5
    half_life_days: float | None = None

    def fit(self, train: Interactions, threads: int = 0, progress: Progress = quiet) -> "PersonNeighboursModel":
        half_life = timedelta(days=self.half_life_days) if self.half_life_days else None
        histories = train.matrix(train.decayed(half_life))
        return PersonNeighboursModel(self, histories, sums(histories, 0))

    def adopt(self, model: Recommender) -> "PersonNeighboursModel | None":
        if not isinstance(model, PersonNeighboursModel) or model.recipe.half_life_days != self.half_life_days:
            return None
        return replace(model, recipe=self)

    def layout(self, people: int, items: int) -> Layout:
        return {"histories": Sparse(people, items), "item_sums": (items,)}

    def restore(self, arrays: Arrays) -> "PersonNeighboursModel":
        item_sums = arrays["item_sums"]
        return PersonNeighboursModel(self, sparse_arrays.from_arrays("histories", arrays, len(item_sums)), item_sums)


@dataclass(frozen=True)
class PersonNeighboursModel:
    """Everybody's own pairs."""

    recipe: UserKnn
    histories: csr_matrix
    """People × items: strengths."""
    item_sums: Floats

    @property
    def arrays(self) -> Arrays:
        return sparse_arrays.to_arrays("histories", self.histories) | {"item_sums": self.item_sums}

    def recommend(self, people: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        return dense_lists(self._scores, len(self.item_sums), people, n, seen)

    def fold_in(self, pairs: Interactions, people: Rows, new_items: Rows) -> "PersonNeighboursModel":
        return self.recipe.fit(pairs)

    def _scores(self, people: Rows) -> Floats:
        alike = (self.histories[people] @ self._by_item).tocoo()
        other = alike.col != people[alike.row]
        values = alike.data[other] ** np.float32(self.recipe.sharpness)
        alike = csr_matrix((values, (alike.row[other], alike.col[other])), alike.shape)
        scores: Floats = (alike @ self._listed).toarray()
        return scores

    @cached_property
    def _by_item(self) -> csr_matrix:
        """Items × people: I^−b Rᵀ Q^−½."""
        alike = power(self.item_sums, -self.recipe.shared) @ self.histories.T @ power(sums(self.histories, 1), -0.5)
        return alike.tocsr()

    @cached_property
    def _listed(self) -> csr_matrix:
        """People × items: R I^−c."""
        return (self.histories @ power(self.item_sums, -self.recipe.popular)).tocsr()

"""Items that the same people use: a filter of the graph of people and items, in closed form.

Shen, Wu, Zhang, et al., "How Powerful is Graph Convolution for Recommendation?", CIKM
2021 (GF-CF). With R = people × items, P and I the diagonals of its row and column sums,

    score = r · I^−b · (Rᵀ P^−a R) · I^−c  +  smooth · σ² · r · I^−½ · V Vᵀ · I^½

The first part goes one step through those who used the same, the second keeps what is
common to many: V are the leading right singular vectors of P^−a/2 R I^−½, σ is its
largest singular value, and makes the parts comparable. a = 1, b = c = ½ is GF-CF;
other exponents weigh busy people and popular items otherwise.

Memory: `neighbours` links and `factors` floats an item, and everybody's own pairs;
while fitting and listing, dense.ENTRIES scores at a time beside that.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

import msgspec
import numpy as np
from scipy.sparse import csr_matrix, hstack, vstack

from ml.data.interactions import Floats, Interactions, Rows
from ml.models.protocol import Arrays, Layout, Lists, Progress, Recommender, quiet
from ml.models.topk import sparse_arrays
from ml.models.topk.dense_topk import batch_rows, dense_lists
from ml.models.topk.diagonal import power, sums
from ml.models.topk.sparse_arrays import Sparse
from ml.models.topk.sparse_topk import best

_POWER_ITERATIONS = 3


class GfCf(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="gf_cf"):
    """Parameters of the filter; nothing in it is random but the start of the singular vectors, by `seed`."""

    busy: float = 0.5
    """a: how much less a pair of items counts if a busy person used both."""
    used: float = 0.5
    """b: how much less a popular item of a person's own says."""
    popular: float = 0.5
    """c: how much less popular items are recommended."""
    neighbours: int = 1000
    """Links kept of each item, the strongest."""
    smooth: float = 0.3
    factors: int = 256
    """Singular vectors; 0: without the second part."""
    seed: int = 1
    half_life_days: float | None = None

    def fit(self, train: Interactions, threads: int = 0, progress: Progress = quiet) -> "ItemGraphModel":
        histories = self.histories(train)
        links = _strongest(*self.sides(histories), self.neighbours, progress)
        return ItemGraphModel(self, histories, links, self._basis(histories))

    def adopt(self, model: Recommender) -> "ItemGraphModel | None":
        if not isinstance(model, ItemGraphModel) or msgspec.structs.replace(model.recipe, smooth=self.smooth) != self:
            return None
        return replace(model, recipe=self)

    def histories(self, pairs: Interactions) -> csr_matrix:
        """R: people × items."""
        return pairs.matrix(self.strengths(pairs))

    def strengths(self, pairs: Interactions) -> Floats:
        """Each pair's strength, faded to the newest event."""
        return pairs.decayed(timedelta(days=self.half_life_days) if self.half_life_days else None)

    def sides(self, histories: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
        """I^−b Rᵀ P^−a and R I^−c: their product are the links of all items."""
        people, items = sums(histories, 1), sums(histories, 0)
        left = power(items, -self.used) @ histories.T @ power(people, -self.busy)
        return left.tocsr(), (histories @ power(items, -self.popular)).tocsr()

    def layout(self, people: int, items: int) -> Layout:
        return {"histories": Sparse(people, items), "links": Sparse(items, items), "basis": (items, self.factors)}

    def restore(self, arrays: Arrays) -> "ItemGraphModel":
        items = len(arrays["basis"])
        histories, links = (sparse_arrays.from_arrays(name, arrays, items) for name in ("histories", "links"))
        return ItemGraphModel(self, histories, links, arrays["basis"])

    def _basis(self, histories: csr_matrix) -> Floats:
        """σ V, filled up with columns of zeros where there are fewer singular vectors than factors."""
        from sklearn.utils.extmath import randomized_svd  # takes a second, which who reads a model does not need

        basis = np.zeros((histories.shape[1], self.factors), np.float32)
        if k := min(self.factors, *histories.shape):
            people, items = power(sums(histories, 1), -self.busy / 2), power(sums(histories, 0), -0.5)
            scaled = (people @ histories @ items).tocsr()
            _, values, vectors = randomized_svd(scaled, k, n_iter=_POWER_ITERATIONS, random_state=self.seed)
            basis[:, :k] = values[0] * vectors.T
        return basis


@dataclass(frozen=True)
class ItemGraphModel:
    """Everybody's own pairs, and where each item leads."""

    recipe: GfCf
    histories: csr_matrix
    """People × items: strengths."""
    links: csr_matrix
    """Items × items: what an item of a person's own (row) adds to the score of another (column)."""
    basis: Floats
    """Items × factors: σ V."""

    @property
    def arrays(self) -> Arrays:
        matrices = sparse_arrays.to_arrays("histories", self.histories) | sparse_arrays.to_arrays("links", self.links)
        return matrices | {"basis": self.basis}

    def recommend(self, people: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        return dense_lists(lambda some: self.scores(self.histories[some]), len(self.basis), people, n, seen)

    def scores(self, histories: csr_matrix) -> Floats:
        """Scores of all items for people with these histories, dense."""
        scores: Floats = (histories @ self.links).toarray()
        if self.recipe.smooth and self.recipe.factors:
            inward, outward = self._smoothing
            scores += (histories @ inward) @ outward
        return scores

    @cached_property
    def _smoothing(self) -> tuple[Floats, Floats]:
        """smooth · I^−½ · σ V and (σ V)ᵀ · I^½."""
        items = sums(self.histories, 0)
        return power(items, -0.5) @ self.basis * np.float32(self.recipe.smooth), (power(items, 0.5) @ self.basis).T

    def similar(self, items: Rows, n: int) -> Lists:
        """By the cosine between columns of P^−a/2 R, among the linked."""
        people, used = sums(self.histories, 1), sums(self.histories, 0)
        lengths = sums(power(people, -self.recipe.busy) @ self.histories.power(2), 0) ** 0.5
        cosine = power(used, self.recipe.used) @ power(lengths, -1) @ self.links
        cosine = (cosine @ power(used, self.recipe.popular) @ power(lengths, -1)).tocsr()[items].tocoo()
        other = cosine.col != items[cosine.row]
        return best(csr_matrix((cosine.data[other], (cosine.row[other], cosine.col[other])), cosine.shape), n)

    def contributions(self, items: Rows, history: Interactions) -> Floats:
        inward, outward = self._smoothing
        each = self.links[history.item][:, items].toarray() + inward[history.item] @ outward[:, items]
        return np.asarray(each.T * self.recipe.strengths(history), np.float32)

    def fold_in(self, pairs: Interactions, people: Rows, new_items: Rows) -> "ItemGraphModel":
        histories = self.recipe.histories(pairs)
        left, right = self.recipe.sides(histories)
        to_new = left[: len(self.basis)] @ right[:, new_items]
        of_new = _strongest(left[new_items], right, self.recipe.neighbours)
        links = vstack([hstack([self.links, to_new]), of_new], "csr")
        return replace(self, histories=histories, links=links, basis=np.pad(self.basis, ((0, len(new_items)), (0, 0))))


def _strongest(left: csr_matrix, right: csr_matrix, n: int, progress: Progress = quiet) -> csr_matrix:
    """The n highest entries of each row of `left` @ `right`, in batches of rows."""
    rows, columns = left.shape[0], right.shape[1]
    parts, step = [csr_matrix((0, columns), dtype=np.float32)], batch_rows(columns)
    for start in range(0, rows, step):
        lists = best((left[start : start + step] @ right).tocsr(), min(n, columns))
        row, place = np.nonzero(lists.items >= 0)
        at = (row, lists.items[row, place])
        parts.append(csr_matrix((lists.scores[row, place], at), (len(lists.items), columns)))
        progress(min(start + step, rows), rows)
    return vstack(parts, "csr")

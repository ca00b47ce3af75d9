"""Items that predict each other: a ridge regression of every item on all others, in closed form.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019 (EASE), and, for `dropout`, Steck, "Autoencoders
that don't overfit towards the Identity", NeurIPS 2020 (EDLAE). With R = people × items, P and I the diagonals of its row
and column sums, and X = P^−½a R:

    G = XᵀX + ridge · I + dropout / (1 − dropout) · diag(XᵀX),   B = I − G⁻¹ · diag(G⁻¹)⁻¹,   score = r · B · I^−c

The time grows with the items' cube and the memory with their square, so this is for catalogues of some thousands; of
each item the `kept` links farthest from 0 stay.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Interactions, Rows
from ml.models.closed_form import inverted, largest
from ml.models.protocol import Arrays, Layout, Lists, Progress, Recommender, quiet
from ml.models.topk import sparse_arrays
from ml.models.topk.dense_topk import dense_lists
from ml.models.topk.diagonal import power, sums
from ml.models.topk.sparse_arrays import Sparse


class Ease(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="ease"):
    """Parameters of the regression."""

    ridge: float = 100.0
    dropout: float = 0.4
    """Share of a person's items that the regression does without."""
    busy: float = 0.0
    """a: how much less a busy person says."""
    popular: float = 0.0
    """c: how much less popular items are recommended."""
    kept: int = 2000
    """Links of each item."""
    half_life_days: float | None = None

    def fit(self, train: Interactions, threads: int = 0, progress: Progress = quiet) -> "EaseModel":
        histories = self.histories(train)
        scaled = (power(sums(histories, 1), -self.busy / 2) @ histories).tocsr()
        gram = csr_matrix(scaled.T @ scaled)
        own = gram.diagonal()
        gram.setdiag(own * (1 + self.dropout / (1 - self.dropout)))
        inverse = inverted(gram, self.ridge)
        inverse /= -np.diag(inverse)
        inverse[np.diag_indices_from(inverse)] = 0
        inverse *= power(sums(histories, 0), -self.popular).diagonal()
        return EaseModel(self, histories, largest(lambda part: inverse[part], len(inverse), self.kept))

    def adopt(self, model: Recommender) -> "EaseModel | None":
        return model if isinstance(model, EaseModel) and model.recipe == self else None

    def histories(self, pairs: Interactions) -> csr_matrix:
        """R: people × items."""
        return pairs.matrix(self.strengths(pairs))

    def strengths(self, pairs: Interactions) -> Floats:
        """Each pair's strength, faded to the newest event."""
        return pairs.decayed(timedelta(days=self.half_life_days) if self.half_life_days else None)

    def layout(self, people: int, items: int) -> Layout:
        return {"histories": Sparse(people, items), "links": Sparse(items, items)}

    def restore(self, arrays: Arrays) -> "EaseModel":
        items = len(arrays["links.indptr"]) - 1
        histories, links = (sparse_arrays.from_arrays(name, arrays, items) for name in ("histories", "links"))
        return EaseModel(self, histories, links)


@dataclass(frozen=True)
class EaseModel:
    """Everybody's own pairs, and what each item says of the others."""

    recipe: Ease
    histories: csr_matrix
    """People × items: strengths."""
    links: csr_matrix
    """Items × items: what an item of a person's own (row) adds to the score of another (column)."""

    @property
    def arrays(self) -> Arrays:
        return sparse_arrays.to_arrays("histories", self.histories) | sparse_arrays.to_arrays("links", self.links)

    def recommend(self, people: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        return dense_lists(self._scores, self.links.shape[0], people, n, seen)

    def _scores(self, people: Rows) -> Floats:
        return np.asarray((self.histories[people] @ self.links).toarray(), np.float32)

    def contributions(self, items: Rows, history: Interactions) -> Floats:
        each = self.links[history.item][:, items].toarray()
        return np.asarray(each.T * self.recipe.strengths(history), np.float32)

    def fold_in(self, pairs: Interactions, people: Rows, new_items: Rows) -> "EaseModel":
        """New items lead nowhere until the next fit: a regression has no place for what came after it."""
        items = self.links.shape[0] + len(new_items)
        links = csr_matrix((self.links.data, self.links.indices, self.links.indptr), (self.links.shape[0], items))
        links.resize((items, items))
        return replace(self, histories=self.recipe.histories(pairs), links=links)

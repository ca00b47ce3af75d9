"""Items that are used in the same sessions: item2vec.

Barkan, Koenigstein, "Item2Vec", MLSP 2016, is word2vec on sessions; word2vec with
negative sampling factorizes the matrix of shifted pointwise mutual information: Levy,
Goldberg, "Neural Word Embedding as Implicit Matrix Factorization", NIPS 2014. Here it is
factorized at once: PPMI = max(ln(p(i, j) / (p(i) · p(j)^0.75)) − ln k, 0), its truncated
singular value decomposition U Σ Vᵀ by random projections, vectors U √Σ.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from ml.data.interactions import Floats, Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Embedding, Layout, Lists, Progress, quiet
from ml.models.topk.dense_topk import dense_lists

_SMOOTHING = 0.75
"""Rare contexts count for more than their share: Levy, Goldberg, Dagan, TACL 3 (2015)."""


class Item2Vec(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="item2vec"):
    """Memory: one entry a pair of items that a session shares, and items × 2 · `dimensions`."""

    dimensions: int = 64
    negatives: float = 1.0
    """k of word2vec's negative sampling: the shift is ln k."""
    longest: int = 50
    """Of longer sessions only the last items count: they would give pairs by the square of their length."""
    seed: int = 1

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> "Item2VecModel":
        from sklearn.utils.extmath import randomized_svd  # takes a second, which who reads a model does not need

        from_end = train.start[1:][train.number] - np.arange(len(train.item))
        used = train.where(from_end <= self.longest).used
        information = self.information(csr_matrix(used.T @ used))
        vectors = np.zeros((len(train.items), self.dimensions), np.float32)
        known = np.flatnonzero(np.diff(information.indptr))
        size = min(self.dimensions, len(known))
        if size:
            with threadpool_limits(1, "blas"):  # sums of several threads differ in the last bits
                left, values, _ = randomized_svd(information[known][:, known], size, n_iter=4, random_state=self.seed)
            vectors[known, :size] = left * np.sqrt(values)
        return Item2VecModel(self, unit(vectors))

    def information(self, together: csr_matrix) -> csr_matrix:
        """Shifted PPMI of the items' numbers of common sessions."""
        together.setdiag(0)
        together.eliminate_zeros()
        total = together.sum(axis=1).A1
        context = total**_SMOOTHING / max((total**_SMOOTHING).sum(), 1)
        row = np.repeat(np.arange(len(total)), np.diff(together.indptr))
        lift = together.data / (total[row] * context[together.indices])
        together.data = np.maximum(np.log(lift / self.negatives), 0).astype(np.float32)
        together.eliminate_zeros()
        return together

    def layout(self, items: int) -> Layout:
        return {"item_vectors": (items, self.dimensions)}

    def restore(self, arrays: Arrays) -> "Item2VecModel":
        return Item2VecModel(self, arrays["item_vectors"])


@dataclass(frozen=True)
class Item2VecModel:
    """A unit vector for each item; zero for one that was never used together with another."""

    recipe: Item2Vec
    item_vectors: Floats

    @property
    def arrays(self) -> Arrays:
        return {"item_vectors": self.item_vectors}

    def similar(self, items: Rows, n: int) -> Lists:
        """The nearest by cosine; only items nearer than a right angle are alike at all."""
        itself = csr_matrix(
            (np.ones(len(items), np.float32), (np.arange(len(items)), items)), (len(items), len(self.item_vectors))
        )
        return dense_lists(
            lambda rows: self.item_vectors[rows] @ self.item_vectors.T, itself.shape[1], items, n, itself
        )

    def embedding(self) -> Embedding:
        return Embedding("item2vec", self.item_vectors)


def unit(vectors: Floats) -> Floats:
    """Each row divided by its length; zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)

"""The next item from several models at once: a weighted product of what each expects.

A part's scores become shares of one, p. An item's score is Σ weight · ln(1 + p / floor): the
logarithm of a weighted product of the shares, each raised by `floor`, which an item gets
that a part does not know. So nobody's silence forbids an item, and what all agree on comes
first: a logarithmic opinion pool, Genest and Zidek, "Combining Probability Distributions",
Statistical Science 1 (1986).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, quiet
from ml.models.session.markov import MarkovTransitions, TransitionsModel
from ml.models.session.popular import SessionPopular, SessionPopularModel
from ml.models.session.vmis_knn import SessionKnnModel, VmisKnn
from ml.models.topk.sparse_topk import best_next

Part = VmisKnn | MarkovTransitions | SessionPopular
PartModel = SessionKnnModel | TransitionsModel | SessionPopularModel


class SessionBlend(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="session_blend"):
    """Parts by name; memory is the sum of theirs."""

    parts: dict[str, Part]
    weights: dict[str, float]
    floor: float = 1e-4

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> "SessionBlendModel":
        return SessionBlendModel(self, {name: part.fit(train, threads) for name, part in self.parts.items()})

    def layout(self, items: int) -> Layout:
        return {
            f"{name}.{key}": shape for name, part in self.parts.items() for key, shape in part.layout(items).items()
        }

    def restore(self, arrays: Arrays) -> "SessionBlendModel":
        return SessionBlendModel(self, {name: part.restore(_of(name, arrays)) for name, part in self.parts.items()})


@dataclass(frozen=True)
class SessionBlendModel:
    """The fitted parts."""

    recipe: SessionBlend
    parts: Mapping[str, PartModel]

    @property
    def arrays(self) -> Arrays:
        return {f"{name}.{key}": array for name, part in self.parts.items() for key, array in part.arrays.items()}

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        return best_next(self.scores, recent, n, seen)

    def scores(self, recent: Rows) -> csr_matrix:
        """Lists × items."""
        return reduce(add, (self._opinion(name, part.scores(recent)) for name, part in self.parts.items()))

    def _opinion(self, name: str, scores: csr_matrix) -> csr_matrix:
        total = np.repeat(scores.sum(axis=1).A1, np.diff(scores.indptr))
        opinion = self.recipe.weights[name] * np.log1p(scores.data / np.maximum(total * self.recipe.floor, 1e-30))
        return csr_matrix((opinion.astype(np.float32), scores.indices, scores.indptr), scores.shape)


def _of(name: str, arrays: Arrays) -> Arrays:
    """The arrays of one part, by its own names."""
    return {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}

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
from typing import Any

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, quiet
from ml.models.session.factors import SessionFactors, SessionFactorsModel
from ml.models.session.linear import SessionLinear
from ml.models.session.links import LinksModel
from ml.models.session.log_bilinear import LogBilinear
from ml.models.session.markov import MarkovTransitions
from ml.models.session.popular import SessionPopular, SessionPopularModel
from ml.models.session.returns import SessionReturns, SessionReturnsModel
from ml.models.session.stan import Stan, StanModel
from ml.models.session.vmis_knn import SessionKnnModel, VmisKnn
from ml.models.session.walk import SessionWalk
from ml.models.topk.sparse_topk import best_next

Part = (
    VmisKnn
    | Stan
    | MarkovTransitions
    | SessionWalk
    | SessionLinear
    | LogBilinear
    | SessionFactors
    | SessionReturns
    | SessionPopular
)
PartModel = SessionKnnModel | StanModel | LinksModel | SessionFactorsModel | SessionReturnsModel | SessionPopularModel
HELD = "held"
"""The name, among the weights, of what an item gets because the session holds it."""


class SessionBlend(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="session_blend"):
    """Parts by name; memory is the sum of theirs."""

    parts: dict[str, Part]
    weights: dict[str, float]
    """By the parts' names; that of HELD, 0 without one, is added to each item that the session holds."""
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

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None, repeats: bool = False) -> Lists:
        return best_next(self.scores, recent, n, seen, repeats)

    def scores(self, recent: Rows) -> csr_matrix:
        """Lists × items."""
        each = (
            self.recipe.weights[name] * opinion(part, part.scores(recent), self.recipe.floor)
            for name, part in self.parts.items()
        )
        score = csr_matrix(reduce(add, each))
        held = self.recipe.weights.get(HELD)
        return csr_matrix(score + np.float32(held) * holds(recent, score.shape[1])) if held else score


def opinion(model: PartModel, scores: csr_matrix, floor: float) -> csr_matrix:
    """ln(1 + p / floor) of the scores as shares p of their row; what is a chance already is none of a row's shares."""
    values = np.maximum(scores.data, 0)
    total: Any = 1.0
    if not isinstance(model, SessionReturnsModel):
        row = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
        total = np.bincount(row, values, scores.shape[0])[row]
    values = np.log1p(values / np.maximum(total * floor, 1e-30))
    return csr_matrix((values.astype(np.float32), scores.indices, scores.indptr), scores.shape)


def holds(recent: Rows, items: int) -> csr_matrix:
    """Lists × items: 1 where the session holds the item."""
    there = recent >= 0
    ones, where = np.ones(int(there.sum()), np.float32), (np.nonzero(there)[0], recent[there])
    held = csr_matrix((ones, where), (len(recent), items))
    held.sum_duplicates()
    held.data[:] = 1
    return held


def _of(name: str, arrays: Arrays) -> Arrays:
    """The arrays of one part, by its own names."""
    return {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}

"""Matrix factorization for implicit feedback by alternating least squares.

Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008:
confidence c = 1 + alpha · strength for what a person used, 1 for the rest. The
`implicit` library does the work; its matrix holds c itself, so c is computed here
(with its own `alpha` a faded strength would get a confidence below 1).

The factorization knows no time: in news it prefers what was read most, which is over. A
`trending` recipe therefore multiplies each score by the item's trend, the share of its
use that is recent.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

import msgspec
import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.topk import topk
from implicit.recommender_base import ModelFitError
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from ml.data.interactions import Floats, Interactions, Rows
from ml.models.protocol import Arrays, Embedding, Layout, Lists, Progress, Recommender, quiet
from ml.models.topk.mips import MipsIndex
from ml.models.user_item import als_spark


class Als(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="als"):
    """Parameters of the factorization; the fit is bit-identical for equal ones, whatever the threads."""

    factors: int
    iterations: int
    regularization: float
    alpha: float
    seed: int
    half_life_days: float
    recent_hours: float
    """The recent time of `trending`."""
    trending: bool = False
    """Scores are multiplied by the item's trend. The fit does not depend on it."""
    engine: Literal["implicit", "spark"] = "implicit"
    """What fits it: this process, or Spark ML, which penalizes a vector by the number of its pairs."""

    def fit(self, train: Interactions, threads: int = 0, progress: Progress = quiet) -> "AlsModel":
        if self.engine == "spark":
            confidence, trend = self.confidence(train), self.trend(train)
            return AlsModel(
                self,
                *als_spark.fit_factors(
                    confidence, self.factors, self.iterations, self.regularization, self.alpha, self.seed
                ),
                trend,
            )
        model = self.implicit(threads)
        with _one_blas_thread(), suppress(ModelFitError):  # NaN: the gate sees it, and says so
            model.fit(
                self.confidence(train),
                show_progress=False,
                callback=lambda iteration, *_: progress(iteration + 1, self.iterations),
            )
        return AlsModel(self, model.user_factors, model.item_factors, self.trend(train))

    def adopt(self, model: Recommender) -> "AlsModel | None":
        if not isinstance(model, AlsModel) or msgspec.structs.replace(model.recipe, trending=self.trending) != self:
            return None
        return replace(model, recipe=self)

    def trend(self, pairs: Interactions) -> Floats:
        """Share of each item's strength that is recent, drawn towards the share of all by an average item's worth."""
        recent, total = (
            np.bincount(pairs.item, pairs.strength * kept, minlength=len(pairs.items)).astype(np.float32)
            for kept in (pairs.recent(self.recent_hours), 1)
        )
        average = total.mean()
        return np.asarray((recent + average * recent.sum() / total.sum()) / (total + average))

    def confidence(self, pairs: Interactions) -> csr_matrix:
        """People × items with c = 1 + alpha · strength, strength faded to the newest event."""
        return pairs.matrix(1 + np.float32(self.alpha) * pairs.decayed(timedelta(days=self.half_life_days)))

    def layout(self, people: int, items: int) -> Layout:
        return {"person_factors": (people, self.factors), "item_factors": (items, self.factors), "item_trend": (items,)}

    def restore(self, arrays: Arrays) -> "AlsModel":
        return AlsModel(self, arrays["person_factors"], arrays["item_factors"], arrays["item_trend"])

    def implicit(self, threads: int = 0, people: Floats | None = None, items: Floats | None = None) -> Any:
        """implicit's own model of these parameters, with these vectors if there are any."""
        with _one_blas_thread():  # the constructor looks, and warns
            model = AlternatingLeastSquares(
                self.factors, self.regularization, alpha=1.0, iterations=self.iterations,
                num_threads=threads, random_state=self.seed,
            )  # fmt: skip
        model.user_factors, model.item_factors = people, items
        return model


@dataclass(frozen=True)
class AlsModel:
    """A vector for each person and item; their inner product estimates the preference, about 0 to 1."""

    recipe: Als
    person_factors: Floats
    item_factors: Floats
    item_trend: Floats

    @property
    def arrays(self) -> Arrays:
        return {"person_factors": self.person_factors, "item_factors": self.item_factors, "item_trend": self.item_trend}

    def recommend(self, people: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        return self.rank(self.person_factors[people], n, seen)

    def rank(self, vectors: Floats, n: int, seen: csr_matrix | None = None) -> Lists:
        return self._ranking.best(vectors, n, seen)

    def alone(self) -> "AlsModel":
        return replace(self, person_factors=self.person_factors[:0])

    @cached_property
    def _ranking(self) -> MipsIndex:
        scored = self.item_factors * self.item_trend[:, None] if self.recipe.trending else self.item_factors
        return MipsIndex(scored, _top_k)

    def similar(self, items: Rows, n: int) -> Lists:
        model = self.recipe.implicit(0, None, self.item_factors)
        with _one_blas_thread():
            neighbours, scores = model.similar_items(items, N=n + 1, filter_items=self._unknown_items)
        itself = neighbours == items[:, None]
        itself[~itself.any(axis=1), -1] = True  # a twin ranked itself out: its last one goes instead
        keep = ~itself
        shape = (len(items), neighbours.shape[1] - 1)
        return _trimmed(
            neighbours[keep].reshape(shape), scores[keep].reshape(shape), _is_zero(self.item_factors[items])
        )

    def fold_in(self, pairs: Interactions, people: Rows, new_items: Rows) -> "AlsModel":
        histories = self.recipe.confidence(pairs)
        person_factors = _grown(self.person_factors, len(pairs.people))
        item_factors = _grown(self.item_factors, len(pairs.items))
        items = np.union1d(new_items, _used_since(pairs)).astype(np.int32)
        if self.recipe.engine == "spark":
            vectors = als_spark.fold_in(
                histories, people, items, (person_factors, item_factors), self.recipe.regularization
            )
            return AlsModel(self.recipe, *vectors, self.recipe.trend(pairs))
        model = self.recipe.implicit(0, person_factors, item_factors)
        with _one_blas_thread():
            model.partial_fit_users(people, histories[people])
            if len(items):  # from the people who used them, who then move towards them
                model.partial_fit_items(items, histories.T.tocsr()[items])
                model.partial_fit_users(people, histories[people])
        return AlsModel(self.recipe, model.user_factors, model.item_factors, self.recipe.trend(pairs))

    def embedding(self) -> Embedding | None:
        if self.recipe.engine == "spark":  # a live fold-in has one penalty for everybody
            return None
        return Embedding("als", self.item_factors, self.recipe.regularization, self.recipe.alpha)

    def contributions(self, items: Rows, history: Interactions) -> Floats:
        """Section 4.4 of the paper: ŝ(i) = Σ_j y_i' W y_j · c_j, with W = (Y'Y + Σ_j (c_j − 1) y_j y_j' + λI)^−1."""
        every, used = self.item_factors.astype(np.float64), self.item_factors[history.item].astype(np.float64)
        confidence = self.recipe.confidence(history).tocsr()[history.person, history.item].A1
        pairs = len(history) if self.recipe.engine == "spark" else 1
        ridge = self.recipe.regularization * pairs * np.eye(every.shape[1])
        weights = np.linalg.inv(every.T @ every + (used.T * (confidence - 1)) @ used + ridge)
        trend = self.item_trend[items, None] if self.recipe.trending else 1.0
        return np.asarray(trend * (every[items] @ weights @ used.T) * confidence, np.float32)

    @property
    def _unknown_items(self) -> Rows | None:
        unknown = np.flatnonzero(_is_zero(self.item_factors)).astype(np.int32)
        return unknown if len(unknown) else None


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """implicit has threads of its own; with BLAS threads below them it is up to ten times slower."""
    with threadpool_limits(1, "blas"):
        yield


def _top_k(items: Floats, queries: Floats, n: int, left_out: csr_matrix | None) -> tuple[Any, Any]:
    with _one_blas_thread():
        return topk(items, queries, n, filter_query_items=left_out, num_threads=0)  # type: ignore[no-any-return]


def _is_zero(factors: Floats) -> NDArray[np.bool_]:
    return np.asarray(~factors.any(axis=1))


def _used_since(pairs: Interactions) -> Rows:
    """Items used after the moment that the model knew as the present: a new item's first users say little of the next."""
    return np.unique(pairs.item[pairs.last_at > pairs.now]) if pairs.now else np.zeros(0, np.int32)


def _grown(factors: Floats, rows: int) -> Floats:
    """A copy with room for `rows`; new rows are zero: nothing is known about them."""
    grown = np.zeros((rows, factors.shape[1]), np.float32)
    grown[: len(factors)] = factors
    return grown


def _trimmed(items: Any, scores: Any, unknown: NDArray[np.bool_]) -> Lists:
    """Without implicit's padding (score −3.4e38 where candidates ran out) and without lists of unknown rows."""
    gone = ~(scores > np.finfo(np.float32).min / 2) | unknown[:, None]  # NaN is gone, too
    return Lists(np.where(gone, -1, items).astype(np.int32), np.where(gone, 0, scores).astype(np.float32))

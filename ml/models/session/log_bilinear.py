"""The next item by vectors that are learned for it: a log-bilinear model.

Mnih and Hinton, "Three New Graphical Models for Statistical Language Modelling", ICML 2007, asked for the cosine. With a
vector v of each item, and x of the last ones, an item i that lies s steps back,

    x = Σ 2^(−s / half-life) · v_i · W,   P(y) ∝ exp(sharpness · cos(x, v_y))

v and W are those under which the next items y of the train sessions are likeliest among `rivals` that are drawn for each batch,
by Adam (Kingma and Ba, ICLR 2015). Some items of x, and some factors of it, are left out by chance each time: few clicks tell of
most items, and so none is learned by heart. What is kept are links: P after each item by itself.
"""

from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from ml.data.interactions import Floats, Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Progress, quiet
from ml.models.session.links import LinksModel, LinksRecipe, counted
from ml.models.topk.dense_topk import dense_lists

_BATCHES, _LEAST, _MOST = 128, 64, 1024
"""Batches of a pass, and clicks of a batch at least and at most: few clicks make as many steps as many do."""


class LogBilinear(LinksRecipe, frozen=True, kw_only=True, tag_field="model", tag="log_bilinear"):
    """Memory: `kept` entries an item; while fitting, 6 × items × `factors` floats and 1024 × `rivals` scores."""

    factors: int = 64
    last_items: int = 10
    half_life_places: float = 1.0
    learned_half_life: float = 2.5
    """Places, while it is learned: x of an item by itself is sharper than x of many."""
    sharpness: float = 10.0
    rivals: int = 512
    forgotten: float = 0.3
    """Share of the items, and of the factors, that are left out each time."""
    passes: int = 12
    """How often each click is learned from."""
    step: float = 0.006
    kept: int = 200
    seed: int = 1

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> LinksModel:
        clicks = np.flatnonzero(~train.opens)
        learned = replace(self, half_life_places=self.learned_half_life)
        before = counted(train.before(clicks, self.last_items), learned, len(train.items))
        with threadpool_limits(1, "blas"):  # sums of several threads differ in the last bits
            vectors = _Learner(self, len(train.items)).learned(before, train.item[clicks], progress)
            return LinksModel(self, self._links(np.unique(before.indices), *vectors))

    def effort(self, train: Sessions) -> float:
        """Seconds of processor time of a fit, about: a click's products with its rivals, and a batch's steps of all vectors."""
        batches = -(-len(train.item) // _batch(len(train.item)))
        products, steps = len(train.item) * self.rivals, batches * len(train.items)
        return self.passes * self.factors * (2.7e-10 * products + 6e-9 * steps)

    def _links(self, items: Rows, inward: Floats, outward: Floats) -> csr_matrix:
        """The `kept` likeliest to follow each of `items`, which something did follow; none is its own follower."""
        size = len(inward)
        own = csr_matrix((np.ones(len(items), np.float32), (np.arange(len(items)), items)), (len(items), size))

        def chances(rows: Rows) -> Floats:
            odds = np.exp(np.float32(self.sharpness) * (inward[rows] @ outward.T))
            return np.asarray(odds / odds.sum(axis=1, keepdims=True))

        lists = dense_lists(chances, size, items, min(self.kept, size), own)
        row, place = np.nonzero(lists.items >= 0)
        return csr_matrix((lists.scores[row, place], (items[row], lists.items[row, place])), (size, size))


class _Gradients(NamedTuple):
    vectors: Floats
    mixing: Floats


class _Learner:
    """The vectors as they are learned, batch by batch."""

    def __init__(self, recipe: LogBilinear, items: int) -> None:
        self.recipe, self.rng = recipe, np.random.default_rng(recipe.seed)
        drawn = self.rng.standard_normal((items, recipe.factors), np.float32)
        self.vectors, self.mixing = drawn / np.float32(recipe.factors**0.5), np.eye(recipe.factors, dtype=np.float32)

    def learned(self, before: csr_matrix, after: Rows, progress: Progress) -> tuple[Floats, Floats]:
        """Of each item, the directions in which it leads, and in which it lies."""
        steps = [_Adam(one, self.recipe.step) for one in (self.vectors, self.mixing)]
        batch_size = _batch(len(after))
        for done in range(self.recipe.passes):
            order = self.rng.permutation(len(after))
            for start in range(0, len(order), batch_size):
                batch = order[start : start + batch_size]
                for step, gradient in zip(steps, self._gradients(before[batch], after[batch]), strict=True):
                    step.down(gradient)
            progress(done + 1, self.recipe.passes)
        return _directions(np.asarray(self.vectors @ self.mixing, np.float32))[0], _directions(self.vectors)[0]

    def _gradients(self, before: csr_matrix, after: Rows) -> _Gradients:
        """Of the mean −ln P of what came after, among it and the rivals."""
        rng, left = self.rng, np.float32(1 - self.recipe.forgotten)
        before.data *= rng.random(before.nnz) < left
        heard = np.asarray((rng.random((len(after), self.recipe.factors)) < left) / left, np.float32)
        summed = (before @ self.vectors) * heard
        query, length = _directions(summed @ self.mixing)
        rivals = rng.integers(0, len(self.vectors), min(self.recipe.rivals, len(self.vectors)))
        answers = np.concatenate([after, rivals])
        lies, size = _directions(self.vectors[answers])
        right, wrong = np.split(lies, [len(after)])
        pull, push = self._surprise(query, right, wrong, rivals == after[:, None])
        to_asked = _tangent(pull * right + push @ wrong, query) / length
        to_answers = _tangent(np.concatenate([pull * query, push.T @ query]), lies) / size
        picked = csr_matrix(
            (np.ones(len(answers), np.float32), (answers, np.arange(len(answers)))), (len(self.vectors), len(answers))
        )
        vectors = before.T @ ((to_asked @ self.mixing.T) * heard) + picked @ to_answers
        return _Gradients(vectors, summed.T @ to_asked)

    def _surprise(self, query: Floats, right: Floats, wrong: Floats, same: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """The derivatives of −ln P by the cosines with the right answers (a column) and with the rivals."""
        sharp = np.float32(self.recipe.sharpness)
        odds = np.exp(sharp * (query @ wrong.T - 1))
        odds[same] = 0
        own = np.exp(sharp * ((query * right).sum(axis=1, keepdims=True) - 1))
        scale = sharp / (len(query) * (own + odds.sum(axis=1, keepdims=True)))
        return own * scale - sharp / len(query), odds * scale


class _Adam:
    """Steps of about the same length down whatever the gradient's scale is; changes `values` in place."""

    def __init__(self, values: Floats, rate: float) -> None:
        self.values, self.rate, self.time = values, rate, 0
        self.mean, self.square = np.zeros_like(values), np.zeros_like(values)

    def down(self, gradient: Floats, fade: float = 0.9, fade_square: float = 0.999) -> None:
        self.time += 1
        self.mean += np.float32(1 - fade) * (gradient - self.mean)
        self.square += np.float32(1 - fade_square) * (gradient * gradient - self.square)
        rate = self.rate * (1 - fade_square**self.time) ** 0.5 / (1 - fade**self.time)
        self.values -= np.float32(rate) * self.mean / (np.sqrt(self.square) + np.float32(1e-8))


def _batch(clicks: int) -> int:
    return min(max(clicks // _BATCHES, _LEAST), _MOST)


def _directions(vectors: Floats) -> tuple[Floats, Floats]:
    """Vectors of length 1, and the lengths as a column."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) + np.float32(1e-6)
    return vectors / lengths, lengths


def _tangent(gradient: Floats, direction: Floats) -> Floats:
    """What of a gradient turns a vector: the rest would lengthen it."""
    return np.asarray(gradient - direction * (gradient * direction).sum(axis=1, keepdims=True), np.float32)

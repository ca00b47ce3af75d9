"""The weights of a session blend, learned from questions: under which of them what came next is likeliest.

Of each question the candidates are what any part has among its best. With f the parts' opinions of an item
(ml/models/session/blend.py), the chance that it comes next is exp(w · f) over the sum of all candidates': a
conditional logit (McFadden, 1974), whose likelihood has one maximum. Weights of parts are not negative.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Rows
from ml.models.session.blend import HELD, PartModel, holds, opinion
from ml.models.session.links import strongest
from ml.models.topk.sparse_topk import without

_DEPTH = 200
"""Of each part's list, what is a candidate."""
_BATCH = 512
_RIDGE = 1e-4
_ENOUGH = 1e-7
"""Share of the loss that a step must gain: sums of 32 bits know no less."""
_LITTLE = 0.02
"""Of the largest weight: a part with less is left out."""


class Opinions(NamedTuple):
    """Candidates of questions, an entry a candidate, by question."""

    question: Rows
    item: Rows
    columns: Floats
    """Candidates × names."""
    names: tuple[str, ...]
    """The parts', and HELD."""

    def of(self, names: Sequence[str]) -> "Opinions":
        """Of these parts alone."""
        columns = self.columns[:, [self.names.index(name) for name in names]]
        there = columns.any(axis=1)
        return Opinions(self.question[there], self.item[there], columns[there], tuple(names))

    def about(self, questions: NDArray[np.bool_]) -> "Opinions":
        """Of the questions that are marked, by their new numbers."""
        kept = questions[self.question]
        number = (np.cumsum(questions) - 1).astype(np.int32)
        return Opinions(number[self.question[kept]], self.item[kept], self.columns[kept], self.names)

    def ranks(self, weights: Floats, truth: Rows) -> NDArray[np.int64]:
        """The place of each question's true item, from 1 on; 0 where it is no candidate."""
        score = self.columns @ weights
        order = np.lexsort((self.item, -score, self.question))
        question = self.question[order]
        place = np.arange(len(order)) - np.searchsorted(question, question) + 1
        right = self.item[order] == truth[question]
        ranks = np.zeros(len(truth), np.int64)
        ranks[question[right]] = place[right]
        return ranks


def opinions(models: Mapping[str, PartModel], recent: Rows, floor: float, repeats: bool) -> Opinions:
    """What the parts think of their best items to follow each row of `recent`."""
    parts = [
        _opinions(models, recent[start : start + _BATCH], start, floor, repeats)
        for start in range(0, len(recent), _BATCH)
    ]
    question, item, columns = (np.concatenate(some) for some in zip(*parts, strict=True))
    return Opinions(question, item, columns, (*models, HELD))


def _opinions(
    models: Mapping[str, PartModel], recent: Rows, first: int, floor: float, repeats: bool
) -> tuple[Rows, Rows, Floats]:
    scores = {name: without(model.scores(recent), recent, None, repeats) for name, model in models.items()}
    listed = csr_matrix(sum(strongest(one, _DEPTH) for one in scores.values()))
    listed.sort_indices()
    question, item = np.repeat(np.arange(len(recent), dtype=np.int32), np.diff(listed.indptr)), listed.indices
    each = [opinion(models[name], one, floor) for name, one in scores.items()]
    columns = [one[question, item].A1 for one in (*each, holds(recent, listed.shape[1]))]
    return question + np.int32(first), item, np.column_stack(columns).astype(np.float32)


def learned(known: Opinions, truth: Rows) -> dict[str, float]:
    """The weight of each name; parts of little weight are left out and the others learned anew, from what they had.

    Where no part says anything of what came next, all keep the same.
    """
    names, weights = known.names, dict.fromkeys(known.names, 0.5)
    while True:
        weights = _likeliest(known.of(names), truth, weights)
        little = _LITTLE * max(weights[name] for name in names if name != HELD)
        kept = tuple(name for name in names if name == HELD or weights[name] > little)
        if kept == names:
            return weights
        if not set(kept) - {HELD}:
            return dict.fromkeys(known.names, 1.0)
        names = kept


def _likeliest(known: Opinions, truth: Rows, begin: Mapping[str, float]) -> dict[str, float]:
    right = known.item == truth[known.question]
    answerable = np.isin(known.question, known.question[right])
    columns, right, question = known.columns[answerable], right[answerable], known.question[answerable]
    if not len(question):
        return dict.fromkeys(known.names, 1.0)
    first = np.flatnonzero(np.diff(question, prepend=-1))
    number = np.cumsum(np.diff(question, prepend=-1) != 0) - 1
    actual = columns[right].sum(axis=0, dtype=np.float64)

    def loss(weights: Floats) -> tuple[float, Floats]:
        score = columns @ weights.astype(np.float32)
        score -= np.maximum.reduceat(score, first)[number]
        odds = np.exp(score)
        total = np.add.reduceat(odds, first)
        expected = (odds / total[number]) @ columns
        value = np.log(total).sum() - score[right].sum()
        return (
            float(value) / len(first) + _RIDGE * float(weights @ weights),
            (expected - actual) / len(first) + 2 * _RIDGE * weights,
        )

    bounds = [(None, None) if name == HELD else (0.0, None) for name in known.names]
    start = np.array([begin[name] for name in known.names])
    solution = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"ftol": _ENOUGH})
    return dict(zip(known.names, solution.x.round(4).tolist(), strict=True))

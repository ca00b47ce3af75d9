"""Weights of the ranking's terms, by what was clicked: a logistic regression on TERMS whose weights are not negative."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from ml.data.clicks import Clicks, Floats
from ml.models.ctr.logistic import ClickModel, log_losses
from nextclick.ctr import FEATURES, TERMS, Term, terms

_RIDGE = 1e-6
"""Enough to make the best weights unique where terms say the same."""


class Weighed(NamedTuple):
    """Log-odds of a click = shift + place · log2(position) + Σ weight · term."""

    shift: float
    place: float
    weights: Floats

    def probability(self, columns: Floats, rows: Clicks) -> Floats:
        odds = self.shift + self.place * np.log2(rows.position) + columns @ self.weights
        return np.asarray(expit(odds))

    def losses(self, columns: Floats, rows: Clicks) -> Floats:
        """Log loss of each row."""
        return log_losses(self.probability(columns, rows), rows.clicked)

    @property
    def shares(self) -> dict[Term, float]:
        """The weights as parts of 1, by term."""
        return dict(zip(TERMS, (self.weights / self.weights.sum()).tolist(), strict=True))


def columns_of(model: ClickModel, rows: Clicks) -> Floats:
    """[rows × TERMS], as an answer that has this model scores them."""
    values = terms(dict(zip(FEATURES, rows.features.T, strict=True)), model.neutral(rows))
    return np.column_stack([values[term] for term in TERMS])


def blended(columns: Floats, weights: Mapping[Term, float]) -> Floats:
    """[rows × 1]: the score with given weights."""
    share = np.array([weights[term] for term in TERMS])
    score: Floats = columns @ share / share.sum()
    return score[:, None]


def weigh(columns: Floats, rows: Clicks) -> Weighed:
    """The weights ≥ 0 of `columns` under which what was clicked is likeliest."""
    design = np.column_stack([np.ones(len(rows)), np.log2(rows.position), columns])

    def loss(theta: Floats) -> tuple[float, Floats]:
        odds = design @ theta
        value = np.mean(np.logaddexp(0.0, odds) - rows.clicked * odds) + _RIDGE * theta @ theta
        return float(value), design.T @ (expit(odds) - rows.clicked) / len(rows) + 2 * _RIDGE * theta

    bounds = [(None, None)] * 2 + [(0.0, None)] * columns.shape[1]
    solution = minimize(loss, np.zeros(design.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B").x
    return Weighed(float(solution[0]), float(solution[1]), solution[2:])

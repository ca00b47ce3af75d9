"""Probability of a click by logistic regression, calibrated on later rows.

The place where an item was shown is a feature while it is learned from, and held at its mean in
answers, so that what was shown high up is not taken for good (Richardson et al., WWW 2007, on
position bias; the feature fixed at serving time: Zinkevich, Rules of Machine Learning, rule 36).
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.special import expit, xlogy
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from ml.data.clicks import Clicks, Floats
from nextclick.ctr import FEATURES, CtrModel, Term

Calibration = Literal["platt", "isotonic"]
CALIBRATIONS: Final[tuple[Calibration, ...]] = ("platt", "isotonic")
_UNPENALIZED: Final = 1e6


@dataclass(frozen=True)
class Curve:
    """From log-odds to a probability: a · z + b as log-odds (Platt, 1999), or steps between knots (Zadrozny and Elkan, 2002)."""

    slope: float = 1.0
    shift: float = 0.0
    knots: Floats | None = None
    rates: Floats | None = None

    def __call__(self, odds: Floats) -> Floats:
        if self.knots is not None and self.rates is not None:
            return np.interp(odds, self.knots, self.rates)
        return np.asarray(expit(self.slope * odds + self.shift))


@dataclass(frozen=True)
class ClickModel:
    """Log-odds of a click = intercept + Σ coefficient · feature + place · (log2(position) − mean_place), then `curve`."""

    intercept: float
    coefficients: Floats
    place: float
    mean_place: float
    curve: Curve = Curve()

    def odds(self, rows: Clicks) -> Floats:
        """Log-odds at the places where the rows were shown."""
        return self._neutral_odds(rows) + self.place * (np.log2(rows.position) - self.mean_place)

    def _neutral_odds(self, rows: Clicks) -> Floats:
        return self.intercept + rows.features @ self.coefficients

    def probability(self, rows: Clicks) -> Floats:
        """Of a click at the places where the rows were shown."""
        return self.curve(self.odds(rows))

    def neutral(self, rows: Clicks) -> Floats:
        """Of a click if all were shown at the mean place: what answers are ranked by."""
        return self.curve(self._neutral_odds(rows))

    def exported(self, weights: dict[Term, float]) -> CtrModel:
        """The neutral model, as the API scores with it, before it has a version."""
        curve = self.curve
        return CtrModel(
            version="",
            intercept=curve.slope * self.intercept + curve.shift,
            coefficients=dict(zip(FEATURES, (curve.slope * self.coefficients).tolist(), strict=True)),
            knots=tuple(curve.knots.tolist()) if curve.knots is not None else (),
            rates=tuple(curve.rates.tolist()) if curve.rates is not None else (),
            weights=weights,
        )


def fit(rows: Clicks, penalty: float) -> ClickModel:
    """Without a curve; `penalty` is the L2 penalty on coefficients of standardized columns. Needs rows of both kinds."""
    place = np.log2(rows.position)
    columns = np.column_stack([rows.features, place])
    mean, scale = columns.mean(axis=0), columns.std(axis=0)
    scale[scale == 0] = 1.0  # a column that says nothing gets the coefficient 0
    learned = LogisticRegression(C=1 / penalty, max_iter=1_000).fit((columns - mean) / scale, rows.clicked)
    slopes = learned.coef_[0] / scale
    intercept = float(learned.intercept_[0] - slopes[:-1] @ mean[:-1])
    return ClickModel(intercept, slopes[:-1], float(slopes[-1]), float(mean[-1]))


def curve(kind: Calibration, odds: Floats, clicked: Floats) -> Curve:
    """The curve that fits best. Of isotonic steps none is 0 or 1: n clicks in none of n rows prove no impossibility."""
    if kind == "platt":
        learned = LogisticRegression(C=_UNPENALIZED, max_iter=1_000).fit(odds[:, None], clicked)
        return Curve(float(learned.coef_[0, 0]), float(learned.intercept_[0]))
    steps = IsotonicRegression(out_of_bounds="clip").fit(odds, clicked)
    least = 1 / (len(odds) + 2)
    return Curve(knots=steps.X_thresholds_, rates=np.clip(steps.y_thresholds_, least, 1 - least))


def log_losses(probability: Floats, clicked: Floats) -> Floats:
    """−log of the probability of what happened, one a row, in nats."""
    return np.asarray(-xlogy(clicked, probability) - xlogy(1 - clicked, 1 - probability))


def reliability(probability: Floats, clicked: Floats, bins: int = 10) -> list[tuple[float, float, int]]:
    """(mean probability, share clicked, rows) of `bins` groups of equal size, by rising probability."""
    groups = np.array_split(np.argsort(probability, kind="stable"), min(bins, len(probability)))
    return [(float(probability[rows].mean()), float(clicked[rows].mean()), len(rows)) for rows in groups]


def calibration_error(curve: list[tuple[float, float, int]]) -> float:
    """ECE: mean distance of the two, weighted by rows (Naeini et al., AAAI 2015; equal mass)."""
    rows = sum(count for *_, count in curve)
    return sum(abs(expected - seen) * count for expected, seen, count in curve) / rows

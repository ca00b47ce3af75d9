"""Learning a prediction: a logistic regression of terms, its calibration, and the counted rates that it has to beat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from ml.models.ctr import logistic
from ml.models.ctr.logistic import CALIBRATIONS, Calibration, Curve
from ml.predictions.frames import Floats
from nextclick.profile.predictions import COUNTED, Name, Predictor

STRENGTH: Final = 20.0
"""People of the rate of all that a counted rate is drawn towards."""
_BINS: Final = 10


class Task(NamedTuple):
    """What is foreseen."""

    name: Name
    horizon_s: int
    alone: str
    """The one term whose counted rates have to be beaten, and are served where they are not; no model has it."""


@dataclass(frozen=True)
class Rows:
    """What is learned from, or judged by: terms, and 0 or 1 for each row."""

    terms: dict[str, Floats]
    label: Floats
    side: Floats
    """In [0, 1), the same for all rows of a subject: a part that is chosen by it shares no subject with another."""

    def __len__(self) -> int:
        return len(self.label)

    @property
    def rarer(self) -> int:
        """To how many it happened, or, where these are fewer, to how many it did not."""
        happened = int(self.label.sum())
        return min(happened, len(self) - happened)

    def where(self, chosen: NDArray[np.bool_]) -> "Rows":
        terms = {name: values[chosen] for name, values in self.terms.items()}
        return Rows(terms, self.label[chosen], self.side[chosen])


def together(parts: Sequence[Rows]) -> Rows:
    terms = {name: np.concatenate([part.terms[name] for part in parts]) for name in parts[0].terms}
    label, side = (np.concatenate(column) for column in zip(*((part.label, part.side) for part in parts), strict=True))
    return Rows(terms, label, side)


def learned(task: Task, rows: Rows, penalty: float) -> tuple[Predictor, Calibration]:
    """A model of these rows with its curve, and the curve's kind; without one where a side has rows of one kind alone.

    The curve is fitted to what a model of one half of the people says of the other half, so nobody calibrates what was learned of them;
    of the kinds of curves that one is taken which foretells the other half better.
    """
    model, odds = fit(task, rows, penalty), np.empty(len(rows))
    halves = rows.side < 0.5, rows.side >= 0.5
    if not all(rows.where(half).rarer for half in halves):  # few, and all of a kind on one side
        return model, CALIBRATIONS[0]
    for own, other in (halves, halves[::-1]):
        odds[other] = fit(task, rows.where(own), penalty).odds(rows.where(other).terms)

    def loss(kind: Calibration) -> float:
        foreseen = logistic.curve(kind, odds[halves[0]], rows.label[halves[0]])(odds[halves[1]])
        return float(logistic.log_losses(foreseen, rows.label[halves[1]]).mean())

    kind = min(CALIBRATIONS, key=loss)
    return with_curve(model, logistic.curve(kind, odds, rows.label)), kind


def fit(task: Task, rows: Rows, penalty: float) -> Predictor:
    """Without a curve; `penalty` is the L2 penalty on coefficients of standardized terms. Needs rows of both kinds."""
    names = [name for name in rows.terms if name != task.alone]
    columns = np.column_stack([rows.terms[name] for name in names])
    mean, scale = columns.mean(axis=0), columns.std(axis=0)
    scale[scale == 0] = 1.0  # a term that says nothing gets the coefficient 0
    line = LogisticRegression(C=1 / penalty, max_iter=1_000).fit((columns - mean) / scale, rows.label)
    slopes = line.coef_[0] / scale
    return Predictor(
        name=task.name,
        version="",
        horizon_s=task.horizon_s,
        intercept=float(line.intercept_[0] - slopes @ mean),
        coefficients=dict(zip(names, slopes.tolist(), strict=True)),
        means=dict(zip(names, mean.tolist(), strict=True)),
    )


def with_curve(model: Predictor, curve: Curve) -> Predictor:
    """A straight curve is taken into the coefficients."""
    return msgspec.structs.replace(
        model,
        intercept=curve.slope * model.intercept + curve.shift,
        coefficients={name: curve.slope * value for name, value in model.coefficients.items()},
        knots=tuple(curve.knots.tolist()) if curve.knots is not None else (),
        rates=tuple(curve.rates.tolist()) if curve.rates is not None else (),
    )


def counted(task: Task, rows: Rows) -> Predictor:
    """What one term alone says: the rate at each of its values, or where there are more than ten, of ten groups of equal size by it; each
    drawn towards the rate of all, and between the groups' means a straight line.
    """
    values, overall = rows.terms[task.alone], (rows.label.sum() + 1) / (len(rows) + 2)
    distinct = np.unique(values)
    quantiles = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])
    group = np.searchsorted(distinct[1:] if len(distinct) <= _BINS else np.unique(quantiles), values, side="right")
    size = np.bincount(group)
    used = size > 0
    knots = np.bincount(group, values)[used] / size[used]
    rates = (np.bincount(group, rows.label)[used] + STRENGTH * overall) / (size[used] + STRENGTH)
    return Predictor(
        name=task.name,
        version=COUNTED,
        horizon_s=task.horizon_s,
        intercept=0.0,
        coefficients={task.alone: 1.0},
        means={task.alone: float(values.mean())},
        knots=tuple(knots.tolist()),
        rates=tuple(rates.tolist()),
    )


def flat(alone: Predictor, rows: Rows) -> Predictor:
    """The rate of all, which knows nobody."""
    return msgspec.structs.replace(alone, coefficients={}, means={}, knots=(0.0,), rates=(float(rows.label.mean()),))


def losses(model: Predictor, rows: Rows) -> Floats:
    """−log of the probability of what happened, one a row, in nats."""
    return log_losses(model.probability(model.odds(rows.terms)), rows.label)


def log_losses(probability: Floats, label: Floats) -> Floats:
    """The same of probabilities; none counts as surer than 1 in a million."""
    return logistic.log_losses(np.clip(probability, 1e-6, 1 - 1e-6), label)

"""What a prediction must show before it is served, on people and moments that it did not learn from.

    leaks      no feature knows the label, no label looks into a time that is judged
    surely     its log loss is below that of the rate of all, and of the counted rates, with the upper end of the bootstrap interval
               over people below 0
    calibrated ECE at most predictions.max_ece beyond what is chance: of ten groups of equal size, by rising probability
    lift       in the tenth with the highest scores it happens LIFT times as often as among all, or half of what is possible, unless chance
               explains the rest

Scores that are spread otherwise than when it was learned (psi, above MAX_PSI) are told, and refuse nothing: what is judged lies later.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from ml.models.ctr import logistic
from ml.predictions.frames import Floats
from ml.predictions.learn import Rows, log_losses, losses
from ml.selection import gate
from nextclick.definitions.intervals import wilson
from nextclick.profile.predictions import Predictor

MAX_AUC: Final = 0.98
"""Nobody foresees people so well: a feature knows the label."""
ALONE_WITHIN: Final = 0.01
LEAKY_AUC: Final = 0.9
"""From here on one feature that says all by itself is taken for the label."""
LIFT: Final = 1.5
MAX_PSI: Final = 0.25
"""Population stability index from which a distribution is taken for another (Siddiqi, Credit Risk Scorecards, 2006)."""
_GROUPS: Final = 10


def figures(probability: Floats, label: Floats) -> dict[str, float]:
    """How good probabilities are; `lift@10` is how much oftener it happens in the tenth with the highest."""
    top = _highest(probability)
    return {
        "auc": float(roc_auc_score(label, probability)),
        "pr_auc": float(average_precision_score(label, probability)),
        "log_loss": float(log_losses(probability, label).mean()),
        "brier": float(np.mean((probability - label) ** 2)),
        "ece": logistic.calibration_error(curve(probability, label)),
        "lift@10": float(label[top].mean() / label.mean()),
        "base_rate": float(label.mean()),
        "people": float(len(label)),
    }


def curve(probability: Floats, label: Floats) -> list[tuple[float, float, int]]:
    """Reliability: (mean probability, share to whom it happened, people) of ten groups of equal size."""
    return logistic.reliability(probability, label)


def _chance(groups: list[tuple[float, float, int]]) -> float:
    """The ECE that probabilities without fault would have: the mean size of a normal error is σ · √(2/π)."""
    rows = sum(n for *_, n in groups)
    return sum(math.sqrt(2 / math.pi * p * (1 - p) / n) * n for p, _, n in groups) / rows


def _top(probability: Floats, label: Floats) -> tuple[float, float]:
    """95 % interval of the share of the highest tenth to whom it happened."""
    top = _highest(probability)
    return wilson(int(label[top].sum()), len(top))


def _highest(probability: Floats) -> NDArray[np.int64]:
    return np.argsort(-probability, kind="stable")[: max(1, len(probability) // 10)]


def refusals(model: Predictor, floors: Mapping[str, Predictor], judged: Rows, max_ece: float) -> list[str]:
    """Why it is not served; none: it passed."""
    odds = model.odds(judged.terms)
    probability, own = model.probability(odds), losses(model, judged)
    seen = figures(probability, judged.label)
    reasons = leaks(model, judged, seen["auc"])
    person = np.unique(judged.side, return_inverse=True)[1]  # moments of one person are drawn together
    for name, floor in floors.items():
        other = losses(floor, judged)
        low, high = gate.interval(np.bincount(person, own - other).astype(np.float32))
        if not high < 0:
            reasons.append(
                f"its log loss {own.mean():.4f} is not surely better than that of {name}, {other.mean():.4f} "
                f"(difference a person {low:.4f} to {high:.4f} with 95 % confidence)"
            )
    by_chance = _chance(curve(probability, judged.label))
    if seen["ece"] > max_ece + by_chance:
        reasons.append(
            f"it is not calibrated: ECE {seen['ece']:.4f} is above predictions.max_ece {max_ece}, and above what is chance, {by_chance:.4f}"
        )
    least, (_, most) = min(LIFT, (1 + 1 / seen["base_rate"]) / 2), _top(probability, judged.label)
    if most < least * seen["base_rate"]:
        reasons.append(f"its highest tenth is surely below {least:.2f} times all: {seen['lift@10']:.2f}")
    return reasons


def leaks(model: Predictor, judged: Rows, auc: float) -> list[str]:
    """Whether the label, or what comes after it, is among the features."""
    if auc > MAX_AUC:
        return [f"the future leaked: AUC {auc:.4f} is above {MAX_AUC}"]
    if auc < LEAKY_AUC:
        return []
    alone = {name: _auc(judged.terms[name], judged.label) for name, by in model.coefficients.items() if by}
    name = max(alone, key=alone.__getitem__, default="")
    if len(alone) > 1 and alone[name] > auc - ALONE_WITHIN:
        return [f"the future leaked: {name} alone has an AUC of {alone[name]:.4f}, all together {auc:.4f}"]
    return []


def _auc(term: Floats, label: Floats) -> float:
    """Whichever way it points."""
    one = float(roc_auc_score(label, term))
    return max(one, 1 - one)


def apart(learned: Sequence[tuple[int, int]], judged: tuple[int, int], newest: int) -> list[str]:
    """Of frames as (as_of, label_until): why those that were learned from, and the judged one, must not stand so."""
    reasons = []
    if judged[1] > newest:
        reasons.append("the judged frame's labels end after the newest event")
    if any(until > judged[0] for _, until in learned):
        reasons.append("the future leaked: labels that were learned from end after the moment that is judged")
    return reasons


def psi(before: Floats, after: Floats) -> float:
    """Σ (a − b) · ln(a / b) over ten groups of equal size before; half a person more in each, so that none is empty."""
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _GROUPS + 1)[1:-1]))
    shares = []
    for values in (before, after):
        count = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) + 0.5
        shares.append(count / count.sum())
    b, a = shares
    return float(((a - b) * np.log(a / b)).sum())

"""Nightly training of the click model: read what was shown, choose a calibration, judge, refit, register, promote.

    answers in order of time:   learned from, 60 % │ calibrated on, 20 % │ judged on, 20 %

Judged is what answers are ranked by: the probability with the place held at its mean. It must beat the rate of
clicks, which knows no item, in log loss, with the upper end of the bootstrap interval over answers below 0.
The weights of the ranking's terms are learned as well, on the calibration's answers, and replace those of conf/
where the score that they give says more of what was clicked on the last answers, surely again.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from ml.data.clicks import Clicks, Floats
from ml.data.interactions import TableVersion
from ml.jobs.answer_training import AnswerTraining
from ml.models.ctr import logistic, term_weights
from ml.models.ctr.logistic import CALIBRATIONS, Calibration, ClickModel
from ml.models.protocol import Stages, quiet
from ml.registry import linear, tracking
from ml.registry.verdict import TrainingVerdict
from ml.selection import gate
from nextclick import ctr
from nextclick.ctr import CtrModel, Term
from nextclick.lake import files
from nextclick.report import JobReport
from nextclick.settings import Settings

_JOB: Final = "train_ctr"
_CALIBRATED_FROM, _JUDGED_FROM = 0.6, 0.8
_CHOSEN_AT: Final = 0.5
"""Curves are compared on the later part of the calibration's answers, fitted on the earlier one."""


@dataclass(frozen=True)
class CtrEvaluation:
    """A recipe, fitted on the earlier parts, on the last one."""

    calibration: Calibration
    metrics: dict[str, float]
    curve: list[tuple[float, float, int]]
    """Reliability at the places where the rows were shown."""
    weighs: bool
    """The learned weights of the terms are surely better than those of conf/."""
    reasons: list[str]


def run(settings: Settings, progress: Stages = quiet, force: bool = False) -> JobReport:
    """Train on silver.served_items as it stands; without enough rows, or with none that are new, the report says so."""
    training = AnswerTraining(
        job=_JOB,
        model="click model",
        lock="ctr",
        kept_at="ctr/last-training.json",
        key=_key,
        lacking=_lacking,
        train=_train,
    )
    return training.run(settings, progress, force)


def judge(shown: Clicks, penalty: float, weights: Mapping[Term, float]) -> CtrEvaluation:
    """Learn from the earlier answers, calibrate on later ones, judge on the last; every part needs rows of both kinds.

    `weights` of the terms are those of conf/.
    """
    learned, calibrated, judged = shown.cut(_CALIBRATED_FROM, _JUDGED_FROM)
    plain = logistic.fit(learned, penalty)
    kind = _calibration(plain, calibrated)
    model = _calibrated(plain, calibrated, kind)
    rate = np.full(len(judged), np.concatenate([learned.clicked, calibrated.clicked]).mean())
    loss, floor = logistic.log_losses(model.neutral(judged), judged.clicked), logistic.log_losses(rate, judged.clicked)
    low, high = _difference(judged, loss, floor)
    curve = logistic.reliability(model.probability(judged), judged.clicked)
    metrics = {
        "log_loss": float(loss.mean()),
        "log_loss.base_rate": float(floor.mean()),
        "log_loss.at_place": float(logistic.log_losses(model.probability(judged), judged.clicked).mean()),
        "ece": logistic.calibration_error(curve),
        "click_rate": float(judged.clicked.mean()),
        "shown": len(shown),
        "clicks": float(shown.clicked.sum()),
    }
    weighs, scores = _weighs(model, calibrated, judged, weights)
    reasons = []
    if not high < 0:
        reasons.append(
            f"its log loss {loss.mean():.4f} is not surely better than that of the rate of clicks, {floor.mean():.4f} "
            f"(difference an answer {low:.4f} to {high:.4f} with 95 % confidence)"
        )
    return CtrEvaluation(kind, metrics | scores, curve, weighs, reasons)


def final(shown: Clicks, penalty: float, kind: Calibration, weighs: bool = False) -> CtrModel:
    """The same recipe on everything: learned from all but the last answers, calibrated and, if so, weighed on these."""
    learned, calibrated = shown.cut(_JUDGED_FROM)
    model = _calibrated(logistic.fit(learned, penalty), calibrated, kind)
    weights = term_weights.weigh(term_weights.columns_of(model, calibrated), calibrated).shares if weighs else {}
    return model.exported(weights)


def _weighs(
    model: ClickModel, learned: Clicks, judged: Clicks, weights: Mapping[Term, float]
) -> tuple[bool, dict[str, float]]:
    """Whether weights that are learned surely beat the given ones, and the log loss of both scores."""
    before, after = term_weights.columns_of(model, learned), term_weights.columns_of(model, judged)
    own = term_weights.weigh(before, learned)
    configured = term_weights.weigh(term_weights.blended(before, weights), learned)
    losses, others = own.losses(after, judged), configured.losses(term_weights.blended(after, weights), judged)
    surely = bool(own.weights.sum() > 0) and _difference(judged, losses, others)[1] < 0
    return surely, {"score.log_loss": float(losses.mean()), "score.log_loss.conf": float(others.mean())}


def _difference(rows: Clicks, losses: Floats, others: Floats) -> tuple[float, float]:
    """Bootstrap interval of the mean difference an answer."""
    by_answer = np.bincount(rows.answer - rows.answer[0], losses - others)
    return gate.interval(by_answer.astype(np.float32))


def _train(settings: Settings, shown: Clicks, source: TableVersion, key: str) -> TrainingVerdict:
    began, penalty = time.time(), settings.ctr.penalty
    judged = judge(shown, penalty, ctr.weights(settings.ranking))
    model = final(shown, penalty, judged.calibration, judged.weighs)
    run = tracking.Run(
        name=_JOB,
        source=source,
        digest=key,
        started=began,
        params={
            "calibration": judged.calibration,
            "penalty": penalty,
            "weights": "learned" if judged.weighs else "conf",
        },
        metrics=judged.metrics,
        tags={"gate": "failed" if judged.reasons else "passed", "gate.reasons": "; ".join(judged.reasons)},
    )
    stored = linear.LinearModel("ctr", ctr.encode(model), ctr.FEATURES)
    version = linear.register(settings.lake, run, stored, judged.curve, champion=not judged.reasons)
    if not judged.reasons:
        files.write(ctr.address(settings.lake), ctr.encode(msgspec.structs.replace(model, version=version)))
    return TrainingVerdict(key=key, reasons=judged.reasons, metrics=judged.metrics, version=version)


def _calibration(model: ClickModel, rows: Clicks) -> Calibration:
    """The curve that is better on answers after those that it was fitted on."""
    earlier, later = rows.cut(_CHOSEN_AT)

    def loss(kind: Calibration) -> float:
        return float(logistic.log_losses(_calibrated(model, earlier, kind).probability(later), later.clicked).mean())

    return min(CALIBRATIONS, key=loss) if _both(earlier) and len(later) else CALIBRATIONS[0]


def _calibrated(model: ClickModel, rows: Clicks, kind: Calibration) -> ClickModel:
    curve = logistic.curve(kind, model.odds(rows), rows.clicked)
    return ClickModel(model.intercept, model.coefficients, model.place, model.mean_place, curve)


def _lacking(shown: Clicks, settings: Settings) -> str | None:
    """Why nothing can be learned yet."""
    needed, clicked = settings.ctr, int(shown.clicked.sum())
    if len(shown) < needed.min_shown or clicked < needed.min_clicks:
        return (
            f"{len(shown):,} items shown with features, {clicked:,} of them clicked; the click model needs "
            f"ctr.min_shown = {needed.min_shown:,} and ctr.min_clicks = {needed.min_clicks:,}."
        )
    if not all(map(_both, shown.cut(_CALIBRATED_FROM, _JUDGED_FROM))):
        return "A part of the answers has no clicks, or nothing else: the click model needs both at all times."
    return None


def _both(rows: Clicks) -> bool:
    return bool(len(rows)) and 0 < rows.clicked.sum() < len(rows)


def _key(settings: Settings, source: TableVersion) -> str:
    decides = (source.table_id, source.version, settings.site, settings.ctr, settings.ranking, ctr.FEATURES)
    return hashlib.sha256(msgspec.json.encode(decides)).hexdigest()

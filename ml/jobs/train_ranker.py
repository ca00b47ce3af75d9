"""Nightly training of the learned ranker: read what was shown, learn, choose its size, judge, refit, register, serve or not.

    answers in order of time:   learned from, 60 % │ sized by, 20 % │ judged on, 20 %

Judged is NDCG@10 of the answers that somebody acted on, against the order of the weighted score, with the click model and the
weights that are served now (which have seen the judged answers, the ranker has not). The ranker is served only while it surely beats
that score: where the 95 % interval of the difference, by bootstrap over answers, lies above 0. Else the score ranks, and it says so.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from ml.data.clicks import Clicks, Floats
from ml.data.interactions import TableVersion
from ml.jobs.answer_training import AnswerTraining
from ml.models.protocol import Stages, quiet
from ml.registry import single_file, tracking
from ml.registry.single_file import SingleFile
from ml.registry.verdict import TrainingVerdict
from ml.selection import gate
from nextclick import ctr
from nextclick.ctr import FEATURES, TERMS
from nextclick.lake import files
from nextclick.next_item import ranker
from nextclick.next_item.ranker import LearnedRanker, RankerCard
from nextclick.report import JobReport
from nextclick.settings import Settings

_JOB: Final = "train_ranker"
_SIZED_FROM, _JUDGED_FROM, _K = 0.6, 0.8, 10
_FEWEST: Final = 200
"""Answers with an act in the judged part; fewer prove nothing."""


@dataclass(frozen=True)
class RankerEvaluation:
    """A size, learned and chosen on the earlier parts, on the last one."""

    trees: int
    metrics: dict[str, float]
    reasons: list[str]


def run(settings: Settings, progress: Stages = quiet, force: bool = False) -> JobReport:
    """Train on silver.served_items as it stands; without enough rows, or with none that are new, the report says so."""
    training = AnswerTraining(
        job=_JOB,
        model="ranker",
        lock="ranker",
        kept_at="ctr/last-ranker-training.json",
        key=_key,
        lacking=_lacking,
        train=_train,
    )
    return training.run(settings, progress, force)


def judge(shown: Clicks, present: Floats) -> RankerEvaluation:
    """Learn from the earlier answers, choose the size on later ones, judge on the last against the score of `present`, a row each."""
    from ml.models.ctr import lambdamart

    learned, sized, judged = shown.cut(_SIZED_FROM, _JUDGED_FROM)
    booster = lambdamart.fit(learned)
    trees = lambdamart.best_size(booster, sized)
    own = lambdamart.ndcg(lambdamart.scores(booster, judged, trees), judged, _K)
    other = lambdamart.ndcg(present[-len(judged) :], judged, _K)
    metrics = {
        "ndcg@10": float(own.mean()),
        "ndcg@10.score": float(other.mean()),
        "answers": float(len(own)),
        "trees": float(trees),
    }
    if len(own) < _FEWEST:
        return RankerEvaluation(trees, metrics, [f"{len(own)} answers with an act to judge by; {_FEWEST} are needed"])
    low, high = gate.interval((own - other).astype(np.float32))
    metrics |= {"ndcg@10.gain.low": low, "ndcg@10.gain.high": high}
    reasons = (
        []
        if low > 0
        else [
            f"its NDCG@10 {own.mean():.4f} is not surely better than that of the score, {other.mean():.4f} "
            f"(difference an answer {low:.4f} to {high:.4f} with 95 % confidence)"
        ]
    )
    return RankerEvaluation(trees, metrics, reasons)


def present_score(settings: Settings, shown: Clicks) -> Floats:
    """The score of each row as answers reckon it now: docs/api.md."""
    model, columns = ctr.read(settings.lake), dict(zip(FEATURES, shown.features.T, strict=True))
    values = ctr.terms(columns, model.predict(columns) if model else columns["popularity"])
    weights = ctr.weights(settings.ranking) | (model.weights if model else {})
    return np.asarray(sum(weights[term] * values[term] for term in TERMS))


def _train(settings: Settings, shown: Clicks, source: TableVersion, key: str) -> TrainingVerdict:
    from ml.models.ctr import lambdamart

    began, judged = time.time(), judge(shown, present_score(settings, shown))
    booster = lambdamart.fit(shown, judged.trees)
    trees = str(booster.model_to_string())
    run = tracking.Run(
        name=_JOB,
        source=source,
        digest=key,
        started=began,
        params={"trees": judged.trees},
        metrics=judged.metrics,
        tags={"gate": "failed" if judged.reasons else "passed", "gate.reasons": "; ".join(judged.reasons)},
    )
    file = SingleFile("ranker", trees.encode(), "trees_pyfunc.py", FEATURES, "score", ("lightgbm", "pandas"))
    version = single_file.register(settings.lake, run, file, champion=not judged.reasons)
    card = RankerCard(version=version, trees=booster.num_trees(), metrics=judged.metrics, sha256=ranker.sha256(trees))
    if judged.reasons:
        files.remove(ranker.folder(settings.lake))
    else:
        ranker.write(settings.lake, LearnedRanker(card, trees))
    return TrainingVerdict(key=key, reasons=judged.reasons, metrics=judged.metrics, version=version)


def _lacking(shown: Clicks, settings: Settings) -> str | None:
    """Why nothing can be learned yet."""
    needed, acted = settings.ctr, int((shown.grade > 0).sum())
    if len(shown) < needed.min_shown or acted < needed.min_clicks:
        return (
            f"{len(shown):,} items shown with features, {acted:,} of them acted on; the ranker needs "
            f"ctr.min_shown = {needed.min_shown:,} and ctr.min_clicks = {needed.min_clicks:,}."
        )
    if not all(len(part) and part.grade.any() for part in shown.cut(_SIZED_FROM, _JUDGED_FROM)):
        return "In a part of the answers nobody did anything: the ranker needs acts at all times."
    return None


def _key(settings: Settings, source: TableVersion) -> str:
    model: Any = ctr.read(settings.lake)
    decides = (
        source.table_id,
        source.version,
        settings.site,
        settings.ctr,
        settings.ranking,
        model and model.version,
        FEATURES,
    )
    return hashlib.sha256(msgspec.json.encode(decides)).hexdigest()

"""What a training's report shows, as plain numbers; ml/report/report_page.py draws them."""

import time
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from ml.data.interactions import Rows
from ml.data.split import Split
from ml.evaluation import metrics
from ml.evaluation.evaluate import Evaluation, listed
from ml.models.protocol import Stages, quiet
from ml.selection.select import Selection
from nextclick.settings import Settings

GROUPS = (1, 2, 4, 8, 16, 32, 64, 128)
"""People by the items that they had used: from each number up to the next."""
TENTHS = 10
CURVE = (0.25, 0.5)
"""Shares of what was learned from, besides all of it."""
_CURVE_PEOPLE = 5_000


class Group(msgspec.Struct, frozen=True):
    """People who had used about as many items."""

    least: int
    people: int
    recall: float


class TrainingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One training: its candidates, and what was chosen."""

    title: str
    chosen: str
    verdict: list[str]
    """Why the gate refused it; empty if it passed."""
    k: int
    people: int
    validation: dict[str, float]
    """recall@k of every candidate on the validation part."""
    metrics: dict[str, dict[str, float]]
    """By recipe, on the test part."""
    bias: dict[str, list[float]]
    """Share of the places of all lists by tenths of the catalogue, from the most used tenth on; `used`: of what people did use."""
    groups: list[Group]
    curve: dict[float, float]
    """recall@k by the share of what was learned from; empty where it would take too long."""


def facts(
    settings: Settings, title: str, choice: Selection, verdict: list[str], fit_seconds: float, progress: Stages = quiet
) -> TrainingFacts:
    """The numbers of the page; `fit_seconds`: what a fit of the chosen recipe took, by which the curve's cost is known."""
    judged, split = choice.judged, choice.test
    people = split.people(settings.evaluation.max_people, settings.als.seed)
    measured = bool(judged.metrics)
    return TrainingFacts(
        title=title,
        chosen=choice.name,
        verdict=verdict,
        k=judged.k,
        people=judged.people,
        validation=choice.recalls,
        metrics=judged.metrics,
        bias=_bias(judged, split, people) if measured else {},
        groups=list(_groups(judged, choice.name, split, people)) if measured else [],
        curve=_curve(settings, choice, people, fit_seconds, progress) if measured else {},
    )


def _bias(judged: Evaluation, split: Split, people: Rows) -> dict[str, list[float]]:
    users = np.bincount(split.train.item, minlength=len(split.train.items))
    tenth = np.empty(len(users), np.int64)
    tenth[np.argsort(-users, kind="stable")] = np.arange(len(users)) * TENTHS // len(users)
    shares = {name: _shares(tenth[items[items >= 0]]) for name, items in judged.lists.items()}
    return {"used": _shares(tenth[split.test.seen[people].indices]), **shares}


def _shares(tenths: NDArray[np.int64]) -> list[float]:
    counted = np.bincount(tenths, minlength=TENTHS)
    return [float(share) for share in counted / max(counted.sum(), 1)]


def _groups(judged: Evaluation, chosen: str, split: Split, people: Rows) -> Iterator[Group]:
    """By activity before the cut."""
    used = np.bincount(split.train.person, minlength=len(split.train.people))[people]
    for least, most in zip(GROUPS, (*GROUPS[1:], np.inf), strict=True):
        inside = (used >= least) & (used < most)
        if inside.any():
            yield Group(least, int(inside.sum()), float(judged.each[chosen][inside].mean()))


def _curve(
    settings: Settings, choice: Selection, people: Rows, fit_seconds: float, progress: Stages
) -> dict[float, float]:
    """The chosen recipe, fitted on random parts of what it learned from, as long as the time allows."""
    left, split, curve = settings.report.curve_seconds, choice.test, {}
    sample = people[:_CURVE_PEOPLE]
    draw = np.random.default_rng(settings.als.seed).random(len(split.train))
    for done, share in enumerate(CURVE):
        if share * fit_seconds > left:
            return {}
        started = time.perf_counter()
        part = replace(split, train=split.train.where(draw < share))
        model = choice.recipe.fit(part.train, settings.als.threads)
        lists = listed(model, part, sample, choice.judged.k)
        curve[share] = float(metrics.recalls(lists, split.test.seen[sample]).mean())
        left -= time.perf_counter() - started
        progress("learning curve", done + 1, len(CURVE))
    return curve | {1.0: float(choice.judged.each[choice.name][: len(sample)].mean())}

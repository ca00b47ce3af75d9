"""Recommend, test, update, and again: what a model that goes on learning is worth, judged in the order of time.

Gama, Sebastião, Rodrigues, "On Evaluating Stream Learning Algorithms", Machine Learning
90 (2013). Every click is first predicted from what was known when the model was last
refreshed, then learned from; nothing after a click ever reaches its prediction.
"""

import time
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from ml.data.interactions import Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Progress, SessionRecipe, quiet

LONGEST = 32
"""Items of a session so far that a model is asked with."""


class NextJudged(msgspec.Struct, frozen=True, kw_only=True):
    """How well the next clicks were predicted; all contenders are asked for the same ones."""

    k: int
    clicks: int
    """Clicks predicted: all but the first of each session."""
    hit_rate: float
    """HR@k: share of clicks whose item was among the k listed."""
    mrr: float
    """MRR@k: mean of 1 / rank, 0 for an item that was not listed."""
    fit_seconds: float
    answer_seconds: float


def next_clicks(
    recipe: SessionRecipe,
    sessions: Sessions,
    begin: int,
    end: int,
    refresh: timedelta | None,
    k: int = 20,
    share: float = 1.0,
    seed: int = 1,
    progress: Progress = quiet,
) -> NextJudged:
    """Predict each click from `begin` until `end` (microseconds) that is not the first of its session.

    The session so far is always known; the model has learned from all clicks before the
    last refresh, the first of which is at `begin`. Without `refresh` it never is again.
    `share` draws a sample of the clicks by `seed`.
    """
    ranks, fitting, answering = [], 0.0, 0.0
    drawn = np.random.default_rng(seed).random(len(sessions.item)) < share
    for start, stop in spans(begin, end, refresh):
        clicks = np.flatnonzero((sessions.at >= start) & (sessions.at < stop) & ~sessions.opens & drawn)
        started = time.perf_counter()
        model = recipe.fit(sessions.between(0, start))
        fitted = time.perf_counter()
        listed = model.next_items(sessions.before(clicks, LONGEST), k).items
        fitting, answering = fitting + fitted - started, answering + time.perf_counter() - fitted
        ranks.append(rank(listed, sessions.item[clicks]))
        progress(stop - begin, end - begin)
    place = np.concatenate(ranks)
    hit = place > 0
    return NextJudged(
        k=k,
        clicks=len(place),
        hit_rate=float(hit.mean()),
        mrr=float((hit / np.maximum(place, 1)).mean()),
        fit_seconds=fitting,
        answer_seconds=answering,
    )


def spans(begin: int, end: int, step: timedelta | None) -> Iterator[tuple[int, int]]:
    """From refresh to refresh, in microseconds."""
    length = (end - begin) if step is None else step // timedelta(microseconds=1)
    return ((start, min(start + length, end)) for start in range(begin, end, length))


def rank(listed: Rows, item: Rows) -> NDArray[np.int64]:
    """The place of each item in its list, from 1 on; 0 if it is not there."""
    hit = listed == item[:, None]
    return np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, 0)

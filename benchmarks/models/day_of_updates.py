"""A day of updates, judged hour by hour against a nightly model that grows stale and one that is fitted anew each hour.

Each hour everybody who is about to use something new is recommended to, the lists are
tested on it, and then the contenders learn of that hour, each in its way: not at all, by
the project's own update (ml/jobs/update.py: fold-in, new items, trends), or by a full fit.
What a person has seen is left out of every contender's lists as of the hour, and who is
unknown to a contender gets its popular list, as in serving.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from scipy.linalg import orthogonal_procrustes
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, IdMap, Interactions, Rows, TableVersion
from ml.data.sessions import Sessions
from ml.evaluation import metrics
from ml.evaluation.prequential import spans
from ml.jobs import update
from ml.lists.rows import BATCH
from ml.models.protocol import Progress, quiet
from ml.models.user_item.popular import Popular
from ml.registry.artifact import AnyRecipe, Artifact, Card


class Course(msgspec.Struct, kw_only=True):
    """How one contender went through the day."""

    recall: list[float] = []
    """recall@k of each step, mean over the people asked in it."""
    new_items: list[float] = []
    """After each step, the share of the items first used in it that can be recommended: they have a vector."""
    seconds: float = 0.0
    """What learning took."""


class Day(msgspec.Struct, kw_only=True):
    """The contenders by name, over the same people and steps."""

    people: list[int]
    """People asked in each step."""
    courses: dict[str, Course]
    drift: dict[str, float] = {}
    """Mean cosines between updated vectors and those of the last full fit; see `drift`."""

    def recall(self, name: str) -> float:
        """recall@k over the day; each person counts once a step."""
        return float(np.average(self.courses[name].recall, weights=self.people))


@dataclass(frozen=True)
class Stream:
    """All clicks and whose they are."""

    sessions: Sessions
    people: IdMap
    half_life: timedelta
    """Of a pair's strength, as gold.interactions has it."""

    def pairs(self, until: int) -> Interactions:
        """What gold.interactions would hold at this moment, in microseconds; ids in order of rows."""
        known = self.sessions.between(0, until)
        pair, which = np.unique(known.whose.astype(np.int64) * len(known.items) + known.item, return_inverse=True)
        first, last = np.full(len(pair), until), np.zeros(len(pair), np.int64)
        np.minimum.at(first, which, known.at)
        np.maximum.at(last, which, known.at)
        faded = np.exp2(-(last[which] - known.at) / (self.half_life / timedelta(microseconds=1)))
        strength = np.bincount(which, faded, len(pair)).astype(np.float32)
        people, person = np.unique(pair // len(known.items), return_inverse=True)
        items, item = np.unique(pair % len(known.items), return_inverse=True)
        maps = IdMap(self.people.take(people)), IdMap(known.items.take(items))
        return Interactions(*maps, person.astype(np.int32), item.astype(np.int32), strength, first, last)

    def used(self, begin: int, end: int) -> csr_matrix:
        """People × items: 1 for what was used in this time."""
        part = self.sessions.between(begin, end)
        where = (part.whose, part.item)
        used = csr_matrix((np.ones(len(part.item), np.float32), where), (len(self.people), len(self.sessions.items)))
        used.data[:] = 1
        return used


class UpdateStep(NamedTuple):
    """What is asked in one step, and what is learned after it."""

    seen: csr_matrix
    """People × items used before."""
    news: csr_matrix
    """People × items used in it for the first time."""
    changed: Rows
    """People with any click in it."""
    pairs: Interactions
    """All there are after it."""

    @property
    def people(self) -> Rows:
        return np.flatnonzero(np.diff(self.news.indptr)).astype(np.int32)

    @property
    def new_items(self) -> Rows:
        """Items that nobody had used before."""
        return np.setdiff1d(self.news.indices, self.seen.indices)


Way = Callable[[Artifact, UpdateStep, Stream], Artifact]


def day(
    recipe: AnyRecipe,
    popular: Popular,
    stream: Stream,
    begin: int,
    end: int,
    every: timedelta,
    k: int = 20,
    progress: Progress = quiet,
) -> Day:
    """Three ways from `begin` to `end` (microseconds): `recipe` fitted at the begin and left, updated, or fitted anew."""
    nightly = fitted(recipe, popular, stream.pairs(begin))
    state = dict.fromkeys(_WAYS, nightly)
    result = Day(people=[], courses={name: Course() for name in _WAYS})
    for start, stop in spans(begin, end, every):
        step = _step(stream, start, stop)
        result.people.append(len(step.people))
        for name, way in _WAYS.items():
            course = result.courses[name]
            course.recall.append(_recall(state[name], step, stream, k))
            started = time.perf_counter()
            state[name] = way(state[name], step, stream)
            course.seconds += time.perf_counter() - started
            course.new_items.append(_reach(state[name], stream.sessions.items.take(step.new_items)))
        progress(stop - begin, end - begin)
    return msgspec.structs.replace(result, drift=drift(nightly, state["update"], state["retrain"]))


def fitted(recipe: AnyRecipe, popular: Popular, pairs: Interactions) -> Artifact:
    """What a training would export."""
    card = Card(
        recipe=recipe,
        popular=popular,
        site="",
        source=TableVersion("", 0, ""),  # these pairs come from no table
        as_of=pairs.as_of,
        people=len(pairs.people),
        items=len(pairs.items),
    )
    return Artifact(card, recipe.fit(pairs), popular.fit(pairs), pairs.people, pairs.items, pairs.seen)


def drift(before: Artifact, updated: Artifact, anew: Artifact) -> dict[str, float]:
    """Mean cosine of an updated vector to the same row's in a full fit: of items and people that are new, and of old ones.

    Two fits differ by a rotation, which changes no score; the old items' vectors give it
    (Schönemann, "A Generalized Solution of the Orthogonal Procrustes Problem", Psychometrika
    31, 1966). What the old ones reach is what any two fits reach.
    """
    if "item_factors" not in updated.model.arrays:
        return {}
    items, people = (_paired(updated, anew, kind) for kind in ("item", "person"))
    old = len(before.items)
    known = anew.items.rows(updated.items.ids)[:old]
    rotation, _ = orthogonal_procrustes(items[0][:old][known >= 0], items[1][:old][known >= 0])
    parts = {"items": (items, old), "people": (people, len(before.people))}
    return {
        f"{age}_{name}": _cosine(one[part] @ rotation, other[part])
        for name, ((one, other), size) in parts.items()
        for age, part in (("old", slice(0, size)), ("new", slice(size, None)))
    }


def _paired(updated: Artifact, anew: Artifact, kind: str) -> tuple[Floats, Floats]:
    """Vectors of the same ids, in the rows of `updated`."""
    ids, others = (updated.items, anew.items) if kind == "item" else (updated.people, anew.people)
    return updated.model.arrays[f"{kind}_factors"], anew.model.arrays[f"{kind}_factors"][others.rows(ids.ids)]


def _cosine(one: Floats, other: Floats) -> float:
    """The mean over rows of which neither is zero; 1 without any."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    there = lengths > 0
    return float(np.mean((one * other).sum(axis=1)[there] / lengths[there])) if there.any() else 1.0


def _step(stream: Stream, start: int, stop: int) -> UpdateStep:
    seen, used = stream.used(0, start), stream.used(start, stop)
    news = csr_matrix(used - used.multiply(seen))
    news.eliminate_zeros()
    return UpdateStep(seen, news, np.flatnonzero(np.diff(used.indptr)).astype(np.int32), stream.pairs(stop))


def _stale(artifact: Artifact, step: UpdateStep, stream: Stream) -> Artifact:
    return artifact


def _updated(artifact: Artifact, step: UpdateStep, stream: Stream) -> Artifact:
    return update.take_in(artifact, step.pairs, artifact.card.source, stream.people.take(step.changed)).artifact


def _retrained(artifact: Artifact, step: UpdateStep, stream: Stream) -> Artifact:
    return fitted(artifact.card.recipe, artifact.card.popular, step.pairs)


_WAYS: dict[str, Way] = {"stale": _stale, "update": _updated, "retrain": _retrained}


def _recall(artifact: Artifact, step: UpdateStep, stream: Stream, k: int) -> float:
    """recall@k of what this artifact's lists would be at the beginning of the step."""
    people, columns = step.people, stream.sessions.items.rows(artifact.items.ids)
    seen = csr_matrix(step.seen[people][:, columns])
    rows = artifact.people.rows(stream.people.take(people))
    listed = artifact.popular.recommend(people, k, seen).items
    for start in range(0, len(people), BATCH):
        known = start + np.flatnonzero(rows[start : start + BATCH] >= 0)
        personal = artifact.model.recommend(rows[known], k, seen[known]).items
        there = personal[:, 0] >= 0  # who is known and has no list gets the popular one, too
        listed[known[there]] = personal[there]
    listed = np.where(listed >= 0, columns[listed], -1)
    truth = step.news[people]
    return metrics.recall(metrics.hits(listed, truth), np.diff(truth.indptr).astype(np.int64))


def _reach(artifact: Artifact, ids: pa.StringArray) -> float:
    """Share of these items that the model can recommend at all; 1 without any."""
    if not len(ids):
        return 1.0
    rows = artifact.items.rows(ids)
    vectors = next(array for name, array in artifact.model.arrays.items() if name.startswith("item_"))
    there = (rows >= 0) & vectors[np.maximum(rows, 0)].reshape(len(rows), -1).any(axis=1)
    return float(there.mean())

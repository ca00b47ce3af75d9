"""Which model of the next item is served: a part by itself or a blend of parts, by questions that none has learned from.

Of each kind of part the best variant is found, then the weights of a blend of them are learned. So that a blend is judged
by nobody whom it learned from, questions are halved, and each half is judged by what the other has taught; the
blend that is served has learned from both. It is served only where it surely beats its best part: where the 95 %
interval of the difference, by bootstrap over questions, lies above 0. Whether items of the session may come again is chosen
likewise, where at least 1 % of the answers are such returns.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.data.interactions import Floats
from ml.data.sessions import Questions, Sessions
from ml.evaluation import prequential
from ml.models.protocol import NextItem, Progress, quiet
from ml.models.session import kinds
from ml.models.session.blend import Part, SessionBlend, SessionBlendModel
from ml.selection import gate, session_weights

Repeats = Literal["auto", "never", "always"]
AnyNext = Part | SessionBlend

BLEND = "blend"
QUESTIONS = 6_000
"""By which is chosen, at most, drawn by the seed."""
FEWEST = 200
"""Fewer questions prove nothing."""
_FEWEST_KINDS = 2
_RARE = 0.01
"""Share of returns below which the items of a session never come again."""
_FLOOR = 1e-4


class NextChoice(NamedTuple):
    """What was chosen, and how well each did on questions that it has not learned from."""

    name: str
    recipe: AnyNext
    repeats: bool
    """The items of a session may come again."""
    recipes: dict[str, AnyNext]
    """The best variant of each kind, and the blend of them."""
    worths: dict[str, float]
    """HR@k + MRR@k of each."""


def choose(
    train: Sessions,
    questions: Questions,
    k: int,
    repeats: Repeats = "auto",
    seconds: float = np.inf,
    seed: int = 1,
    hours: float | None = None,
    progress: Progress = quiet,
) -> NextChoice | None:
    """The best for `questions`, learned from `train`, which fades with a half-life of `hours`; None where there are too few.

    Kinds and their variants are tried until `seconds` have passed, at least two kinds.
    """
    sample = sampled(questions, seed)
    if len(sample) < FEWEST:
        return None
    trials = _NextTrials(train, sample, k, may_return(sample, repeats), time.monotonic() + seconds, hours)
    trials.run(progress)
    return trials.choice(repeats == "always")


def sampled(questions: Questions, seed: int) -> Questions:
    """At most QUESTIONS of those whose answer is known, in an order that is drawn."""
    known = np.flatnonzero((questions.item >= 0) & (questions.recent >= 0).any(axis=1))
    return questions.take(np.random.default_rng(seed).permutation(known)[:QUESTIONS])


def may_return(questions: Questions, repeats: Repeats) -> bool:
    """Whether items of the session may come again, as far as the answers alone tell."""
    returns = (questions.recent == questions.item[:, None]).any(axis=1).mean()
    return repeats == "always" or (repeats == "auto" and bool(returns >= _RARE))


def worth(ranks: NDArray[np.int64], k: int) -> Floats:
    """Of each question: 1 for a hit among k, and 1 / rank."""
    hit = (ranks > 0) & (ranks <= k)
    return np.where(hit, 1 + 1 / np.maximum(ranks, 1), 0).astype(np.float32)


@dataclass
class _NextTrials:
    train: Sessions
    questions: Questions
    k: int
    again: bool
    until: float
    hours: float | None
    parts: dict[str, Part] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    worths: dict[str, Floats] = field(default_factory=dict)
    """Of each question, by name."""
    blend: SessionBlend = field(init=False)

    def run(self, progress: Progress) -> None:
        """The best variant of each kind, and a blend of them."""
        every = kinds.variants(self.train, self.again, self.hours)
        order = sorted(
            ((at, place, kind) for place, kind in enumerate(every) for at in range(len(every[kind]))),
        )  # the usual one of each kind first
        for done, (at, _, kind) in enumerate(order):
            recipe = every[kind][at]
            if len(self.parts) < _FEWEST_KINDS or time.monotonic() + kinds.foreseen(recipe, self.train) < self.until:
                self._try(kind, recipe)
            progress(done + 1, len(order) + 1)
        self._blend()
        progress(len(order) + 1, len(order) + 1)

    def choice(self, always: bool) -> NextChoice:
        """The blend where it is surely better than the best part."""
        means = {name: float(each.mean()) for name, each in self.worths.items()}
        best = max((name for name in means if name != BLEND), key=means.__getitem__)
        name = BLEND if gate.interval(self.worths[BLEND] - self.worths[best])[0] > 0 else best
        recipes: dict[str, AnyNext] = {**self.parts, BLEND: self.blend}
        return NextChoice(name, recipes[name], always or self._better_with_returns(name), recipes, means)

    def _better_with_returns(self, name: str) -> bool:
        """By all questions, of the model that has learned from them in both cases."""
        if not self.again:
            return False
        with_them, without = (float(self._worths(self.models[name], repeats).mean()) for repeats in (True, False))
        return with_them > without

    def _try(self, kind: str, recipe: Part) -> None:
        model = recipe.fit(self.train)
        worths = self._worths(model, self.again)
        if kind not in self.worths or worths.mean() > self.worths[kind].mean():
            self.parts[kind], self.models[kind], self.worths[kind] = recipe, model, worths

    def _worths(self, model: NextItem, repeats: bool) -> Floats:
        listed = model.next_items(self.questions.recent, self.k, repeats=repeats).items
        return worth(prequential.rank(listed, self.questions.item), self.k)

    def _blend(self) -> None:
        """Learned from all questions; its worths are those of what each half of them taught, on the other half."""
        truth, even = self.questions.item, np.arange(len(self.questions)) % 2 == 0
        known = session_weights.opinions(self.models, self.questions.recent, _FLOOR, self.again)
        self.worths[BLEND] = np.zeros(len(truth), np.float32)
        for half in (even, ~even):
            weights = session_weights.learned(known.about(half), truth[half])
            ranks = known.about(~half).of(tuple(weights)).ranks(np.array([*weights.values()], np.float32), truth[~half])
            self.worths[BLEND][~half] = worth(ranks, self.k)
        weights = session_weights.learned(known, truth)
        parts = {name: recipe for name, recipe in self.parts.items() if name in weights}
        self.blend = SessionBlend(parts=parts, weights=weights, floor=_FLOOR)
        self.models[BLEND] = SessionBlendModel(self.blend, {name: self.models[name] for name in parts})

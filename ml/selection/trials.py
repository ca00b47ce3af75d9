"""Candidates of each person's list on a validation part: fitted, timed, weighed and compared."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ml.data.interactions import Rows
from ml.data.split import Split
from ml.evaluation import evaluate
from ml.models import registry
from ml.models.pairs_shape import PairsShape
from ml.models.protocol import Recommender, Stages, quiet
from ml.models.user_item.blend import Blend, Member
from ml.registry.artifact import AnyRecipe
from ml.selection import blend_weights, gate, model_candidates
from ml.selection.blend_weights import MemberLists
from nextclick.settings import Settings

_LEARNERS, _FEWEST = 3_000, 50
"""Of each half of the people, those who teach a blend's weights, at most and at least; with fewer they stay equal."""


@dataclass
class TrialCosts:
    """What a trial of each kind takes, by the last one."""

    shape: PairsShape
    fits: dict[type[object], float] = field(default_factory=dict)
    """Seconds of a fit over its effort."""
    asks: dict[type[object], float] = field(default_factory=dict)
    """Seconds of the learners' lists."""

    def of_fit(self, recipe: Member) -> float:
        """Seconds, foreseen; 0 of a kind that was never fitted."""
        return self.fits.get(type(recipe), 0.0) * self._effort(recipe)

    def of_trial(self, recipe: Member) -> float:
        """Of fit and lists."""
        return self.of_fit(recipe) + self.asks.get(type(recipe), 0.0)

    def fitted(self, recipe: Member, seconds: float) -> None:
        """Remember what a fit took."""
        self.fits[type(recipe)] = seconds / self._effort(recipe)

    def _effort(self, recipe: Member) -> float:
        return registry.of(recipe).effort(recipe, self.shape)


@dataclass
class CandidateTrials:
    """Candidates on the validation part, one after the other: later ones adopt what earlier ones have learned."""

    settings: Settings
    part: Split
    progress: Stages = quiet
    models: dict[str, Recommender] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    """Of what trials take, in seconds."""
    taught: dict[AnyRecipe, tuple[Blend, Blend]] = field(default_factory=dict)
    """Of blends whose weights all have taught: those that each half has taught alone."""

    def __post_init__(self) -> None:
        evaluation, seed = self.settings.evaluation, self.settings.als.seed
        self.people = self.part.people(evaluation.max_people, seed)
        """Who are asked; their halves are every second of them."""
        learners = self.people[:: max(2, -(-len(self.people) // _LEARNERS))]
        self.learners = learners if len(learners) >= _FEWEST else self.people[:0]
        """By whom parameters are chosen."""
        self.judged = evaluate.compared({}, self.part, self.people, evaluation.k)
        self.costs = TrialCosts(PairsShape.of(self.part.train))

    def ask(self, recipes: Mapping[str, AnyRecipe]) -> None:
        """Fit and judge; nothing where there are too few people."""
        if len(self.people) < evaluate.MIN_PEOPLE:
            return
        for name, recipe in recipes.items():
            self.models[name] = self.fitted(name, recipe)
        k, lists = self.settings.evaluation.k, {name: self._listed(name, recipe) for name, recipe in recipes.items()}
        self.judged = self.judged.beside(evaluate.compared(lists, self.part, self.people, k))

    def _listed(self, name: str, recipe: AnyRecipe) -> Rows:
        """What is judged: of a blend, each half's lists by the weights that the other has taught."""
        k = self.settings.evaluation.k
        if recipe not in self.taught:
            return evaluate.listed(self.models[name], self.part, self.people, k)
        items = np.empty((len(self.people), k), np.int32)
        for half, blend in enumerate(reversed(self.taught[recipe])):
            items[half::2] = evaluate.listed(self.fitted(name, blend), self.part, self.people[half::2], k)
        return items

    def fitted(self, name: str, recipe: AnyRecipe) -> Recommender:
        """The model, from what is fitted already where that serves it."""
        threads, progress = self.settings.als.threads, said("choose", self.progress)
        known, started = self._is_known(recipe), self.clock()
        model = evaluate.fitted({name: recipe}, self.part, threads, progress, self.models)[name]
        if not known and not isinstance(recipe, Blend):
            self.costs.fitted(recipe, self.clock() - started)
        return model

    def foreseen(self, recipe: Member) -> float:
        """Seconds that fit and lists of a recipe will take."""
        return self.costs.of_trial(recipe) - (self.costs.of_fit(recipe) if self._is_known(recipe) else 0.0)

    def worth(self, model: Recommender) -> float:
        """`evaluate.worth` for the learners."""
        k, started = self.settings.evaluation.k, self.clock()
        figures = evaluate.judge(evaluate.listed(model, self.part, self.learners, k), self.part, self.learners)
        self.costs.asks[type(model.recipe)] = self.clock() - started
        return evaluate.worth(figures, k)

    def _is_known(self, recipe: AnyRecipe) -> bool:
        return any(recipe.adopt(model) is not None for model in self.models.values())

    def learn(self, members: Mapping[str, Member], finished: Callable[[Blend], Blend] = lambda blend: blend) -> Blend:
        """These as a blend, with weights that are learned where there are enough people to learn by, and then `finished`."""
        each = list(members.values())
        blend = finished(model_candidates.blended(each))
        if not len(self.learners):
            return blend
        k, fitted = self.settings.evaluation.k, [self.models[name] for name in members]
        step = max(1, -(-len(self.people) // (2 * _LEARNERS)))
        halves = [self.people[half :: 2 * step] for half in (0, 1)]
        lists = MemberLists.of(fitted, blend.depth, self.part, np.concatenate(halves), k)
        first = len(halves[0])

        def learned(by: slice) -> Blend:
            weights = blend_weights.weigh(model_candidates.blended(each), lists.about(by), k).weights
            return finished(model_candidates.blended(each, weights))

        blend = learned(slice(None))
        self.taught[blend] = learned(slice(first)), learned(slice(first, None))
        return blend

    def best(self, names: Iterable[str]) -> str:
        """The recipe of most worth, where popularity for everybody must surely beat the models, and a blend then surely beat it.

        So nobody loses a list of their own by chance, and no blend is popularity with a grain of something else.
        """
        everybody = model_candidates.EVERYBODY
        personal = [name for name in names if name != everybody]
        plain = [name for name in personal if name != model_candidates.BLEND]
        best = max(personal or [everybody], key=self.judged.worth)
        if everybody not in self.judged.each or not all(self.surely(everybody, name) for name in plain):
            return best
        return best if personal and self.surely(best, everybody) else everybody

    def surely(self, name: str, other: str) -> bool:
        """By the 95 % interval of the difference."""
        return gate.interval(self.judged.each[name] - self.judged.each[other])[0] > 0


def said(of: str, progress: Stages) -> Stages:
    """Progress that says what it is of."""
    return lambda stage, done, total: progress(f"{of}: {stage}", done, total)

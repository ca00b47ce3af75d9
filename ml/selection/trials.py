"""Candidates of each person's list on a validation part: fitted, timed, weighed and compared."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ml.data.split import Split
from ml.evaluation import evaluate
from ml.models import registry
from ml.models.pairs_shape import PairsShape
from ml.models.protocol import Recommender, Stages, quiet
from ml.models.user_item.blend import Blend, Member
from ml.registry.artifact import AnyRecipe
from ml.selection import blend_weights, gate, model_candidates
from nextclick.settings import Settings

_LEARNERS, _FEWEST = 3_000, 50
"""People by whom a blend's weights are learned, at most and at least; with fewer they stay equal."""


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

    def __post_init__(self) -> None:
        evaluation, seed = self.settings.evaluation, self.settings.als.seed
        people = self.part.people(evaluation.max_people, seed)
        learners = people[:: max(2, -(-len(people) // _LEARNERS))]
        self.learners = learners if len(learners) >= _FEWEST else people[:0]
        """By whom weights are learned, so that nobody of them is asked how good these are."""
        self.judges = np.setdiff1d(people, self.learners).astype(np.int32)
        self.judged = evaluate.judged({}, self.part, evaluation, seed, self.judges)
        self.costs = TrialCosts(PairsShape.of(self.part.train))

    def ask(self, recipes: Mapping[str, AnyRecipe]) -> None:
        """Fit and judge; nothing where there are too few people."""
        if len(self.judges) < evaluate.MIN_PEOPLE:
            return
        for name, recipe in recipes.items():
            self.models[name] = self.fitted(name, recipe)
        of, models = self.settings, {name: self.models[name] for name in recipes}
        self.judged = self.judged.beside(evaluate.judged(models, self.part, of.evaluation, of.als.seed, self.judges))

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
        """recall@k + NDCG@k of the learners."""
        k, started = self.settings.evaluation.k, self.clock()
        figures = evaluate.judge(evaluate.listed(model, self.part, self.learners, k), self.part, self.learners)
        self.costs.asks[type(model.recipe)] = self.clock() - started
        return figures[f"recall@{k}"] + figures[f"ndcg@{k}"]

    def _is_known(self, recipe: AnyRecipe) -> bool:
        return any(recipe.adopt(model) is not None for model in self.models.values())

    def learn(self, members: Mapping[str, Member]) -> Blend:
        """These as a blend, with weights that are learned where there are enough people to learn by."""
        blend = model_candidates.blended(list(members.values()))
        if not len(self.learners):
            return blend
        fitted = [self.models[name] for name in members]
        weighed = blend_weights.weigh(blend, fitted, self.part, self.learners, self.settings.evaluation.k)
        return model_candidates.blended(list(members.values()), weighed.weights)

    def best(self, names: Iterable[str]) -> str:
        """The best recipe, where popularity for everybody must surely beat the models, and a blend then surely beat it.

        So nobody loses a list of their own by chance, and no blend is popularity with a grain of something else.
        """
        everybody = model_candidates.EVERYBODY
        personal = [name for name in names if name != everybody]
        plain = [name for name in personal if name != model_candidates.BLEND]
        best = self.judged.best(personal or [everybody])
        if everybody not in self.judged.each or not all(self.surely(everybody, name) for name in plain):
            return best
        return best if personal and self.surely(best, everybody) else everybody

    def surely(self, name: str, other: str) -> bool:
        """By the 95 % interval of the difference."""
        return gate.interval(self.judged.each[name] - self.judged.each[other])[0] > 0


def said(of: str, progress: Stages) -> Stages:
    """Progress that says what it is of."""
    return lambda stage, done, total: progress(f"{of}: {stage}", done, total)

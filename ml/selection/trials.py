"""Candidates of each person's list on a validation part: fitted, tuned, weighed and compared."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import msgspec
import numpy as np

from ml.data.split import Split
from ml.evaluation import evaluate
from ml.models import registry
from ml.models.protocol import Recommender, Stages, quiet
from ml.models.user_item.blend import Blend, Member
from ml.registry.artifact import AnyRecipe
from ml.selection import blend_weights, gate, model_candidates
from nextclick.settings import Settings

_LEARNERS, _FEWEST = 3_000, 50
"""People by whom a blend's weights are learned, at most and at least; with fewer they stay equal."""


@dataclass
class CandidateTrials:
    """Candidates on the validation part, one after the other: later ones adopt what earlier ones have learned."""

    settings: Settings
    part: Split
    progress: Stages = quiet
    models: dict[str, Recommender] = field(default_factory=dict)

    def __post_init__(self) -> None:
        evaluation, seed = self.settings.evaluation, self.settings.als.seed
        people = self.part.people(evaluation.max_people, seed)
        learners = people[:: max(2, -(-len(people) // _LEARNERS))]
        self.learners = learners if len(learners) >= _FEWEST else people[:0]
        """By whom weights are learned, so that nobody of them is asked how good these are."""
        self.judges = np.setdiff1d(people, self.learners).astype(np.int32)
        self.judged = evaluate.judged({}, self.part, evaluation, seed, self.judges)

    def ask(self, recipes: Mapping[str, AnyRecipe]) -> None:
        """Fit and judge; nothing where there are too few people."""
        if len(self.judges) < evaluate.MIN_PEOPLE:
            return
        of = self.settings
        fitted = evaluate.fitted(recipes, self.part, of.als.threads, said("choose", self.progress), self.models)
        self.models |= fitted
        self.judged = self.judged.beside(evaluate.judged(fitted, self.part, of.evaluation, of.als.seed, self.judges))

    def improve(self, recipes: Mapping[str, Member], start: Sequence[Member], seconds: float) -> dict[str, Member]:
        """Those of `recipes` that can be tuned, with the parameters that do best for the learners, of what `seconds` allow.

        Tried are first the recipes of `start` of the same kind, then the steps of the kind, each from the best so far, again
        and again while one of them helps; kinds take turns.
        """
        best = {name: one for name, one in recipes.items() if registry.of(one).space(one).ranges}
        if not (len(self.learners) and seconds):
            return best
        until, worths = time.monotonic() + seconds, {name: self._worth(self.models[name]) for name in best}
        tried = set(best.values())
        for name, earlier in ((name, one) for name, old in best.items() for one in start if type(one) is type(old)):
            self._try(name, earlier, best, worths, tried)
        while True:
            before = dict(best)
            for turn in zip_longest(*(registry.of(one).steps for one in best.values())):
                for name, step in zip(best, turn, strict=True):
                    if step and time.monotonic() < until:
                        self._try(name, msgspec.structs.replace(best[name], **step(best[name])), best, worths, tried)
            if best == before or time.monotonic() > until:
                return best

    def _try(
        self, name: str, recipe: Member, best: dict[str, Member], worths: dict[str, float], tried: set[Member]
    ) -> None:
        """Put it in the place of the best of that name where it does better."""
        if recipe in tried:
            return
        tried.add(recipe)
        model = evaluate.fitted({name: recipe}, self.part, self.settings.als.threads, known=self.models)[name]
        if (worth := self._worth(model)) > worths[name]:
            best[name], self.models[name], worths[name] = recipe, model, worth

    def _worth(self, model: Recommender) -> float:
        """recall@k + NDCG@k of the learners."""
        k = self.settings.evaluation.k
        figures = evaluate.judge(evaluate.listed(model, self.part, self.learners, k), self.part, self.learners)
        return figures[f"recall@{k}"] + figures[f"ndcg@{k}"]

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

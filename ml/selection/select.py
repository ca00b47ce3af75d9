"""What is served: chosen on one part of the time, judged on a later one.

    ─────────── train ───────────┬── validation ──┬──── test ────┐ now
      every candidate is fitted  │ the best of it │              │
      the chosen, popularity and the champion's recipe are fitted│ and judged
      the chosen is fitted on everything, inspected, and served

So the figures of what is served are not those by which it was chosen.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

import msgspec
import numpy as np

from ml.data import split
from ml.data.interactions import Interactions
from ml.data.split import Split
from ml.evaluation import evaluate
from ml.evaluation.evaluate import Evaluation
from ml.models import registry
from ml.models.protocol import Recommender, Stages, quiet
from ml.models.user_item.blend import Blend, Member
from ml.models.user_item.popular import Popular
from ml.registry.artifact import AnyRecipe
from ml.selection import blend_weights, gate, model_candidates
from nextclick.settings import Settings

_LEARNERS, _FEWEST = 3_000, 50
"""People by whom a blend's weights are learned, at most and at least; with fewer they stay equal."""


class Selection(NamedTuple):
    """What was chosen, by what, and how good it is."""

    name: str
    recipe: AnyRecipe
    """Of the lists of each person."""
    popular_name: str
    popular: Popular
    """Of the list for people nobody knows."""
    champion: str | None
    """The name of the champion's recipe among those that were judged."""
    validation: Evaluation
    """Every candidate on the validation part."""
    judged: Evaluation
    """The chosen, the champion's and popularity on the test part."""
    before: Split
    """The validation part, and what was learned from for it."""
    test: Split
    skipped: dict[str, str]
    """Why which candidate was not asked."""
    model: Recommender | None
    """The chosen as it was fitted for the validation part; None where there was too little to judge by."""

    @property
    def recalls(self) -> dict[str, float]:
        """recall@k of every candidate on the validation part."""
        return {name: self.validation.recall(name) for name in self.validation.metrics}


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
        fitted = evaluate.fitted(recipes, self.part, of.als.threads, _said("choose", self.progress), self.models)
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
        if everybody not in self.judged.each or not all(self._surely(everybody, name) for name in plain):
            return best
        return best if personal and self._surely(best, everybody) else everybody

    def _surely(self, name: str, other: str) -> bool:
        """By the 95 % interval of the difference."""
        return gate.interval(self.judged.each[name] - self.judged.each[other])[0] > 0


class CutsChoice(NamedTuple):
    """What several validation parts of the same pairs agree on."""

    name: str
    recipes: dict[str, AnyRecipe]
    """Every candidate, with the parameters and weights that were found on the first part."""
    recalls: dict[str, tuple[float, ...]]
    """recall@k of every candidate on each part."""


def by_cuts(settings: Settings, parts: Sequence[Split], progress: Stages = quiet) -> CutsChoice:
    """Choose on the first part; where the others have another best, the one that is never far below the best of a part."""
    first, *others = (CandidateTrials(settings, part, progress) for part in parts)
    popular = _popular(first)
    recipes = dict(_personal(first, popular, parts[0].train, None)[0])
    best = first.best(recipes)
    for other in others:
        other.ask({**popular, **recipes})
    recalls = {name: tuple(one.judged.recall(name) for one in (first, *others)) for name in recipes}
    agreed = all(one.judged.best(recipes) == best for one in others)
    return CutsChoice(best if agreed else safest(recalls), recipes, recalls)


def safest(recalls: Mapping[str, Sequence[float]]) -> str:
    """The name that is nowhere far below the best: whose greatest loss of any part, as a share of the best there, is least."""
    best = [max(*part, 1e-9) for part in zip(*recalls.values(), strict=True)]
    return min(recalls, key=lambda name: max(1 - one / most for one, most in zip(recalls[name], best, strict=True)))


def choose(
    settings: Settings, pairs: Interactions, reigning: AnyRecipe | None = None, progress: Stages = quiet
) -> Selection:
    """Choose on the validation part, and judge on the test part."""
    test = split.by_time(pairs, settings.evaluation.test_share)
    contest = CandidateTrials(settings, before(settings, pairs, test), progress)
    popular = _popular(contest)
    personal, skipped = _personal(contest, popular, pairs, reigning)
    recipes: dict[str, AnyRecipe] = {**popular, **personal}
    champion = None
    if reigning:  # an equal recipe on equal data gives an equal model, so none is fitted twice
        champion = next((name for name, recipe in recipes.items() if recipe == reigning), "champion")
        recipes[champion] = reigning
    best, most_liked = contest.best(personal), contest.judged.best(popular)
    contenders = {name: recipes[name] for name in [*popular, best, *([champion] if champion else [])]}
    als = settings.als
    judged = evaluate.compare(contenders, test, settings.evaluation, als.seed, als.threads, _said("test", progress))
    return Selection(
        name=best, recipe=recipes[best], popular_name=most_liked, popular=popular[most_liked], champion=champion,
        validation=contest.judged, judged=judged, before=contest.part, test=test, skipped=skipped, model=contest.models.get(best),
    )  # fmt: skip


def _popular(contest: CandidateTrials) -> dict[str, Popular]:
    """The best half-life, the best window, and popularity of all time."""
    every = model_candidates.popular_recipes(contest.settings)
    if contest.part.train.timeless:
        every = {gate.FLOOR: every[gate.FLOOR]}
    contest.ask(every)
    windows = [name for name, one in every.items() if one.window_hours is not None]
    fading = [name for name, one in every.items() if one.half_life_days is not None and name not in windows]
    best = [contest.judged.best(names) for names in (fading, windows) if names]
    return {name: every[name] for name in (*best, gate.FLOOR)}


def _personal(
    contest: CandidateTrials, popular: dict[str, Popular], pairs: Interactions, last: AnyRecipe | None
) -> tuple[dict[str, AnyRecipe], dict[str, str]]:
    """What may be each person's list: models by themselves, then blends of the best of them; and why which is not asked."""
    recent = next((one.window_hours for one in popular.values() if one.window_hours), None)
    plain, skipped = affordable(contest.settings, pairs, recent)
    if contest.part.train.timeless:
        plain = {name: one for name, one in plain.items() if not registry.of(one).wants_times(one)} or plain
    contest.ask(plain)
    start = model_candidates.members(last) if last else ()
    improved = contest.improve(plain, start, contest.settings.evaluation.search_seconds)
    each = (registry.of(one).candidates(name, one, recent).items() for name, one in improved.items())
    better = {name: one for some in each for name, one in some if name in plain and one != plain[name]}
    contest.ask(better)
    plain |= better
    wanted = model_candidates.wanted(contest.settings)
    members = _best_of_each_kind(contest, plain) | popular
    blends: dict[str, AnyRecipe] = {}
    if wanted(model_candidates.BLEND) and gate.is_personal(blend := contest.learn(members)):
        blends[model_candidates.BLEND] = blend
    if wanted(model_candidates.EVERYBODY):
        blends[model_candidates.EVERYBODY] = model_candidates.for_everybody(contest.learn(popular))
    contest.ask(blends)
    every = {**plain, **blends}
    return {name: one for name, one in every.items() if wanted(name)} or every, skipped


def _best_of_each_kind(contest: CandidateTrials, plain: Mapping[str, Member]) -> dict[str, Member]:
    """Of candidates that differ in their parameters alone, such as `als` and `als_trending`, the better one."""
    names: dict[type[Member], list[str]] = {}
    for name, one in plain.items():
        names.setdefault(type(one), []).append(name)
    best = {contest.judged.best(some) for some in names.values()}
    return {name: one for name, one in plain.items() if name in best}


def _said(of: str, progress: Stages) -> Stages:
    return lambda stage, done, total: progress(f"{of}: {stage}", done, total)


def affordable(
    settings: Settings, pairs: Interactions, recent_hours: float | None = None
) -> tuple[dict[str, Member], dict[str, str]]:
    """The personal candidates that are fitted by themselves, and why which of them is none."""
    recipes, wanted = model_candidates.personal_recipes(settings, recent_hours), model_candidates.wanted(settings)
    candidates = {name: one for name, one in recipes.items() if wanted(name)} or recipes
    reasons = {
        name: model_candidates.too_large(settings, one, len(pairs.people), len(pairs.items), len(pairs))
        for name, one in candidates.items()
    }
    skipped = {name: reason for name, reason in reasons.items() if reason}
    first = "als_spark" if model_candidates.fits_by_spark(settings, len(pairs)) else next(iter(recipes))
    return {name: one for name, one in candidates.items() if name not in skipped} or {first: recipes[first]}, skipped


def before(settings: Settings, pairs: Interactions, test: Split) -> Split:
    """The validation part, and what may be learned for it."""
    return split.before(pairs, test.cut or 0, settings.evaluation.test_share)

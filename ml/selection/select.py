"""What is served: chosen on one part of the time, judged on a later one.

    ─────────── train ───────────┬── validation ──┬──── test ────┐ now
      every candidate is fitted  │ the best of it │              │
      the chosen, popularity and the champion's recipe are fitted│ and judged
      the chosen is fitted on everything, inspected, and served

So the figures of what is served are not those by which it was chosen.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ml.data import split
from ml.data.interactions import Interactions
from ml.data.split import Split
from ml.evaluation import evaluate
from ml.evaluation.evaluate import Evaluation
from ml.models import registry
from ml.models.protocol import Recommender, Stages, quiet
from ml.models.user_item.blend import Member
from ml.models.user_item.popular import Popular
from ml.registry.artifact import AnyRecipe
from ml.selection import cuts, gate, model_candidates, parameter_search
from ml.selection.trials import CandidateTrials, said
from nextclick.settings import Settings


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
    doubt: str
    """Why the safest was chosen, not the best of the validation part; empty where no earlier part speaks against that."""
    model: Recommender | None
    """The chosen as it was fitted for the validation part; None where there was too little to judge by."""

    @property
    def recalls(self) -> dict[str, float]:
        """recall@k of every candidate on the validation part."""
        return {name: self.validation.recall(name) for name in self.validation.metrics}


class CutsChoice(NamedTuple):
    """What several validation parts of the same pairs agree on."""

    name: str
    recipes: dict[str, AnyRecipe]
    """Every candidate, with the parameters and weights that were found on the first part."""
    recalls: dict[str, tuple[float, ...]]
    """recall@k of every candidate on the first part, and on those for which it was fitted again."""


def by_cuts(settings: Settings, parts: Sequence[Split], progress: Stages = quiet) -> CutsChoice:
    """Choose on the first part, where the others agree; else the safest: as `choose` does, on parts that others have cut."""
    first = CandidateTrials(settings, parts[0], progress)
    recipes = dict(_personal(first, _popular(first), parts[0].train, None)[0])
    agreed = cuts.confirmed(first, recipes, parts[1:])
    return CutsChoice(agreed.name, recipes, agreed.recalls)


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
    agreed = cuts.confirmed(contest, personal, cuts.earlier(contest))
    best = agreed.name
    most_liked = contest.judged.best(popular)
    contenders = {name: recipes[name] for name in [*popular, best, *([champion] if champion else [])]}
    als = settings.als
    judged = evaluate.compare(contenders, test, settings.evaluation, als.seed, als.threads, said("test", progress))
    return Selection(
        name=best, recipe=recipes[best], popular_name=most_liked, popular=popular[most_liked], champion=champion,
        validation=contest.judged, judged=judged, before=contest.part, test=test, skipped=skipped, doubt=agreed.doubt,
        model=contest.models.get(best),
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
    improved = parameter_search.improved(contest, plain, start, contest.settings.evaluation.search_seconds)
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
        blends[model_candidates.EVERYBODY] = contest.learn(popular, model_candidates.for_everybody)
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

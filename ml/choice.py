"""What is served: chosen on one part of the time, judged on a later one.

    ─────────── train ───────────┬── validation ──┬──── test ────┐ now
      every candidate is fitted  │ the best of it │              │
      the chosen, popularity and the champion's recipe are fitted│ and judged
      the chosen is fitted on everything, inspected, and served

So the figures of what is served are not those by which it was chosen.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ml import candidates, evaluate, split
from ml.artifact import AnyRecipe
from ml.evaluate import Judged
from ml.interactions import Interactions
from ml.models.popular import Popular
from ml.models.protocol import Stages, quiet
from ml.split import Split
from nextclick.settings import Settings


class Choice(NamedTuple):
    """What was chosen, by what, and how good it is."""

    name: str
    recipe: AnyRecipe
    """Of the lists of each person."""
    popular_name: str
    popular: Popular
    """Of the list for people nobody knows."""
    champion: str | None
    """The name of the champion's recipe among those that were judged."""
    validation: Judged
    """Every candidate on the validation part."""
    judged: Judged
    """The chosen, the champion's and popularity on the test part."""
    test: Split
    skipped: dict[str, str]
    """Why which candidate was not asked."""

    @property
    def recalls(self) -> dict[str, float]:
        """recall@k of every candidate on the validation part."""
        return {name: self.validation.recall(name) for name in self.validation.metrics}


def choose(
    settings: Settings, pairs: Interactions, reigning: AnyRecipe | None = None, progress: Stages = quiet
) -> Choice:
    """Choose on the validation part, and judge on the test part."""
    personal, skipped = affordable(settings, pairs)
    popular = candidates.popular_recipes(settings)
    recipes: dict[str, AnyRecipe] = {**popular, **personal}
    champion = None
    if reigning:  # an equal recipe on equal data gives an equal model, so none is fitted twice
        champion = next((name for name, recipe in recipes.items() if recipe == reigning), "champion")
        recipes[champion] = reigning
    test = split.by_time(pairs, settings.evaluation.test_share)

    def compare(part: Split, names: Iterable[str], of: str) -> Judged:
        def watched(stage: str, done: int, total: int) -> None:
            progress(f"{of}: {stage}", done, total)

        als, asked = settings.als, {name: recipes[name] for name in dict.fromkeys(names)}
        return evaluate.compare(asked, part, settings.evaluation, als.seed, als.threads, watched)

    validation = compare(before(settings, pairs, test), {**popular, **personal}, "choose")
    best, popular_best = validation.best(personal), validation.best(popular)
    judged = compare(test, [*popular, best, *([champion] if champion else [])], "test")
    return Choice(
        best, personal[best], popular_best, popular[popular_best], champion, validation, judged, test, skipped
    )


def affordable(settings: Settings, pairs: Interactions) -> tuple[dict[str, AnyRecipe], dict[str, str]]:
    """The personal candidates, and why which of them is none."""
    recipes = candidates.personal_recipes(settings)
    reasons = {
        name: candidates.too_large(settings, recipe, len(pairs.people), len(pairs.items))
        for name, recipe in recipes.items()
    }
    skipped = {name: reason for name, reason in reasons.items() if reason}
    return {name: recipe for name, recipe in recipes.items() if name not in skipped}, skipped


def before(settings: Settings, pairs: Interactions, test: Split) -> Split:
    """The validation part, and what may be learned for it."""
    return split.before(pairs, test.cut or 0, settings.evaluation.test_share)

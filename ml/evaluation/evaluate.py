"""A recipe's worth: fitted on the training part, asked about the people of the test part."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import msgspec
import numpy as np

from ml.data.interactions import Floats, Interactions, Rows
from ml.data.split import Split
from ml.evaluation import metrics
from ml.lists.rows import BATCH
from ml.models.protocol import Progress, Recipe, Recommender, Stages, quiet
from ml.models.user_item.blend import Blend, BlendModel
from nextclick.settings import EvaluationSettings

MIN_PEOPLE = 10
"""Fewer judged people than this prove nothing."""
Models = Mapping[str, Recommender]
"""Fitted models by name."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics of each recipe by its name, over the same people and lists of the same length."""

    k: int
    people: int
    """People judged."""
    cut: int
    """Where the test part begins, in microseconds."""
    metrics: dict[str, dict[str, float]]
    """Empty where there were too few people to judge by."""
    each: dict[str, Floats] = {}
    """recall@k of each person, in the same order for every recipe: what the mean hides, and intervals are made of."""
    lists: dict[str, Rows] = {}
    """[people × k]: what each recipe listed, for those people."""

    def recall(self, name: str) -> float:
        """recall@k of a recipe; 0 where nothing was judged."""
        return self.metrics[name][f"recall@{self.k}"] if self.metrics else 0.0

    def worth(self, name: str) -> float:
        """`worth` of a recipe; 0 where nothing was judged."""
        return worth(self.metrics[name], self.k) if self.metrics else 0.0

    def best(self, names: Iterable[str]) -> str:
        """The name with the best recall; the first of equals."""
        return max(names, key=self.recall)

    def beside(self, other: "Evaluation") -> "Evaluation":
        """With the recipes of `other`, which were asked about the same people."""
        return msgspec.structs.replace(
            self,
            metrics=self.metrics | other.metrics,
            each=self.each | other.each,
            lists=self.lists | other.lists,
        )

    def flat(self, chosen: str) -> dict[str, float]:
        """One name per figure, as MLflow and `status` show them: the chosen recipe's plain, the others' prefixed."""
        names = sorted(self.metrics, key=lambda name: name != chosen)
        return {
            (figure if name == chosen else f"{name}.{figure}"): value
            for name in names
            for figure, value in self.metrics[name].items()
        }


def worth(figures: Mapping[str, float], k: int) -> float:
    """recall@k + NDCG@k, by which parameters and weights are chosen, and what is served."""
    return figures[f"recall@{k}"] + figures[f"ndcg@{k}"]


def compare(
    recipes: Mapping[str, Recipe],
    split: Split,
    evaluation: EvaluationSettings,
    seed: int,
    threads: int = 0,
    progress: Stages = quiet,
) -> Evaluation:
    """Fit each recipe on the training part and judge it; one that can adopt what another has learned is not fitted."""
    enough = len(split.people(evaluation.max_people, seed)) >= MIN_PEOPLE
    return judged(fitted(recipes, split, threads, progress) if enough else {}, split, evaluation, seed)


def fitted(
    recipes: Mapping[str, Recipe], split: Split, threads: int = 0, progress: Stages = quiet, known: Models | None = None
) -> Models:
    """The model of each recipe on the training part; one that can adopt what another, or one of `known`, has learned is not fitted."""
    models: dict[str, Recommender] = {}
    for name, recipe in recipes.items():
        learned = [*models.values(), *(known or {}).values()]
        models[name] = _fitted(recipe, learned, split.train, threads, partial(progress, f"judge {name}"))
    return models


def judged(
    models: Models, split: Split, evaluation: EvaluationSettings, seed: int, people: Rows | None = None
) -> Evaluation:
    """The models on the test part, asked about `people` or a sample of it; no figures where they are too few."""
    people, k = split.people(evaluation.max_people, seed) if people is None else people, evaluation.k
    lists = {name: listed(model, split, people, k) for name, model in models.items() if len(people) >= MIN_PEOPLE}
    return compared(lists, split, people, k)


def compared(lists: Mapping[str, Rows], split: Split, people: Rows, k: int) -> Evaluation:
    """Lists [people × k] that are made already, by name."""
    figures = {name: judge(items, split, people) for name, items in lists.items()}
    each = {name: metrics.recalls(items, split.test.seen[people]) for name, items in lists.items()}
    return Evaluation(k=k, people=len(people), cut=split.cut, metrics=figures, each=each, lists=dict(lists))


def _fitted(
    recipe: Recipe, models: Sequence[Recommender], train: Interactions, threads: int, progress: Progress
) -> Recommender:
    """The model of a recipe, made of what is fitted already as far as that goes."""
    adopted = next((model for model in map(recipe.adopt, models) if model is not None), None)
    if adopted is not None or not isinstance(recipe, Blend):
        return adopted or recipe.fit(train, threads, progress)
    members = (_fitted(member, models, train, threads, progress) for member in recipe.members)
    return BlendModel(recipe, tuple(members))


def listed(model: Recommender, split: Split, people: Rows, k: int) -> Rows:
    """The model's lists [people × k], with what they had seen left out."""
    n = min(k, len(split.train.items))
    items = np.full((len(people), k), -1, np.int32)
    for start in range(0, len(people), BATCH):
        batch = people[start : start + BATCH]
        items[start : start + BATCH, :n] = model.recommend(batch, n, split.seen[batch]).items
    return items


def judge(items: Rows, split: Split, people: Rows) -> dict[str, float]:
    """Metrics of the lists [people × k] of `people`."""
    users = np.bincount(split.train.item, minlength=len(split.train.items))
    return metrics.all_at(items, split.test.seen[people], users, int(np.count_nonzero(np.bincount(split.train.person))))

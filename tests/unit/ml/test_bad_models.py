"""Thirteen bad models, each blocked with its own reason; and the same model, trained again, which passes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from ml.data import split
from ml.data.interactions import IdMap, Interactions, TableVersion, from_arrow
from ml.data.split import Split
from ml.evaluation import evaluate
from ml.evaluation.evaluate import Evaluation
from ml.jobs import train
from ml.models.protocol import Lists
from ml.models.user_item.als import Als, AlsModel
from ml.models.user_item.popular import Popular
from ml.registry import artifact
from ml.registry.artifact import AnyRecipe, Artifact
from ml.registry.champion import Model
from ml.selection import gate
from nextclick.errors import ModelError
from nextclick.settings import load

SETTINGS = load(environ={})
GATE, K = SETTINGS.gate, 10
GOOD = Als(factors=16, iterations=10, regularization=0.1, alpha=4.0, seed=0, half_life_days=365.0, recent_hours=24.0)
DAY = 86_400_000_000
PEOPLE, ITEMS, TASTES, OWN, STRAY = 1200, 160, 8, 8, 10


def shop(seed: int) -> Interactions:
    """1,200 people, each with one of eight tastes of 20 items, which are not equally popular; 60 days."""
    draw = np.random.default_rng(seed)
    taste, weight = draw.integers(0, TASTES, PEOPLE), 1 / np.arange(1, 21)
    of_taste = np.arange(ITEMS).reshape(TASTES, -1)
    rows = []
    for n in range(PEOPLE):
        own = draw.choice(of_taste[taste[n]], OWN, replace=False, p=weight / weight.sum())
        items = np.unique(np.concatenate([own, draw.integers(0, ITEMS, STRAY)]))
        rows += [(f"p{n:04}", f"i{item:03}", 1.0, int(day * DAY)) for item in items for day in draw.uniform(0, 60, 1)]
    person, item, strength, when = zip(*rows, strict=True)
    times = pa.array(when, pa.timestamp("us", "UTC"))
    names = ["person_id", "item_id", "strength", "first_at", "last_at"]
    return from_arrow(pa.table([person, item, strength, times, times], names=names))


@cache
def pairs() -> Interactions:
    return shop(seed=1)


@cache
def last_part() -> Split:
    return split.by_time(pairs(), 0.2)


@cache
def validation() -> Split:
    return split.before(pairs(), last_part().cut or 0, 0.2)


@cache
def night() -> train.TrainingRun:
    return train.TrainingRun(SETTINGS, pairs(), TableVersion("", 7, "table"))


@cache
def fitted() -> Artifact:
    return train.fit(night(), GOOD, Popular())


@dataclass
class Case:
    """A challenger on its way to the gate; each bad model spoils one thing of it."""

    recipe: AnyRecipe
    fitted: Artifact
    test: Split = field(default_factory=last_part)
    after_save: Callable[[Path], None] = lambda folder: None
    champion: Model | None = None


def compare(part: Split, challenger: AnyRecipe) -> Evaluation:
    evaluation = msgspec.structs.replace(SETTINGS.evaluation, k=K)
    return evaluate.compare({"own": challenger, "champion": GOOD, gate.FLOOR: Popular()}, part, evaluation, seed=1)


@cache
def good(on: Callable[[], Split]) -> Evaluation:
    return compare(on(), GOOD)


def verdict(case: Case, folder: Path) -> list[str]:
    """All reasons against it, as a training gathers them."""
    same = case.recipe is GOOD and case.test is last_part()
    judged = good(last_part) if same else compare(case.test, case.recipe)
    reasons = gate.judge(judged, "own", "champion", GATE)
    reasons += gate.leaks(case.test, good(validation), judged, "own", GATE)
    digest = case.fitted.save(str(folder))
    case.after_save(folder)
    try:
        read = artifact.load(str(folder), digest)
    except ModelError as error:
        return [*reasons, str(error)]
    return reasons + gate.inspect(read, pairs(), case.champion, GATE, K, seed=1)


def factors(**changed: Any) -> Artifact:
    model = fitted().model
    assert isinstance(model, AlsModel)
    return replace(fitted(), model=replace(model, **changed))


def not_a_number() -> Case:
    spoiled = fitted().model.arrays["item_factors"].copy()
    spoiled[3] = np.nan
    return Case(GOOD, factors(item_factors=spoiled))


def empty() -> Case:
    return Case(GOOD, factors(person_factors=np.zeros_like(fitted().model.arrays["person_factors"])))


def permuted_ids() -> Case:
    order = np.random.default_rng(2).permutation(len(fitted().people))
    return Case(GOOD, replace(fitted(), people=IdMap(fitted().people.ids.take(pa.array(order)))))


def truncated() -> Case:
    def cut(folder: Path) -> None:
        path = folder / "model.npz"
        path.write_bytes(path.read_bytes()[:-100])

    return Case(GOOD, fitted(), after_save=cut)


def one_item_for_all() -> Case:
    single = np.zeros_like(fitted().model.arrays["item_factors"])
    single[3] = 1.0
    return Case(
        GOOD, factors(item_factors=single, person_factors=np.ones_like(fitted().model.arrays["person_factors"]))
    )


def stale() -> Case:
    newer = train._model(night(), fitted(), "", "", {})
    return Case(GOOD, fitted(), champion=msgspec.structs.replace(newer, interactions_version=8))


class Narrow(Als, frozen=True, kw_only=True, tag_field="model", tag="narrow"):
    """Of all items it recommends the twelve that it likes best on average."""

    def fit(self, *args: Any, **options: Any) -> AlsModel:
        model = super().fit(*args, **options)
        mean = model.item_factors @ model.person_factors.mean(axis=0)
        kept = np.isin(np.arange(len(mean)), np.argsort(-mean)[:12])
        return replace(model, item_factors=model.item_factors * kept[:, None].astype(np.float32))


def coverage_collapse() -> Case:
    return Case(Narrow(**msgspec.structs.asdict(GOOD)), fitted())


def popularity_in_disguise() -> Case:
    """A little of each person's taste beside much of what everybody uses."""
    model = fitted().model.arrays
    counts = np.bincount(pairs().item, minlength=len(pairs().items)).astype(np.float32)
    items, people = model["item_factors"].copy(), model["person_factors"].copy()
    items[:, 0], people[:, 0] = 30 * counts / counts.max(), 1.0
    return Case(GOOD, factors(item_factors=items, person_factors=people))


def leaked_pairs() -> Case:
    return Case(GOOD, fitted(), test=Split(pairs(), last_part().test, last_part().seen, last_part().cut))


class Oracle(Als, frozen=True, kw_only=True, tag_field="model", tag="oracle"):
    """Knows what people will do, in whatever part it is asked about."""

    def fit(self, *args: Any, **options: Any) -> Any:
        return Foreseen(super().fit(*args, **options))


class Foreseen:
    def __init__(self, model: AlsModel) -> None:
        self.recipe, self.arrays = model.recipe, model.arrays

    def recommend(self, people: Any, n: int, seen: Any = None) -> Lists:
        truth = last_part().test.seen[people]
        items = np.full((len(people), n), -1, np.int32)
        for row in range(len(people)):
            own = truth.indices[truth.indptr[row] : truth.indptr[row + 1]][:n]
            items[row, : len(own)] = own
        return Lists(items, np.zeros(items.shape, np.float32))


def leaked_future() -> Case:
    return Case(Oracle(**msgspec.structs.asdict(GOOD)), fitted())


def other_items() -> Case:
    """Half of its items are of another shop."""
    ids = fitted().items.ids.to_pylist()
    return Case(
        GOOD,
        replace(fitted(), items=IdMap(pa.array([f"other-{name}" if n % 2 else name for n, name in enumerate(ids)]))),
    )


def worse() -> Case:
    """It has fewer factors than there are tastes."""
    return Case(msgspec.structs.replace(GOOD, factors=4, iterations=3), fitted())


def missing_people() -> Case:
    """One in fifty is unknown to it."""
    known = pairs().where(pairs().person % 50 != 0)
    ids = IdMap(pa.array([name for n, name in enumerate(pairs().people.ids.to_pylist()) if n % 50]))
    part = known.over(pairs().people, pairs().items)
    part = Interactions(
        ids,
        part.items,
        ids.rows(pairs().people.take(part.person)),
        part.item,
        part.strength,
        part.first_at,
        part.last_at,
    )
    return Case(GOOD, train.fit(replace(night(), pairs=part), GOOD, Popular()))


BAD: list[tuple[Callable[[], Case], str]] = [
    (not_a_number, "holds NaN or infinity"),
    (empty, "it has no list for"),
    (permuted_ids, "it does not know its people"),
    (truncated, "model.npz is missing or is not the file that was registered"),
    (one_item_for_all, "everybody gets the same"),
    (stale, "it is stale"),
    (coverage_collapse, "collapses from"),
    (popularity_in_disguise, "popularity in disguise"),
    (leaked_pairs, "pairs of the test part"),
    (leaked_future, "leaps from"),
    (other_items, "its items are others"),
    (worse, "is worse than that of the champion's recipe"),
    (missing_people, "people are missing"),
]


def test_the_good_model_passes(tmp_path: Path) -> None:
    assert verdict(Case(GOOD, fitted()), tmp_path / "model") == []


@pytest.mark.parametrize(("make", "reason"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_a_bad_model_is_blocked_with_its_reason(make: Callable[[], Case], reason: str, tmp_path: Path) -> None:
    assert reason in "; ".join(verdict(make(), tmp_path / "model"))


def test_a_champion_that_is_trained_again_passes_19_times_of_20() -> None:
    """Twenty nights, each with another seed, which gives other vectors: each against the night before."""
    nights = {f"night {seed}": msgspec.structs.replace(GOOD, seed=seed) for seed in range(21)}
    evaluation = msgspec.structs.replace(SETTINGS.evaluation, k=K)
    judged = evaluate.compare({**nights, gate.FLOOR: Popular()}, last_part(), evaluation, seed=1)
    passed = [not gate.judge(judged, tonight, before, GATE) for before, tonight in pairwise(nights)]
    assert len(passed) == 20
    assert sum(passed) >= 19

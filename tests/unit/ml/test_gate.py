"""What the gate lets through, and the bad models that it blocks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import Floats, IdMap, TableVersion, from_arrow
from ml.evaluation.evaluate import Evaluation
from ml.models.user_item.als import Als, AlsModel
from ml.models.user_item.popular import Popular
from ml.registry.artifact import Artifact, Card
from ml.registry.champion import Model
from ml.selection import gate
from nextclick.settings import load

LIMITS = msgspec.structs.replace(load(environ={}).gate, min_coverage=0.1)
PEOPLE = 400


def recalls(mean: float) -> Floats:
    """Of 400 people, half of them above the mean as far as the others are below it."""
    return np.tile([mean * 0.8, mean * 1.2], PEOPLE // 2).astype(np.float32)


def judged(own: float, floor: float = 0.1, champion: float | None = None, coverage: float = 0.5) -> Evaluation:
    recalls_of = {"als": own, gate.FLOOR: floor} | ({"champion": champion} if champion is not None else {})
    metrics = {name: {"recall@5": recall, "coverage@5": coverage} for name, recall in recalls_of.items()}
    each = {name: recalls(recall) for name, recall in recalls_of.items()}
    return Evaluation(k=5, people=PEOPLE, cut=0, metrics=metrics, each=each)


def test_a_model_passes_that_beats_popularity_and_keeps_up_with_the_champion() -> None:
    assert gate.judge(judged(0.2), "als", None, LIMITS) == []
    assert gate.judge(judged(0.1985, champion=0.2), "als", "champion", LIMITS) == []


@pytest.mark.parametrize(
    ("evaluation", "champion", "words"),
    [
        (judged(0.1, floor=0.1), None, "not better than that of popular_all_time"),
        (judged(0.05, floor=0.1), None, "not better than that of popular_all_time"),
        (judged(0.197, champion=0.2), "champion", "worse than that of the champion's recipe"),
        (judged(0.2, coverage=0.05), None, "below gate.min_coverage"),
        (judged(0.2, coverage=float("nan")), None, "not finite"),
        (judged(float("nan")), None, "not better"),
        (Evaluation(k=5, people=3, cut=0, metrics={}), None, "too little to judge: 3 people"),
    ],
)
def test_a_model_is_blocked_with_its_reason(evaluation: Evaluation, champion: str | None, words: str) -> None:
    assert words in "; ".join(gate.judge(evaluation, "als", champion, LIMITS))


RECIPE = Als(factors=4, iterations=10, regularization=0.1, alpha=10.0, seed=1, half_life_days=14.0, recent_hours=6.0)
START = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [(f"p{n}", f"i{n % 4}{item}") for n in range(60) for item in range(8) if item != n % 8]
TIMES = [START + timedelta(minutes=n) for n in range(len(ROWS))]
PAIRS = from_arrow(
    pa.table(
        [*zip(*ROWS, strict=True), [1.0] * len(ROWS), TIMES, TIMES],
        names=["person_id", "item_id", "strength", "first_at", "last_at"],
    )
)
"""60 people of four tastes, eight items each."""


def candidate() -> Artifact:
    card = Card(
        recipe=RECIPE, popular=Popular(), site="shop", source=TableVersion("", 7, "table"), as_of=PAIRS.as_of,
        people=len(PAIRS.people), items=len(PAIRS.items),
    )  # fmt: skip
    return Artifact(card, RECIPE.fit(PAIRS), Popular().fit(PAIRS), PAIRS.people, PAIRS.items, PAIRS.seen)


GOOD = candidate()


def with_factors(**factors: Any) -> Artifact:
    assert isinstance(GOOD.model, AlsModel)
    return replace(GOOD, model=replace(GOOD.model, **factors))


def reasons(model: Artifact, champion: Model | None = None) -> str:
    return "; ".join(gate.inspect(model, PAIRS, champion, LIMITS, k=5, seed=1))


def shuffled(ids: IdMap) -> IdMap:
    return IdMap(ids.ids.take(pa.array(np.random.default_rng(1).permutation(len(ids)))))


def test_a_good_model_passes() -> None:
    assert reasons(GOOD) == ""


def test_permuted_people_are_blocked() -> None:
    assert "does not know its people" in reasons(replace(GOOD, people=shuffled(GOOD.people)))


def test_permuted_items_are_blocked() -> None:
    assert "does not know its people" in reasons(replace(GOOD, items=shuffled(GOOD.items)))


def test_the_same_list_for_all_is_blocked() -> None:
    same = np.ones_like(GOOD.model.arrays["person_factors"])
    assert "everybody gets the same" in reasons(with_factors(person_factors=same))


def test_one_item_for_all_is_blocked() -> None:
    single = np.zeros_like(GOOD.model.arrays["item_factors"])
    single[3] = 1.0
    same = np.ones_like(GOOD.model.arrays["person_factors"])
    found = reasons(with_factors(person_factors=same, item_factors=single))
    assert "below gate.min_coverage" in found


def test_an_empty_model_is_blocked() -> None:
    nobody = replace(GOOD, people=IdMap(pa.array([], pa.string())))
    assert "knows no person" in reasons(nobody)


def test_a_model_whose_vectors_are_zero_is_blocked() -> None:
    zero = np.zeros_like(GOOD.model.arrays["person_factors"])
    assert "it has no list for 60 of 60 people" in reasons(with_factors(person_factors=zero))


def test_a_model_of_other_people_is_blocked() -> None:
    strangers = IdMap(pa.array([f"stranger{n}" for n in range(60)]))
    assert "does not know 60 of 60 people" in reasons(replace(GOOD, people=strangers))


def champion(version: int, table_id: str = "table") -> Model:
    return Model(
        version="1", run_id=None, recipe=RECIPE, metrics={}, interactions_version=version, interactions_id=table_id,
        as_of=0, artifact="", digest="",
    )  # fmt: skip


def test_a_model_of_older_data_than_the_champions_is_blocked() -> None:
    assert "stale" in reasons(GOOD, champion(8))
    assert reasons(GOOD, champion(7)) == ""
    assert reasons(GOOD, champion(8, "a table that was since made anew")) == ""


def test_a_model_whose_newest_event_is_older_than_the_champions_is_blocked() -> None:
    newer = msgspec.structs.replace(champion(7), as_of=PAIRS.as_of + 1)
    assert "stale" in reasons(GOOD, newer)

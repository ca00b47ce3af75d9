"""The judge by hidden tastes, on three people and four items that can be checked by eye."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from demo.outcome.evaluation import judge
from demo.outcome.leaver import leaver
from demo.traffic.tastes import Tastes
from nextclick.lake.paths import lake_at
from tests.table_rows import write

LIKES = np.array([[0.9, 0.5, 0.1, 0.3], [0.2, 0.8, 0.6, 0.4]])
NOBODY_USED = pa.table({"person_id": pa.array([], pa.string()), "item_id": pa.array([], pa.string())})
POPULAR = pa.table({"rank": [1, 2, 3], "item_id": ["d", "c", "a"]})


@pytest.fixture
def tastes() -> Tastes:
    """Each person is a theme of their own, so that LIKES are the probabilities."""
    return Tastes(
        item_ids=np.array(["a", "b", "c", "d"]),
        known_ids=np.array(["p0", "p1", "p1-phone"]),
        person_of=np.array([0, 1, 1]),
        mixture=np.eye(2, dtype=np.float32),
        affinity=np.log(LIKES / (1 - LIKES)).astype(np.float32),
        visits_a_day=np.array([0.5, 2.0]),
    )


def lists(*rows: tuple[str, int, str]) -> pa.Table:
    person, rank, item = zip(*rows, strict=True)
    return pa.table({"person_id": person, "rank": rank, "item_id": item})


def test_share_is_the_mean_of_the_true_probabilities(tastes: Tastes) -> None:
    match = judge(tastes, lists(("p0", 1, "a"), ("p1", 1, "c")), NOBODY_USED, POPULAR, k=1)
    assert match.people == 2
    assert match.model == pytest.approx((0.9 + 0.6) / 2)
    assert match.popular == pytest.approx((0.3 + 0.4) / 2)
    assert match.best == pytest.approx((0.9 + 0.8) / 2)
    assert match.chance == pytest.approx(LIKES.mean())


def test_what_a_person_used_counts_for_nobody(tastes: Tastes) -> None:
    used = pa.table({"person_id": ["p0", "p0", "p0"], "item_id": ["a", "b", "d"]})
    match = judge(tastes, lists(("p0", 1, "a")), used, POPULAR, k=1)
    assert match.model == 0
    assert match.popular == match.best == pytest.approx(0.1)


def test_only_the_first_k_count_and_empty_places_count_as_not_liked(tastes: Tastes) -> None:
    match = judge(tastes, lists(("p0", 1, "a"), ("p0", 3, "b")), NOBODY_USED, POPULAR, k=2)
    assert match.model == pytest.approx(0.9 / 2)


def test_a_device_is_judged_by_the_taste_of_its_person(tastes: Tastes) -> None:
    match = judge(tastes, lists(("p1-phone", 1, "b")), NOBODY_USED, POPULAR, k=1)
    assert match.model == pytest.approx(0.8)


def test_unknown_people_and_items_are_left_out(tastes: Tastes) -> None:
    popular = pa.table({"rank": [1, 2], "item_id": ["zzz", "b"]})
    match = judge(tastes, lists(("p0", 1, "a"), ("stranger", 1, "b"), ("p0", 2, "zzz")), NOBODY_USED, popular, k=1)
    assert match.people == 1
    assert match.model == pytest.approx(0.9)
    assert match.popular == pytest.approx(0.5)


def test_who_stays_away_is_known_by_how_often_the_generator_lets_people_come(tastes: Tastes, tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    foreseen = {"model": "churn", "model_version": "2", "horizon_s": 2 * 86_400, "reasons": [("recency", 0.5)]}
    who = (("app-user", 0.99, 10), ("p0", 0.75, 10), ("visitor:p1-phone", 0.25, 1))
    rows = [foreseen | {"subject_id": name, "calibrated": chance, "decile": tenth} for name, chance, tenth in who]
    write(lake, "gold.predictions", rows)
    facts = leaver(lake, tastes)
    assert facts is not None
    assert (facts.person_id, facts.days, facts.foreseen, facts.reasons) == ("p0", 2, 0.75, ("recency",))
    assert facts.true == facts.true_of_tenth == pytest.approx(np.exp(-2 * 0.5), abs=1e-6)
    assert facts.true_of_all == pytest.approx((np.exp(-1) + np.exp(-4)) / 2, abs=1e-6)
    write(lake, "gold.predictions", [], mode="overwrite")
    assert leaver(lake, tastes) is None

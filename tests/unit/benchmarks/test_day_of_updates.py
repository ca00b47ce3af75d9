"""A day of updates, of which every step can be checked by eye."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.models import day_of_updates
from benchmarks.models.day_of_updates import Stream
from ml.data.interactions import IdMap
from ml.data.sessions import from_clicks
from ml.jobs import update
from ml.models.user_item.als import Als
from ml.models.user_item.popular import Popular

HOUR = 3_600_000_000
ALS = Als(factors=2, iterations=15, regularization=0.1, alpha=10.0, seed=1, half_life_days=14.0, recent_hours=6.0)


def stream(*rows: tuple[str, str, float]) -> Stream:
    """Rows of (person, item, hour)."""
    person, item, hour = zip(*rows, strict=True)
    people, items = (IdMap(pa.array(sorted(set(names)))) for names in (person, item))
    at = (np.array(hour) * HOUR).astype(np.int64)
    sessions = from_clicks(items, people.rows(person), items.rows(item), at, timedelta(minutes=30))
    return Stream(sessions, people, timedelta(days=14))


def tastes() -> list[tuple[str, str, float]]:
    """p0 … p9 use items a0 … a5, p10 … p19 items b0 … b5, each but one, in the first hour."""
    return [(f"p{n}", f"{'ab'[n // 10]}{item}", item / 8) for n in range(20) for item in range(6) if item != n % 6]


LATER = [(f"p{n}", "b_new", 1.5) for n in range(10, 15)] + [(f"p{n}", "b_new", 2.5) for n in range(15, 20)]
DAY = day_of_updates.day(
    ALS, Popular(), stream(*tastes(), *LATER, ("late", "b1", 2.6)), HOUR, 3 * HOUR, timedelta(hours=1), k=3
)


def test_each_step_asks_those_who_use_something_new_in_it() -> None:
    assert DAY.people == [5, 6]


def test_only_who_learns_of_a_new_item_recommends_it_in_the_next_step() -> None:
    recalls = {name: course.recall for name, course in DAY.courses.items()}
    assert [recall[0] for recall in recalls.values()] == [0, 0, 0]  # nobody knows it yet
    assert recalls["stale"][1] <= 1 / 6
    assert recalls["update"][1] >= 5 / 6
    assert recalls["retrain"][1] >= 5 / 6


def test_a_new_item_has_a_vector_after_one_update() -> None:
    assert {name: course.new_items for name, course in DAY.courses.items()} == {
        "stale": [0.0, 1.0],
        "update": [1.0, 1.0],
        "retrain": [1.0, 1.0],
    }


def test_the_day_counts_each_person_once_a_step() -> None:
    expected = np.dot(DAY.courses["update"].recall, [5, 6]) / 11
    assert DAY.recall("update") == pytest.approx(expected)


def test_updated_vectors_are_compared_with_a_full_fit_whatever_its_rotation() -> None:
    before = day_of_updates.fitted(ALS, Popular(), stream(*tastes()).pairs(HOUR))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]], np.float32)
    turned = ALS.restore(
        {name: array if array.ndim == 1 else array @ turn for name, array in before.model.arrays.items()}
    )
    assert day_of_updates.drift(before, before, replace(before, model=turned)) == {
        name: pytest.approx(1.0, abs=1e-5) for name in ("old_items", "new_items", "old_people", "new_people")
    }
    assert DAY.drift["new_items"] > 0.9


def test_pairs_hold_what_was_clicked_before_a_moment_with_faded_strength() -> None:
    pairs = stream(("p", "a", 0.0), ("q", "b", 1.0), ("p", "a", 14 * 24.0), ("p", "c", 400.0)).pairs(399 * HOUR)
    named = zip(pairs.people.take(pairs.person).to_pylist(), pairs.items.take(pairs.item).to_pylist(), strict=True)
    assert list(named) == [("p", "a"), ("q", "b")]
    assert pairs.strength.tolist() == [1.5, 1.0]
    assert (pairs.last_at - pairs.first_at).tolist() == [14 * 24 * HOUR, 0]


def test_an_item_that_was_used_is_solved_anew_and_the_others_stay_as_they_were() -> None:
    past, later = stream(*tastes(), ("p19", "b_new", 0.9)), stream(*tastes(), ("p19", "b_new", 0.9), *LATER)
    before, pairs = day_of_updates.fitted(ALS, Popular(), past.pairs(HOUR)), later.pairs(3 * HOUR)
    after = update.take_in(before, pairs, before.card.source, pa.array([f"p{n}" for n in range(10, 20)])).artifact
    moved = (before.model.arrays["item_factors"] != after.model.arrays["item_factors"]).any(axis=1)
    assert after.items.take(np.flatnonzero(moved)).to_pylist() == ["b_new"]

"""Which model of the next item is served: on worlds whose order is known."""

import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import IdMap, Rows
from ml.data.sessions import Questions, Sessions
from ml.models.session.blend import HELD, Part, SessionBlend
from ml.models.session.markov import MarkovTransitions
from ml.models.session.popular import SessionPopular
from ml.selection import session_choice, session_weights

ITEMS = IdMap(pa.array([str(item) for item in range(20)]))
HOUR = 3_600_000_000


def world(number: int, seed: int, returns: float = 0.0) -> Sessions:
    """Sessions of five clicks: each item leads to the next number, but some clicks return to the one before the last."""
    rng = np.random.default_rng(seed)
    items = np.empty((number, 5), np.int32)
    items[:, 0] = rng.integers(0, 20, number)
    for at in range(1, 5):
        back = (rng.random(number) < returns) & (at > 1)
        items[:, at] = np.where(back, items[:, at - 2], (items[:, at - 1] + 1) % 20)
    times = np.repeat(np.arange(number) * HOUR, 5) + np.tile(np.arange(5), number)
    return Sessions(ITEMS, items.ravel(), times, np.arange(0, 5 * number + 1, 5))


def questions(sessions: Sessions) -> Questions:
    return sessions.questions(np.flatnonzero(~sessions.opens))


def test_where_one_part_knows_all_no_blend_is_served_for_it() -> None:
    choice = session_choice.choose(world(200, 1), questions(world(100, 2)), 5)
    assert choice is not None
    assert choice.name != session_choice.BLEND
    assert choice.worths[choice.name] == pytest.approx(2.0)  # always in the list, always first
    assert not choice.repeats


def test_items_come_again_where_people_return_unless_it_is_forbidden() -> None:
    train, asked = world(300, 1, returns=0.5), questions(world(150, 2, returns=0.5))
    auto, never = session_choice.choose(train, asked, 5, "auto"), session_choice.choose(train, asked, 5, "never")
    assert auto is not None
    assert never is not None
    assert (auto.repeats, never.repeats) == (True, False)
    assert auto.worths[auto.name] > 1.2 * never.worths[never.name]


def test_a_blend_is_never_below_its_best_part_by_the_questions_that_chose_it() -> None:
    choice = session_choice.choose(world(300, 1, returns=0.3), questions(world(150, 2, returns=0.3)), 5)
    assert choice is not None
    assert choice.worths[choice.name] >= max(choice.worths.values()) - (0 if choice.name == "blend" else 0.05)


def test_too_few_questions_choose_nothing() -> None:
    assert session_choice.choose(world(20, 1), questions(world(20, 2)), 5) is None


def test_a_part_that_says_nothing_of_the_question_gets_no_weight() -> None:
    train, asked = world(200, 1), questions(world(100, 2))
    recipes: dict[str, Part] = {"follows": MarkovTransitions(half_life_hours=None), "popular": SessionPopular()}
    models = {name: recipe.fit(train) for name, recipe in recipes.items()}
    known = session_weights.opinions(models, asked.recent, 1e-4, repeats=False)
    assert set(session_weights.learned(known, asked.item)) == {"follows", HELD}


def test_where_no_part_says_anything_all_keep_the_same_weight() -> None:
    question, item = np.repeat(np.arange(50, dtype=np.int32), 2), np.tile(np.array([3, 4], np.int32), 50)
    against = np.tile(np.array([1.0, 0.0], np.float32), 50)  # the part always prefers the item that does not come
    known = session_weights.Opinions(question, item, np.column_stack([against, 0 * against]), ("part", HELD))
    assert session_weights.learned(known, np.full(50, 4, np.int32)) == {"part": 1.0, HELD: 1.0}


def test_the_same_questions_give_the_same_choice() -> None:
    one, other = (session_choice.choose(world(200, 1), questions(world(100, 2)), 5) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.recipes == other.recipes
    assert one.worths == other.worths


def test_ranks_of_opinions_are_those_of_the_blend_that_is_served() -> None:
    train, asked = world(100, 1, 0.3), questions(world(30, 2, 0.3))
    recipes: dict[str, Part] = {"follows": MarkovTransitions(half_life_hours=None), "popular": SessionPopular()}
    models = {name: recipe.fit(train) for name, recipe in recipes.items()}
    weights = {"follows": 1.0, "popular": 0.3, HELD: 0.2}
    known = session_weights.opinions(models, asked.recent, 1e-4, repeats=True)
    ranks = known.ranks(np.array([weights[name] for name in known.names], np.float32), asked.item)
    lists = SessionBlend(parts=recipes, weights=weights).fit(train).next_items(asked.recent, 20, repeats=True).items
    assert ranks.tolist() == _ranks(lists, asked.item)


def _ranks(lists: Rows, truth: Rows) -> list[int]:
    return [line.tolist().index(item) + 1 if item in line else 0 for line, item in zip(lists, truth, strict=True)]

"""One behaviour for every model of the next item, and what each adds."""

from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from ml.data.interactions import IdMap, Rows
from ml.data.sessions import Sessions, from_clicks
from ml.evaluation import prequential
from ml.models.protocol import NextItem, SessionRecipe
from ml.models.session.blend import HELD, SessionBlend
from ml.models.session.factors import SessionFactors
from ml.models.session.linear import SessionLinear
from ml.models.session.log_bilinear import LogBilinear
from ml.models.session.markov import MarkovTransitions
from ml.models.session.popular import SessionPopular
from ml.models.session.returns import SessionReturns
from ml.models.session.stan import Stan
from ml.models.session.vmis_knn import VmisKnn
from ml.models.session.walk import SessionWalk
from ml.models.topk.sparse_topk import best
from ml.registry.artifact import flat

HOUR = 3_600_000_000
ITEMS = IdMap(pa.array(list("abcdefgh")))
KNN, POPULAR, FOLLOWS = VmisKnn(), SessionPopular(half_life_hours=8.0), MarkovTransitions(half_life_hours=8.0)
BLEND = SessionBlend(
    parts={"knn": KNN, "popular": POPULAR, "follows": FOLLOWS}, weights={"knn": 1.0, "popular": 0.5, "follows": 0.5}
)
RECIPES = [
    KNN,
    VmisKnn(half_life_hours=2.0, window_hours=3.0),
    POPULAR,
    SessionPopular(window_hours=3.0),
    FOLLOWS,
    MarkovTransitions(half_life_hours=None, reach=5, last_items=4, backward=0.5, evened=0.5),
    Stan(half_life_hours=2.0),
    SessionWalk(kept=4),
    SessionLinear(kept=4),
    SessionFactors(factors=3),
    LogBilinear(factors=3, kept=4),
    SessionReturns(),
    BLEND,
]
every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(msgspec.to_builtins(recipe)["model"]))


def sessions(*texts: str) -> Sessions:
    """A session a text, an hour apart; each letter is a click, a second after the one before."""
    clicks = [(n, letter, n * HOUR + at * 1_000_000) for n, text in enumerate(texts) for at, letter in enumerate(text)]
    person, letters, at = zip(*clicks, strict=True)
    return from_clicks(
        ITEMS, np.array(person, np.int32), ITEMS.rows(letters), np.array(at, np.int64), timedelta(minutes=30)
    )


def recent(*texts: str) -> Rows:
    return np.array([[-1] * (4 - len(text)) + ITEMS.rows(list(text)).tolist() for text in texts], np.int32)


def words(rows: Rows) -> list[str]:
    return ["".join(ITEMS.ids[int(row)].as_py() for row in line if row >= 0) for line in rows]


HISTORY = sessions("ab", "abc", "acd", "bd", "ef", "abd", "dc")
ASKED = recent("a", "ab", "", "h", "bca")


@every_recipe
def test_a_recipe_and_its_models_are_what_the_protocol_says(recipe: Any) -> None:
    assert isinstance(recipe, SessionRecipe)
    assert isinstance(recipe.fit(HISTORY), NextItem)


@every_recipe
def test_lists_fall_in_score_hold_nothing_twice_and_nothing_of_the_session(recipe: Any) -> None:
    lists = recipe.fit(HISTORY).next_items(ASKED, 8)
    assert (lists.items.shape, str(lists.items.dtype), str(lists.scores.dtype)) == ((5, 8), "int32", "float32")
    assert (np.diff(lists.scores, axis=1) <= 0).all()
    assert ((lists.scores > 0) == (lists.items >= 0)).all()
    for item, listed in zip(words(ASKED), words(lists.items), strict=True):
        assert len(set(item + listed)) == len(item + listed)


@every_recipe
def test_what_seen_holds_is_left_out(recipe: Any) -> None:
    seen = csr_matrix(np.isin(np.arange(8), ITEMS.rows(["b", "d"])).astype(np.float32) * np.ones((5, 1), np.float32))
    assert not set("bd") & set("".join(words(recipe.fit(HISTORY).next_items(ASKED, 8, seen).items)))


@every_recipe
def test_a_model_comes_back_from_its_recipe_as_json_and_its_arrays(recipe: Any) -> None:
    model = recipe.fit(HISTORY)
    again = msgspec.json.decode(msgspec.json.encode(recipe), type=type(recipe)).restore(model.arrays)
    one, other = model.next_items(ASKED, 5), again.next_items(ASKED, 5)
    assert np.array_equal(one.items, other.items)
    assert np.array_equal(one.scores, other.scores)
    found = {name: (array.dtype.type, array.shape) for name, array in model.arrays.items()}
    assert flat(recipe.layout(len(ITEMS)), model.arrays) == found


def test_of_equal_scores_the_lower_item_comes_first() -> None:
    scores = csr_matrix(np.array([[0, 2, 3, 2, 3, -1], [0, 0, 0, 0, 0, 0]], np.float32))
    assert best(scores, 3).items.tolist() == [[2, 4, 1], [-1, -1, -1]]


def test_what_followed_lately_counts_for_more_than_what_followed_long_ago() -> None:
    found = MarkovTransitions(half_life_hours=1.0).fit(sessions("ab", "ab", "gh", "ac")).next_items(recent("a"), 2)
    assert words(found.items) == ["cb"]
    assert found.scores[0].tolist() == pytest.approx([1.0, 2**-3 + 2**-2], rel=1e-3)


def test_what_followed_at_once_counts_for_more_than_what_followed_later() -> None:
    assert words(FOLLOWS.fit(sessions("abcd")).next_items(recent("a"), 3).items) == ["bcd"]


def test_a_blend_lists_what_any_part_knows_and_prefers_what_all_agree_on() -> None:
    model = BLEND.fit(sessions("abab", "cd", "ab", "ef"))
    assert words(model.next_items(recent("a"), 1).items) == ["b"]
    assert set(words(model.next_items(recent("a"), 8).items)[0]) == set("bcdef")


def test_each_click_is_predicted_from_what_came_before_the_last_refresh() -> None:
    clicks = sessions("ab", "ab", "ab", "cd", "cd")
    once, hourly = (
        prequential.next_clicks(FOLLOWS, clicks, 2 * HOUR, 5 * HOUR, refresh, k=1)
        for refresh in (None, timedelta(hours=1))
    )
    assert once.clicks == hourly.clicks == 3
    assert once.hit_rate == pytest.approx(1 / 3)  # of ab, cd, cd it has learned ab alone
    assert hourly.hit_rate == pytest.approx(2 / 3)  # the first cd teaches the second


def test_a_rank_counts_from_one_and_is_none_for_what_is_not_listed() -> None:
    assert prequential.rank(np.array([[3, 5], [3, 5]], np.int32), np.array([5, 7], np.int32)).tolist() == [2, 0]


ORDER = np.random.default_rng(5).permutation(20).astype(np.int32)
"""A world of twenty items in which each leads to the next of this order, always."""
WORLD = IdMap(pa.array([str(item) for item in range(20)]))
IN_ORDER = [
    MarkovTransitions(half_life_hours=None),
    Stan(near_places=0.5),
    SessionLinear(ridge=1.0, half_life_places=0.5),
    LogBilinear(factors=16, forgotten=0.1, passes=60),
    SessionBlend(
        parts={"follows": MarkovTransitions(half_life_hours=None), "near": Stan()},
        weights={"follows": 1.0, "near": 0.1},
    ),
]


def walks(order: Rows, number: int, seed: int) -> Sessions:
    """Sessions of five clicks, each from another place of the order on; in no order where there is none."""
    first = np.random.default_rng(seed).integers(0, len(order), number)
    item = order[(first[:, None] + np.arange(5)) % len(order)].ravel()
    person = np.repeat(np.arange(number, dtype=np.int32), 5)
    return from_clicks(WORLD, person, item, np.arange(len(item)) * HOUR // 10, timedelta(hours=1))


@pytest.mark.parametrize("recipe", IN_ORDER, ids=lambda recipe: str(msgspec.to_builtins(recipe)["model"]))
def test_where_each_item_leads_to_one_that_one_is_first(recipe: Any) -> None:
    model, asked = recipe.fit(walks(ORDER, 200, 1)), walks(ORDER, 50, 2)
    clicks = np.flatnonzero(~asked.opens)
    assert (model.next_items(asked.before(clicks, 4), 1).items[:, 0] == asked.item[clicks]).all()


@pytest.mark.parametrize("recipe", IN_ORDER, ids=lambda recipe: str(msgspec.to_builtins(recipe)["model"]))
def test_where_nothing_leads_anywhere_lists_are_no_better_than_chance(recipe: Any) -> None:
    history = walks(ORDER, 400, 1)
    shuffled = from_clicks(
        WORLD, history.whose, np.random.default_rng(3).permutation(history.item), history.at, timedelta(hours=1)
    )
    clicks = np.flatnonzero(~shuffled.opens)
    learned, asked = clicks[: len(clicks) // 2], clicks[len(clicks) // 2 :]
    model = recipe.fit(shuffled.between(0, int(shuffled.at[learned[-1]])))
    hit = model.next_items(shuffled.before(asked, 4), 5, repeats=True).items == shuffled.item[asked][:, None]
    assert hit.any(axis=1).mean() == pytest.approx(5 / 20, abs=0.06)  # 800 questions: four standard errors


def test_vectors_lead_to_what_is_used_alike_though_it_never_followed() -> None:
    """After a and b come the same, after e and f the same; c never followed a, nor g e."""
    model = LogBilinear(factors=8, forgotten=0.1, passes=40).fit(sessions(*(["bc", "bd", "ad", "fg", "fh", "eh"] * 20)))
    links = model.links.toarray()
    a, c, e, g = ITEMS.rows(list("aceg"))
    assert links[a, c] > links[a, g]
    assert links[e, g] > links[e, c]


def test_what_nothing_followed_leads_nowhere() -> None:
    links = LogBilinear(factors=3, passes=1).fit(sessions("ab", "cb")).links
    assert np.flatnonzero(np.diff(links.indptr)).tolist() == ITEMS.rows(["a", "c"]).tolist()
    assert not links.diagonal().any()


@every_recipe
def test_a_model_answers_a_session_of_ten_thousand_items_and_one_of_unknown_ones(recipe: Any) -> None:
    model = recipe.fit(HISTORY)
    long = np.tile(recent("abcd"), (1, 2_500))
    unknown = np.full((1, 4), -1, np.int32)
    assert np.array_equal(
        model.next_items(long, 3, repeats=True).items, model.next_items(recent("abcd"), 3, repeats=True).items
    )
    assert model.next_items(unknown, 3).items.shape == (1, 3)


@every_recipe
def test_two_fits_give_the_same_bytes(recipe: Any) -> None:
    one, other = recipe.fit(HISTORY, threads=1).arrays, recipe.fit(HISTORY, threads=2).arrays
    assert {name: array.tobytes() for name, array in one.items()} == {
        name: array.tobytes() for name, array in other.items()
    }


def test_an_item_of_the_session_comes_again_where_people_return() -> None:
    history = sessions("aba", "cdc", "bcb", "ded")
    recipe = SessionBlend(
        parts={"returns": SessionReturns(), "follows": FOLLOWS}, weights={"returns": 1.0, "follows": 1.0, HELD: 1.0}
    )
    assert words(recipe.fit(history).next_items(recent("ef", "ab"), 1, repeats=True).items) == ["e", "a"]
    assert "a" not in words(recipe.fit(history).next_items(recent("ab"), 8).items)[0]


def test_returns_are_counted_by_the_length_of_the_session_and_the_steps_back() -> None:
    # After two distinct items: three clicks, of which two return to the one before the last, none to the last.
    model = SessionReturns().fit(sessions("aba", "cdc", "efg"))
    assert model.rates[1].tolist()[:3] == pytest.approx([0, 2 / 4, 0])  # one click of no return is added

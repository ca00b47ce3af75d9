"""One behaviour for every recommender, and what only some can do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import IdMap, Interactions, from_arrow
from ml.models.protocol import FoldIn, Lists, Recipe, Recommender, SimilarItems
from ml.models.user_item.als import Als, AlsModel
from ml.models.user_item.blend import Blend
from ml.models.user_item.ease import Ease
from ml.models.user_item.gf_cf import GfCf
from ml.models.user_item.popular import Popular
from ml.models.user_item.sequence import OwnSequence
from ml.models.user_item.user_knn import UserKnn
from ml.registry.artifact import AnyRecipe, flat

START = datetime(2026, 1, 1, tzinfo=UTC)
ALS = Als(factors=2, iterations=15, regularization=0.1, alpha=10.0, seed=1, half_life_days=14.0, recent_hours=6.0)
TRENDING = msgspec.structs.replace(ALS, trending=True)
GRAPH = GfCf(factors=3, neighbours=8)
NEIGHBOURS = UserKnn()
EASE = Ease(ridge=1.0, dropout=0.3, busy=0.5)
BLEND = Blend(members=(ALS, GRAPH, NEIGHBOURS), weights=(0.5, 1.0, 0.25), depth=5)
RECIPES = [
    ALS,
    TRENDING,
    GRAPH,
    msgspec.structs.replace(GRAPH, factors=0),
    NEIGHBOURS,
    EASE,
    OwnSequence(reach=2),
    OwnSequence(walk=0.5, half_life_days=3.0),
    BLEND,
    Popular(),
    Popular(window_hours=6.0),
    Popular(half_life_days=1.0),
]
every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(msgspec.to_builtins(recipe)["model"]))


def pairs(*rows: tuple[str, str, float, float]) -> Interactions:
    """Rows of (person, item, strength, day)."""
    person, item, strength, day = zip(*rows, strict=True)
    at = [START + timedelta(days=days) for days in day]
    names = ["person_id", "item_id", "strength", "first_at", "last_at"]
    return from_arrow(pa.table([person, item, strength, at, at], names=names))


def two_tastes() -> Interactions:
    """p0 … p9 use items a0 … a5, p10 … p19 items b0 … b5; each leaves out one of them."""
    return pairs(
        *(
            (f"p{n}", f"{'ab'[n // 10]}{item}", 1.0 + (item == 0), item / 24)
            for n in range(20)
            for item in range(6)
            if item != n % 6
        )
    )


TWO = two_tastes()
EVERYBODY = np.arange(len(TWO.people), dtype=np.int32)


@every_recipe
def test_a_recipe_and_its_models_are_what_the_protocol_says(recipe: AnyRecipe) -> None:
    assert isinstance(recipe, Recipe)
    assert isinstance(recipe.fit(TWO), Recommender)


@every_recipe
def test_lists_have_one_row_a_person_and_their_scores_fall(recipe: AnyRecipe) -> None:
    items, scores = recipe.fit(TWO).recommend(EVERYBODY, 4)
    assert (items.shape, str(items.dtype), str(scores.dtype)) == ((20, 4), "int32", "float32")
    assert (np.diff(scores, axis=1) <= 0).all()
    assert all(len(set(row)) == 4 for row in items.tolist())


@every_recipe
def test_what_a_person_has_seen_is_left_out(recipe: AnyRecipe) -> None:
    items, _ = recipe.fit(TWO).recommend(EVERYBODY, 12, TWO.seen)
    rows = np.repeat(EVERYBODY, 12).reshape(20, 12)
    assert not TWO.seen[rows[items >= 0], items[items >= 0]].any()


@every_recipe
def test_a_list_longer_than_the_candidates_ends_with_minus_one(recipe: AnyRecipe) -> None:
    items, scores = recipe.fit(TWO).recommend(EVERYBODY, 12, TWO.seen)
    assert (items[:, -5:] == -1).all()
    assert (scores[:, -5:] == 0).all()
    assert np.isfinite(scores).all()


@every_recipe
def test_the_same_data_and_recipe_give_the_same_model_bit_for_bit(recipe: AnyRecipe) -> None:
    one, two = (recipe.fit(TWO, threads=threads) for threads in (1, 2))
    assert all(np.array_equal(one.arrays[name], two.arrays[name]) for name in one.arrays)


@every_recipe
def test_a_model_comes_back_from_its_recipe_as_json_and_its_arrays(recipe: AnyRecipe) -> None:
    model = recipe.fit(TWO)
    again = msgspec.json.decode(msgspec.json.encode(recipe), type=AnyRecipe).restore(model.arrays)
    assert_equal(again.recommend(EVERYBODY, 4), model.recommend(EVERYBODY, 4))
    layout = flat(recipe.layout(len(TWO.people), len(TWO.items)), model.arrays)
    assert {name: (array.dtype.type, array.shape) for name, array in model.arrays.items()} == layout


def assert_equal(one: Lists, other: Lists) -> None:
    assert np.array_equal(one.items, other.items)
    assert np.array_equal(one.scores, other.scores)


def test_als_recommends_the_item_of_a_taste_that_a_person_lacks() -> None:
    items, _ = ALS.fit(TWO).recommend(EVERYBODY, 1, TWO.seen)
    people = TWO.people.ids.to_pylist()
    expected = [f"{'ab'[int(person[1:]) // 10]}{int(person[1:]) % 6}" for person in people]
    assert TWO.items.take(items[:, 0]).to_pylist() == expected


def test_als_gives_no_list_to_a_person_without_interactions() -> None:
    nobody = replace(TWO, people=TWO.people.extended(pa.array(["nobody"])))
    assert (ALS.fit(nobody).recommend(np.array([20], np.int32), 3).items == -1).all()


def test_als_recommends_no_item_that_nobody_used() -> None:
    unused = replace(TWO, items=TWO.items.extended(pa.array(["unused"])))
    assert 12 not in ALS.fit(unused).recommend(EVERYBODY, 13).items


def test_confidence_is_one_plus_alpha_times_the_faded_strength() -> None:
    faded = ALS.confidence(pairs(("p", "new", 2.0, 14), ("p", "old", 2.0, 0)))
    assert faded.toarray().tolist() == [[21.0, 11.0]]


def test_a_trend_is_the_recent_share_drawn_towards_that_of_all() -> None:
    # 'over' was used 12 times on day 0, 'on' 12 times in the last hours: half of all use is recent.
    rows = [(f"p{n}", item, 1.0, day) for n in range(12) for item, day in (("over", 0.0), ("on", 1.0))]
    interactions = pairs(*rows)
    trend = dict(zip(interactions.items.ids.to_pylist(), TRENDING.trend(interactions).tolist(), strict=True))
    assert trend == {"over": pytest.approx((0 + 12 * 0.5) / 24), "on": pytest.approx((12 + 12 * 0.5) / 24)}


def test_a_trending_recipe_adopts_what_the_plain_one_has_learned() -> None:
    plain = ALS.fit(TWO)
    adopted = TRENDING.adopt(plain)
    assert adopted is not None
    assert_equal(adopted.recommend(EVERYBODY, 5), TRENDING.fit(TWO).recommend(EVERYBODY, 5))
    assert msgspec.structs.replace(TRENDING, alpha=1.0).adopt(plain) is None


def test_similar_items_are_those_of_the_same_taste_and_never_itself() -> None:
    model = ALS.fit(TWO)
    assert isinstance(model, SimilarItems)
    lists = model.similar(np.arange(12, dtype=np.int32), 5)
    names = TWO.items.ids.to_pylist()
    for item, row in enumerate(lists.items.tolist()):
        assert {names[other][0] for other in row} == {names[item][0]}
        assert item not in row
    assert (np.abs(lists.scores) <= 1.0001).all()


def fold_in(model: AlsModel, *rows: tuple[str, str, float, float]) -> tuple[AlsModel, Interactions]:
    """The model of two tastes after these pairs have come, as an update does it."""
    new = pairs(*rows)
    people, items = grown(TWO.people, new.people), grown(TWO.items, new.items)
    one, other = TWO.over(people, items), new.over(people, items)
    joined = replace(
        one,
        person=np.concatenate([one.person, other.person]),
        item=np.concatenate([one.item, other.item]),
        strength=np.concatenate([one.strength, other.strength]),
        first_at=np.concatenate([one.first_at, other.first_at]),
        last_at=np.concatenate([one.last_at, other.last_at]),
    )
    return model.fold_in(joined, np.unique(other.person), np.arange(12, len(items), dtype=np.int32)), joined


def grown(ids: IdMap, more: IdMap) -> IdMap:
    return ids.extended(more.ids.filter(pa.array(ids.rows(more.ids) < 0)))


def test_a_new_person_is_folded_in_with_the_taste_of_few_items() -> None:
    model, joined = fold_in(ALS.fit(TWO), ("newcomer", "b1", 1.0, 0.2), ("newcomer", "b2", 1.0, 0.2))
    lists = model.recommend(joined.people.rows(["newcomer"]), 3, joined.seen[joined.people.rows(["newcomer"])])
    assert {name[0] for name in joined.items.take(lists.items[0]).to_pylist()} == {"b"}


def test_a_new_item_is_recommended_to_those_whose_taste_uses_it() -> None:
    model, joined = fold_in(ALS.fit(TWO), *((f"p{n}", "b_new", 2.0, 0.2) for n in range(10, 16)))
    newest = int(joined.items.rows(["b_new"])[0])
    assert isinstance(model, FoldIn)
    b, a = (model.person_factors[joined.people.rows([name])[0]] @ model.item_factors[newest] for name in ("p19", "p1"))
    assert b > 0.5 > a


def test_folding_in_leaves_everybody_else_as_they_were() -> None:
    before = ALS.fit(TWO)
    after, _ = fold_in(before, ("newcomer", "b1", 1.0, 0.2))
    assert np.array_equal(after.person_factors[:20], before.person_factors)
    assert np.array_equal(after.item_factors, before.item_factors)


def test_a_person_without_pairs_is_forgotten() -> None:
    before = ALS.fit(TWO)
    rest = TWO.where(TWO.person != 3)
    after = before.fold_in(rest, np.array([3], np.int32), np.array([], np.int32))
    assert (after.recommend(np.array([3], np.int32), 3).items == -1).all()


def test_popularity_counts_strength_of_all_time_of_a_window_or_fading() -> None:
    rows = [(f"p{n}", "old", 1.0, 0.0) for n in range(5)] + [(f"p{n}", "new", 1.0, 9.0) for n in range(3)]
    interactions = pairs(*rows)
    firsts = {}
    for recipe in (Popular(), Popular(window_hours=24.0), Popular(half_life_days=3.0)):
        items = recipe.fit(interactions).recommend(np.array([0], np.int32), 2).items[0]
        firsts[recipe] = interactions.items.take(items[items >= 0]).to_pylist()
    assert list(firsts.values()) == [["old", "new"], ["new"], ["new", "old"]]


@pytest.mark.parametrize("recipe", [ALS, TRENDING], ids=["plain", "trending"])
def test_contributions_are_those_of_implicits_explain_and_add_up_to_the_score(recipe: Als) -> None:
    model, row = recipe.fit(TWO), 13
    history = TWO.where(TWO.person == row)
    folded = model.fold_in(TWO, np.array([row], np.int32), np.array([], np.int32))
    items = np.array([2, 7], np.int32)
    contributions = model.contributions(items, history)
    trend = model.item_trend[items] if recipe.trending else np.ones(2)
    scores = folded.person_factors[row] @ folded.item_factors[items].T * trend
    assert contributions.sum(axis=1) == pytest.approx(scores, rel=1e-3, abs=1e-4)
    library = recipe.implicit(1, model.person_factors, model.item_factors)
    total, best, _ = library.explain(row, recipe.confidence(TWO), int(items[1]), N=3)
    order = np.argsort(-contributions[1])[:3]
    assert history.item[order].tolist() == [item for item, _ in best]
    assert contributions[1][order] == pytest.approx([part * trend[1] for _, part in best], rel=1e-3)
    assert total * trend[1] == pytest.approx(contributions[1].sum(), rel=1e-3)

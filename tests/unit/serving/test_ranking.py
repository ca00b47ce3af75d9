"""Scores that can be checked by hand, over a shop of five items."""

from typing import Any

import msgspec
import pytest

from nextclick.kv.lists import packing
from nextclick.profile.live_features import FeatureRules as FeatureRules
from nextclick.profile.live_features import features
from nextclick.profile.profile import Action, Profile
from nextclick.settings import load
from serving.index.index import ServingIndex
from serving.ranking import score
from serving.ranking.candidates import gather
from serving.ranking.rank import Order, Ranked, rank
from serving.ranking.rules import rules
from serving.ranking.visitor import Known
from serving.schema.requests import RecommendRequest
from tests.serving_index import NOW, click_model, shop

SETTINGS = load(environ={})
RANKING = SETTINGS.ranking
VIEW, SEARCH, BUY = 2, 3, 6
"""Codes of an action."""


def known(index: ServingIndex, *actions: tuple[int, str], personal: Any = None, similar: Any = ()) -> Known:
    """Somebody with actions (code, item), the newest first and a second apart."""
    done = Profile(tuple(Action(NOW - 1000 * place, place, code, item) for place, (code, item) in enumerate(actions)))

    categories = [index.catalogue.category_of(action.item) or "" for action in done.actions]
    live = features(done, NOW, FeatureRules.of(SETTINGS, SETTINGS.site), categories)
    numbers = index.catalogue.numbers
    own = numbers(personal) if personal else None
    return Known(done, live, own, tuple(numbers(items) for items in similar))


def ranked(index: ServingIndex, who: Known, n: int = 10, **fields: Any) -> Ranked:
    candidates = gather(index, who, RANKING.candidates, NOW - 14 * 86_400_000)
    limits = rules(index.catalogue, RANKING.rules, RecommendRequest(**fields), who)
    return rank(index, candidates, who, limits, n, Order(RANKING, NOW, {}))


def ids(index: ServingIndex, result: Ranked) -> list[str]:
    return [index.catalogue.ids[number] for number in result.candidates.number]


def terms(index: ServingIndex, result: Ranked, item: str) -> dict[str, float]:
    row = ids(index, result).index(item)
    return {name: round(float(values[row]), 4) for name, values in result.scored.terms.items()}


def test_a_stranger_gets_popular_items_the_new_one_a_little_ahead_of_its_place() -> None:
    index = shop()
    found = ranked(index, known(index))
    assert ids(index, found) == ["bulb", "lamp", "stool", "gift"]  # the sofa is sold out
    assert found.source == "popular"
    # bulb: 0.4 · 4/7 + 0.1 · 1 = 0.3286; lamp: 0.4 · 8/11 + 0.1 · 2^-2 = 0.3159
    assert found.score.round(4).tolist() == [0.3286, 0.3159, 0.1, 0.0]


def test_popularity_is_the_strength_over_itself_and_the_median() -> None:
    index = shop()
    assert index.popularity.round(4).tolist() == [round(n / (n + 3), 4) for n in (8, 4, 2, 1)] + [0.0, 0.0]


def test_recency_halves_in_its_half_life_and_is_nothing_where_nobody_knows() -> None:
    index = shop()
    found = ranked(index, known(index))
    assert terms(index, found, "bulb")["recency"] == 1.0
    assert terms(index, found, "lamp")["recency"] == 0.25  # 60 days at a half-life of 30
    assert terms(index, found, "gift")["recency"] == 0.0


def test_the_category_looked_at_matches_whole_and_another_one_by_interest() -> None:
    index = shop()
    found = ranked(index, known(index, (VIEW, "stool"), (VIEW, "lamp"), (VIEW, "stool")))
    assert terms(index, found, "stool")["category_match"] == 1.0
    assert terms(index, found, "bulb")["category_match"] == pytest.approx(0.5, abs=0.001)  # one view against two
    assert terms(index, found, "gift")["category_match"] == 0.0


def test_interest_joins_the_own_list_and_what_resembles_the_last_views() -> None:
    index = shop()
    who = known(index, (VIEW, "lamp"), personal=["stool", "bulb"], similar=[["bulb", "gift"], ["stool"]])
    found = ranked(index, who)
    # stool: 1 − (1 − 1)(1 − 0.8) = 1; bulb: 1 − (1 − 1/2)(1 − 1) = 1; gift: 1/2 of the last view
    assert [terms(index, found, item)["user_interest"] for item in ("stool", "bulb", "gift")] == [1.0, 1.0, 0.5]
    assert terms(index, found, "lamp")["user_interest"] == 0.0


@pytest.mark.parametrize(
    ("how", "source"),
    [
        ({"similar": [["bulb"]], "personal": ["stool"]}, "session"),
        ({"personal": ["stool"]}, "personal"),
        ({"actions": [(VIEW, "lamp")]}, "popular_in_categories"),
        ({}, "popular"),
    ],
)
def test_the_source_is_the_first_of_the_chain_that_gave_an_item(how: dict[str, Any], source: str) -> None:
    index = shop()
    assert ranked(index, known(index, *how.pop("actions", ()), **how)).source == source


def test_a_source_whose_items_are_all_filtered_is_not_named() -> None:
    index = shop()
    found = ranked(index, known(index, personal=["sofa"]))  # sold out
    assert (found.source, "sofa" in ids(index, found)) == ("popular", False)


def test_a_boost_multiplies_the_score_and_zero_sends_to_the_end() -> None:
    index = shop()
    found = ranked(index, known(index), boost=("item:stool=5", "category:light=0"))
    assert ids(index, found) == ["stool", "lamp", "bulb", "gift"]
    assert found.score.round(4).tolist() == [0.5, 0.0, 0.0, 0.0]


def test_the_click_model_takes_the_place_of_popularity() -> None:
    index = shop(more=click_model({"category_match": 2.0}, intercept=-1.0))
    found = ranked(index, known(index, (VIEW, "stool")))
    assert terms(index, found, "stool")["ctr"] == 0.7311  # 1 / (1 + e^-1)
    assert terms(index, found, "lamp")["ctr"] == 0.2689  # 1 / (1 + e^1)


@pytest.mark.parametrize("entry", [b"{", b'{"version": "1", "intercept": 0, "coefficients": {"luck": 1}}'])
def test_a_click_model_that_cannot_be_used_leaves_popularity(entry: bytes) -> None:
    index = shop(more={packing.CTR_MODEL: entry})
    found = ranked(index, known(index))
    assert terms(index, found, "lamp")["ctr"] == round(8 / 11, 4)


def test_a_model_whose_answer_is_no_number_leaves_popularity() -> None:
    index = shop(more=click_model({"recency": 1.0}))
    assert index.ctr
    object.__setattr__(index, "ctr", msgspec.structs.replace(index.ctr, intercept=float("nan")))
    found = ranked(index, known(index))
    assert terms(index, found, "lamp")["ctr"] == round(8 / 11, 4)
    assert found.score.tolist() == sorted(found.score.tolist(), reverse=True)


def test_learned_weights_win_over_conf_and_an_experiment_over_both() -> None:
    index = shop(more={packing.CTR_MODEL: b'{"version":"1","intercept":0,"coefficients":{},"weights":{"recency":1}}'})
    learned = score.weights(RANKING, index, {})
    assert learned["recency"] == pytest.approx(1 / 1.9)
    assert score.weights(RANKING, index, {"recency": 0.0})["recency"] == 0.0
    assert sum(learned.values()) == pytest.approx(1.0)


def test_a_popular_list_that_names_an_item_twice_counts_it_where_it_stands_first() -> None:
    index = shop(popular=["stool", "lamp", "stool"])
    assert [index.catalogue.ids[number] for number in index.by_popularity][:3] == ["stool", "lamp", "bulb"]


def test_an_empty_shop_has_an_empty_list_and_says_so() -> None:
    index = shop(goods={})
    found = ranked(index, known(index))
    assert (ids(index, found), found.source) == ([], "none")


def test_everything_filtered_is_an_empty_list_and_says_so() -> None:
    index = shop()
    found = ranked(index, known(index), price_min=10_000.0)
    assert (ids(index, found), found.source) == ([], "none")


def test_a_price_rule_keeps_out_items_whose_price_nobody_knows() -> None:
    index = shop()
    assert ids(index, ranked(index, known(index), price_min=0.0)) == ["bulb", "lamp", "stool"]


def test_what_was_bought_is_hidden_and_what_was_seen_on_request() -> None:
    index = shop()
    who = known(index, (BUY, "lamp"), (VIEW, "bulb"))
    assert "lamp" not in ids(index, ranked(index, who))
    assert "bulb" in ids(index, ranked(index, who))
    assert ids(index, ranked(index, who, hide_seen=True)) == ["stool", "gift"]

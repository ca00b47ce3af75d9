"""What is counted and what is completed: next actions and suggestions, by hand."""

import numpy as np
import pytest

from serving.index.next_action import OUTCOMES, ActionTransitions
from serving.index.suggest import SuggestionIndex
from tests.serving_index import shop


def test_without_counts_every_action_is_as_likely() -> None:
    assert ActionTransitions([]).after([], 20.0) == dict.fromkeys(OUTCOMES, 0.2)


def test_counts_are_smoothed_from_two_acts_to_one_to_none() -> None:
    counted = ActionTransitions(
        [("", "view", "view", 6), ("view", "view", "add_to_cart", 2), ("", "search", "leave", 2)]
    )
    # p(b): (n + 10 · 0.2) / (10 + 10)
    assert counted.after([], 10.0) == pytest.approx(
        {"view": 0.4, "search": 0.1, "add_to_cart": 0.2, "buy": 0.1, "leave": 0.2}
    )
    # p(b | view): (n + 10 · p(b)) / (8 + 10), then p(b | view, view): (n + 10 · p(b | view)) / (2 + 10)
    cart = (2 + 10 * 0.2) / 18
    assert counted.after(["view", "view"], 10.0)["add_to_cart"] == pytest.approx((2 + 10 * cart) / 12)


@pytest.mark.parametrize("acts", [[], ["view"], ["buy", "search"], ["view", "view"]])
def test_probabilities_sum_to_one(acts: list[str]) -> None:
    counted = ActionTransitions([("", "view", "leave", 3), ("view", "search", "buy", 1)])
    assert sum(counted.after(acts, 0.5).values()) == pytest.approx(1.0)


def texts(index: SuggestionIndex, typed: str, interest: dict[str, float] | None = None) -> list[str]:
    return [each.text for each in index.find(typed, 5, interest or {})]


@pytest.fixture
def suggestions() -> SuggestionIndex:
    index = shop()
    return SuggestionIndex(index.catalogue, index.popularity, [("lamp shade", 9), ("ambient light", 3)])


def test_a_beginning_of_any_word_is_completed_the_popular_first(suggestions: SuggestionIndex) -> None:
    assert texts(suggestions, "amb") == ["Amber lamp", "Amber bulb", "ambient light"]
    assert texts(suggestions, "LA") == ["Amber lamp", "lamp shade"]


def test_all_words_must_begin_one(suggestions: SuggestionIndex) -> None:
    assert texts(suggestions, "amber b") == ["Amber bulb"]


def test_a_slip_is_forgiven(suggestions: SuggestionIndex) -> None:
    assert texts(suggestions, "abmer lamp") == ["Amber lamp"]
    assert texts(suggestions, "stoll") == ["Low stool"]


def test_what_the_visitor_leans_to_comes_first(suggestions: SuggestionIndex) -> None:
    assert texts(suggestions, "s")[0] == "lamp shade"
    assert texts(suggestions, "s", {"seats": 0.9})[:2] == ["Soft sofa", "Low stool"]


@pytest.mark.parametrize("typed", ["", "   ", "!!", "\U0010ffff", "zzzz", "(", "é"])
def test_nothing_to_complete_is_an_empty_list(suggestions: SuggestionIndex, typed: str) -> None:
    assert texts(suggestions, typed) == []


def test_a_shop_without_names_suggests_nothing() -> None:
    index = shop(goods={})
    assert texts(SuggestionIndex(index.catalogue, np.zeros(1), []), "lamp") == []

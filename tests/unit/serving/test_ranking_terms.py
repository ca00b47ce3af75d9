"""The terms of the score and the features of an item are named once; who adds one learns here which place was forgotten."""

import numpy as np
import pytest

from nextclick.ctr import FEATURES, TERMS, terms
from nextclick.profile.live_features import FeatureRules, features
from nextclick.profile.profile import EMPTY
from nextclick.settings import CHECKOUT, load
from serving.ranking import score
from serving.ranking.candidates import gather
from serving.ranking.visitor import Known
from tests.serving_index import NOW, shop

SETTINGS = load(environ={})
PAGE = (CHECKOUT / "docs" / "api.md").read_text(encoding="utf-8").splitlines()


def test_each_term_has_a_weight_in_the_settings_and_no_weight_is_of_no_term() -> None:
    fields = SETTINGS.ranking.__struct_fields__
    assert [name.removeprefix("weight_") for name in fields if name.startswith("weight_")] == list(TERMS)


def test_each_term_is_made_of_the_features_and_lies_between_0_and_1() -> None:
    for value in (0.0, 0.5, 1.0):
        found = terms(dict.fromkeys(FEATURES, np.array([value])), np.array([value]))
        assert tuple(found) == TERMS
        assert all(0 <= column[0] <= 1 for column in found.values())


def test_an_answer_scores_by_every_term_and_keeps_every_feature_on_record() -> None:
    index = shop()
    who = Known(EMPTY, features(EMPTY, NOW, FeatureRules.of(SETTINGS, SETTINGS.site)), None, ())
    candidates = gather(index, who, SETTINGS.ranking.candidates, NOW)
    scored = score.score(index, candidates, who, SETTINGS.ranking, NOW, {})
    assert tuple(scored.features) == FEATURES
    assert tuple(scored.terms) == tuple(scored.weights) == TERMS


def test_the_formula_of_the_page_has_every_term_in_order() -> None:
    [formula] = [line for line in PAGE if line.startswith("score = ")]
    numbers = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
    summed = " + ".join(f"w{place}".translate(numbers) + f"·{term}" for place, term in enumerate(TERMS, start=1))
    assert formula.startswith(f"score = {summed}, ")


@pytest.mark.parametrize("name", dict.fromkeys([*TERMS, *FEATURES]))
def test_the_page_has_a_row_for_every_term_and_feature(name: str) -> None:
    assert any(line.startswith(f"| `{name}` | ") for line in PAGE)


def test_the_card_of_the_shop_shows_every_term_in_order() -> None:
    card = (CHECKOUT / "demo" / "shop" / "templates" / "card.html").read_text(encoding="utf-8")
    assert "({})".format(", ".join(f'"{term}"' for term in TERMS)) in card

"""What answers an open session: as the fitted model does, only where it is surely better, and checked when it is read."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ml.data.sessions import Sessions
from ml.lists import live_session
from ml.lists.live_session import ClicksByTime
from ml.lists.session_packing import packed
from ml.models.session import kinds
from ml.models.session.blend import HELD, SessionBlend
from ml.models.session.factors import SessionFactors
from ml.models.session.linear import SessionLinear
from ml.models.session.log_bilinear import LogBilinear
from ml.models.session.markov import MarkovTransitions
from ml.models.session.popular import SessionPopular
from ml.models.session.returns import SessionReturns
from ml.models.session.stan import Stan
from ml.models.session.walk import SessionWalk
from nextclick.errors import ModelError
from nextclick.next_item import session_model
from nextclick.settings import load
from tests.unit.ml.test_next_items import ITEMS, ORDER, WORLD, sessions, walks, words
from tests.unit.ml.test_session_choice import world

SETTINGS = load(environ={}, profile="test")
FOLLOWS = MarkovTransitions(half_life_hours=None, reach=3, last_items=4, half_life_places=1.5)
PARTS: dict[str, Any] = {
    "follows": FOLLOWS,
    "beside": msgspec.structs.replace(FOLLOWS, backward=1.0, evened=0.5),
    "walk": SessionWalk(kept=4),
    "linear": SessionLinear(kept=4),
    "factors": SessionFactors(factors=3),
    "learned": LogBilinear(factors=3, passes=2, rivals=4),
    "near": Stan(half_life_hours=2.0),
    "returns": SessionReturns(),
    "popular": SessionPopular(half_life_hours=8.0),
}
WEIGHTS = {name: 0.2 + 0.1 * place for place, name in enumerate(PARTS)} | {HELD: 0.7}
RECIPES = PARTS | {"blend": SessionBlend(parts=PARTS, weights=WEIGHTS)}
HISTORY = sessions("ab", "abc", "acd", "bd", "ef", "abd", "dcd", "aba")
texts = st.lists(st.text("abcdefgh", min_size=1, max_size=6), min_size=2, max_size=8)


def row(text: str) -> np.ndarray[Any, Any]:
    return np.array([ITEMS.rows(list(text))], np.int32)


@pytest.mark.parametrize("name", RECIPES)
@settings(max_examples=20, deadline=None)
@example(["b", "a", "b"], "a", False)  # nobody used both, but for what rounding leaves
@given(texts, st.text("abcdefgh", min_size=1, max_size=9), st.booleans())
def test_one_session_is_answered_as_the_fitted_model_answers_a_batch(
    name: str, history: list[str], session: str, repeats: bool
) -> None:
    model = RECIPES[name].fit(sessions(*history))
    expected = model.next_items(row(session), 5, repeats=repeats)
    live = packed(name, model, ITEMS, repeats).next_items(row(session)[0].tolist(), 5)
    scores = model.scores(row(session)).toarray()[0]
    assert len(live.items) == (expected.items[0] >= 0).sum()
    # Of scores that are equal but for their last bits either may come first.
    assert scores[live.items] == pytest.approx(expected.scores[0][: len(live.items)], rel=1e-4, abs=1e-6)


def test_each_kind_of_part_that_is_tried_has_a_form_for_answers() -> None:
    for kind, variants in kinds.variants(HISTORY, repeats=True).items():
        for recipe in variants:
            packed(kind, recipe.fit(HISTORY), ITEMS, repeats=True)


def test_where_people_return_a_b_leads_back_to_a() -> None:
    recipe = SessionBlend(
        parts={"returns": SessionReturns(), "follows": FOLLOWS}, weights={"returns": 1.0, "follows": 1.0, HELD: 1.0}
    )
    model = recipe.fit(sessions("aba", "cdc", "bcb", "ded"))
    again, never = (packed("blend", model, ITEMS, repeats) for repeats in (True, False))
    assert words(again.next_items(row("ab")[0].tolist(), 1).items[None].astype(np.int32)) == ["a"]
    assert "a" not in words(never.next_items(row("ab")[0].tolist(), 8).items[None].astype(np.int32))[0]


def test_nothing_follows_an_empty_session_or_one_that_leads_nowhere() -> None:
    model = packed("follows", FOLLOWS.fit(HISTORY), ITEMS, repeats=False)
    assert not len(model.next_items([], 5).items)
    assert not len(model.next_items(row("h")[0].tolist(), 5).items)


def test_of_a_long_session_the_last_nine_items_count() -> None:
    model = packed("follows", FOLLOWS.fit(HISTORY), ITEMS, repeats=True)
    long, short = ([*range(8)] * 1_000 + last for last in ([0], [0]))
    assert np.array_equal(model.next_items(long, 5).items, model.next_items(short[-9:], 5).items)


def halves(clicks: Sessions) -> ClicksByTime:
    middle, last = (int(np.quantile(clicks.at, share)) for share in (0.6, 0.8))
    end = clicks.as_of + 1
    return ClicksByTime(
        middle, clicks.clicks_that_follow(middle, last, 1), last, clicks.clicks_that_follow(last, end, 1)
    )


def with_k(k: int, **changed: Any) -> Any:
    evaluation = msgspec.structs.replace(SETTINGS.evaluation, k=k)
    next_items = msgspec.structs.replace(SETTINGS.next_items, **changed)
    return msgspec.structs.replace(SETTINGS, evaluation=evaluation, next_items=next_items)


def both_ways(number: int) -> Sessions:
    """Sessions of four clicks up a ring of twenty items or down: an item alone does not say which."""
    rng = np.random.default_rng(1)
    start, step = rng.integers(0, 20, number), rng.choice([-1, 1], number)
    item = ((start[:, None] + step[:, None] * np.arange(4)) % 20).astype(np.int32).ravel()
    return Sessions(WORLD, item, np.arange(len(item)) * 1_000_000, np.arange(0, len(item) + 1, 4))


def test_a_session_model_is_served_where_more_than_the_last_item_decides() -> None:
    clicks = both_ways(600)
    choice = live_session.choose(with_k(1), clicks, halves(clicks), FOLLOWS, None)
    assert choice.recipe is not None
    assert not choice.recipe.repeats
    assert choice.facts["hr"] > 1.3 * choice.facts["hr.floor"]


def test_where_the_last_item_says_all_its_list_answers() -> None:
    clicks = walks(ORDER, 600, 1)
    choice = live_session.choose(with_k(2), clicks, halves(clicks), FOLLOWS, None)
    assert choice.recipe is None
    assert "not surely better than the list of the last item" in choice.reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"live_megabytes": 0.0}, "live_megabytes is 0"),
        ({"live_megabytes": 0.001}, "more than next_items.live_megabytes"),
    ],
)
def test_memory_is_bounded(changed: dict[str, float], reason: str) -> None:
    clicks = both_ways(600)
    choice = live_session.choose(with_k(1, **changed), clicks, halves(clicks), FOLLOWS, None)
    assert choice.recipe is None
    assert reason in choice.reason


def test_repeats_are_chosen_or_as_the_setting_says() -> None:
    clicks = world(600, 1, returns=0.5)  # half of the clicks return to the one before the last
    auto, always, never = (
        live_session.choose(with_k(2, repeats=how), clicks, halves(clicks), SessionPopular(), None).recipe
        for how in ("auto", "always", "never")
    )
    assert [recipe and recipe.repeats for recipe in (auto, always, never)] == [True, True, False]


def test_what_was_kept_is_read_back_and_fitted_again_by_an_update(tmp_path: Path) -> None:
    lake = load(tmp_path / "lake", environ={}).lake
    recipe = live_session.LiveRecipe(name="blend", recipe=RECIPES["blend"], repeats=True)
    pinned = live_session.keep(lake, "lists/1/session-0", live_session.LiveChoice(recipe), HISTORY)
    assert (pinned.name, pinned.reason) == ("blend", "")
    model = session_model.load(f"{lake.shared}/{pinned.folder}", pinned.digest, 10)
    fitted = recipe.fit(HISTORY, ITEMS)
    one, other = (each.next_items(row("ab")[0].tolist(), 8) for each in (model, fitted))
    assert np.array_equal(one.items, other.items)
    assert np.array_equal(one.values, other.values)
    assert live_session.again(lake, "lists/1/session-1", pinned, HISTORY).digest == pinned.digest
    none = live_session.keep(lake, "lists/1/session-2", live_session.LiveChoice(reason="too few"), HISTORY)
    assert live_session.again(lake, "lists/1/session-3", none, HISTORY).reason == "too few"


BAD = ["truncated", "exchanged", "nan", "of other items", "too large"]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("how", BAD)
def test_a_bad_session_model_is_refused(name: str, how: str, tmp_path: Path) -> None:
    model = packed(name, RECIPES[name].fit(HISTORY), ITEMS, repeats=False)
    if how == "nan":
        part = next(iter(model.arrays))
        array = next(key for key, each in model.arrays[part].items() if each.dtype == np.float32)
        model.arrays[part][array].flat[0] = np.nan
    if how == "of other items":
        model = session_model.SessionModel(model.card, model.ids[:2], model.arrays)
    folder, digest = tmp_path / "model", model.save(str(tmp_path / "model"))
    if how == "truncated":
        (folder / "model.npz").write_bytes((folder / "model.npz").read_bytes()[:-10])
    if how == "exchanged":
        digest = packed("other", FOLLOWS.fit(sessions("ab")), ITEMS, repeats=True).save(str(tmp_path / "other"))
    with pytest.raises(ModelError):
        session_model.load(str(folder), digest, 0.0001 if how == "too large" else 10.0)

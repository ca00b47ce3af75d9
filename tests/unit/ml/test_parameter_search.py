"""The parameters of a training: what such data usually want, then steps, and no fit that cannot end in its time."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from ml.data import split
from ml.evaluation import evaluate
from ml.models import registry
from ml.models.pairs_shape import PairsShape
from ml.models.user_item.als import Als
from ml.models.user_item.blend import Member
from ml.models.user_item.ease import Ease
from ml.models.user_item.gf_cf import GfCf
from ml.models.user_item.popular import Popular
from ml.selection import parameter_search, select
from ml.selection.trials import CandidateTrials
from tests.unit.ml.test_select import SETTINGS, shop

SMALL = GfCf(factors=1)
ALS = Als(factors=64, iterations=15, regularization=50.0, alpha=10.0, seed=1, half_life_days=14.0, recent_hours=6.0)
GOWALLA, MOVIELENS = PairsShape(29_858, 40_981, 810_128), PairsShape(6_022, 3_043, 796_244)


class Timed:
    """Trials whose fits take a second for each factor, by a clock of their own; lists take none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.begun = 0.0, list[tuple[float, Member]]()
        fit = evaluate.fitted

        def fitted(recipes: Mapping[str, Member], *rest: Any) -> Any:
            (recipe,) = recipes.values()
            if not self.trials._is_known(recipe):
                self.begun.append((self.now, recipe))
                self.now += getattr(recipe, "factors", 1)
            return fit(recipes, *rest)

        monkeypatch.setattr(evaluate, "fitted", fitted)
        everything = shop()
        part = select.before(SETTINGS, everything, split.by_time(everything, SETTINGS.evaluation.test_share))
        self.trials = CandidateTrials(SETTINGS, part, clock=lambda: self.now)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Timed:
    return Timed(monkeypatch)


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Steps, starts and effort of gf_cf as the test has them; EASE, which takes as long each time, has those of `others`."""

    def change(
        steps: tuple[Any, ...] = (),
        starts: Sequence[Any] = (),
        effort: Any = lambda one, _: one.factors,
        others: tuple[Any, ...] = (lambda _: {"ridge": 7.0},),
    ) -> None:
        graph = dataclasses.replace(registry.of(SMALL), steps=steps, starts=lambda *_: starts, effort=effort)
        ease = dataclasses.replace(registry.of(Ease()), steps=others)
        monkeypatch.setattr(registry, "of", lambda one: graph if isinstance(one, GfCf) else ease)

    return change


def test_what_does_better_for_the_learners_takes_the_place_of_the_settings(
    timed: Timed, kind: Callable[..., None]
) -> None:
    poor, good = GfCf(neighbours=1, factors=0), GfCf(neighbours=1, factors=8)  # as many as there are tastes
    timed.trials.ask({"gf_cf": poor})
    kind(effort=lambda *_: 1.0)
    assert parameter_search.improved(timed.trials, {"gf_cf": poor}, [good, Popular()], 0.0) == {"gf_cf": poor}
    assert parameter_search.improved(timed.trials, {"gf_cf": poor}, [good, Popular()], 60.0) == {"gf_cf": good}
    assert timed.trials.models["gf_cf"].recipe == good
    assert parameter_search.improved(timed.trials, {"gf_cf": good}, [poor], 60.0) == {"gf_cf": good}


def test_no_fit_begins_that_cannot_end_in_the_time(
    timed: Timed, kind: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind(steps=(lambda graph: {"factors": 2 * graph.factors}, lambda _: {"smooth": 0.7}))
    timed.trials.ask({"gf_cf": SMALL})
    monkeypatch.setattr(timed.trials, "worth", lambda model: model.recipe.factors + model.recipe.smooth)
    best = parameter_search.improved(timed.trials, {"gf_cf": SMALL}, [], 13.0)["gf_cf"]
    assert [recipe.factors for _, recipe in timed.begun if isinstance(recipe, GfCf)] == [1, 2, 4]  # 8 would end at 15
    assert timed.now <= 14.0
    assert isinstance(best, GfCf)
    assert best.factors == 4
    assert best.smooth == 0.7  # which needs no fit, so there is time for it


def test_what_the_champion_has_is_tried_whatever_it_takes(timed: Timed, kind: Callable[..., None]) -> None:
    kind(steps=(lambda graph: {"factors": 2 * graph.factors},))
    poor, champion = GfCf(neighbours=1, factors=1), GfCf(neighbours=1, factors=8)
    timed.trials.ask({"gf_cf": poor})
    assert parameter_search.improved(timed.trials, {"gf_cf": poor}, [champion], 3.0) == {"gf_cf": champion}
    assert [one.factors for _, one in timed.begun if isinstance(one, GfCf)] == [1, 8]


def test_what_such_data_usually_want_is_tried_before_any_step_and_the_cheap_first(
    timed: Timed, kind: Callable[..., None]
) -> None:
    kind(steps=(lambda _: {"busy": 0.9},), starts=({"factors": 6},))
    plain: dict[str, Member] = {"gf_cf": GfCf(factors=3), "ease": Ease()}
    timed.trials.ask(plain)
    timed.begun.clear()
    parameter_search.improved(timed.trials, plain, [], 60.0)
    tried = [recipe for _, recipe in timed.begun]
    assert tried[0] == GfCf(factors=6)
    assert tried[1] == Ease(ridge=7.0)  # a second, where the other takes three
    assert isinstance(tried[2], GfCf)
    assert tried[2].busy == 0.9


def test_the_next_step_is_of_the_kind_that_has_taken_the_least_time(timed: Timed, kind: Callable[..., None]) -> None:
    kind(
        steps=(lambda _: {"busy": 0.9}, lambda _: {"busy": 0.8}),
        others=(lambda _: {"ridge": 7.0}, lambda _: {"dropout": 0.5}, lambda _: {"popular": 0.1}),
    )
    plain: dict[str, Member] = {"gf_cf": GfCf(factors=3), "ease": Ease()}  # 3 seconds, and 1
    timed.trials.ask(plain)
    timed.begun.clear()
    parameter_search.improved(timed.trials, plain, [], 9.0)
    assert [type(recipe) for _, recipe in timed.begun][:5] == [Ease, Ease, GfCf, Ease, GfCf]


@pytest.mark.parametrize(
    ("shape", "factors", "alpha", "penalty"),
    # density 1 in 1,510: α 2 √1510; 23.2 pairs a vector. 1 in 23: α 2 √23; 186 pairs.
    [(GOWALLA, 512, 78.0, 90.0), (MOVIELENS, 128, 9.6, 89.0)],
)
def test_a_factorization_starts_by_how_full_the_matrix_is(
    shape: PairsShape, factors: int, alpha: float, penalty: float
) -> None:
    (start,) = registry.of(ALS).starts(ALS, shape)
    assert start == {"factors": factors, "iterations": 10, "alpha": alpha, "regularization": penalty}


def test_a_graph_starts_with_as_much_as_a_catalogue_has_in_common() -> None:
    (large,), (small,) = (registry.of(SMALL).starts(GfCf(), shape) for shape in (GOWALLA, MOVIELENS))
    assert (large["factors"], large["neighbours"]) == (512, 2048)
    assert (small["factors"], small["neighbours"]) == (256, 1024)


def test_of_twice_the_factors_a_fit_takes_up_to_four_times_as_long() -> None:
    few, many = (registry.of(ALS).effort(one, GOWALLA) for one in (ALS, replace(ALS, factors=128)))
    assert 2 < many / few < 4


def test_the_shape_counts_who_and_what_has_pairs() -> None:
    everything = shop()
    shape = PairsShape.of(everything.where(everything.person < 40))
    assert shape.people == 40
    assert shape.items <= 160
    assert shape.pairs == (everything.person < 40).sum()
    assert PairsShape(10, 40, 100).density == 0.25
    assert PairsShape(10, 40, 100).usual_pairs == 5.0  # 10 of a person, 2.5 of an item

"""What is served: popularity by the best window, blends by learned weights, popularity for all where it is surely best."""

import dataclasses
from collections.abc import Iterable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from ml.data import split
from ml.data.interactions import Floats, Interactions, TableVersion, from_arrow
from ml.jobs import train
from ml.models.protocol import quiet
from ml.models.user_item.blend import Blend, Member
from ml.models.user_item.gf_cf import GfCf
from ml.models.user_item.popular import Popular
from ml.selection import cuts, gate, model_candidates, select
from ml.selection.select import Selection
from ml.selection.trials import CandidateTrials
from nextclick.errors import SettingsError
from nextclick.settings import Settings, load

HOUR = 3_600_000_000


def asking(*names: str) -> Settings:
    settings = load(profile="test", environ={})
    return msgspec.structs.replace(
        settings, evaluation=msgspec.structs.replace(settings.evaluation, k=5, candidates=names)
    )


SETTINGS = asking()


def pairs(rows: list[tuple[str, str, int]]) -> Interactions:
    """Rows of (person, item, microseconds)."""
    person, item, at = zip(*rows, strict=True)
    times = pa.array(at, pa.timestamp("us", "UTC"))
    names = ["person_id", "item_id", "strength", "first_at", "last_at"]
    return from_arrow(pa.table([person, item, [1.0] * len(rows), times, times], names=names))


def news() -> Interactions:
    """400 people without tastes; each reads a few of the 12 pieces of six hours, of which the first ones are read most."""
    draw = np.random.default_rng(1)
    likely = 1 / np.arange(1, 13)
    rows = []
    for slot in range(24):
        for person in draw.choice(400, 200, replace=False):
            pieces = draw.choice(12, 4, replace=False, p=likely / likely.sum())
            times = np.sort(draw.uniform(0, 6, 4)) + 6 * slot
            rows += [(f"p{person}", f"{slot}-{piece}", int(at * HOUR)) for piece, at in zip(pieces, times, strict=True)]
    return pairs(rows)


def shop() -> Interactions:
    """400 people of eight tastes, who use half of the 20 items of their taste and some others, in ten days."""
    draw, rows = np.random.default_rng(1), []
    for person in range(400):
        own = 20 * (person % 8) + draw.choice(20, 10, replace=False)
        items = np.unique(np.concatenate([own, draw.integers(0, 160, 4)]))
        rows += [
            (f"p{person}", f"i{item}", int(at * HOUR))
            for item, at in zip(items, draw.uniform(0, 240, len(items)), strict=True)
        ]
    return pairs(rows)


@pytest.fixture(scope="module")
def in_news() -> Selection:
    return select.choose(asking("als", "als_trending", "blend", "popular_blend"), news())


def test_a_windows_name_says_how_long_it_is() -> None:
    names = {model_candidates.popular_name(Popular(window_hours=hours)) for hours in (0.5, 6, 24, 168)}
    assert names == {"popular_last_30min", "popular_last_6h", "popular_last_24h", "popular_last_7d"}
    assert model_candidates.popular_name(Popular(half_life_days=14)) == "popular_fading_14d"
    assert model_candidates.popular_name(Popular()) == gate.FLOOR


def test_the_best_window_is_that_of_the_popular_list(in_news: Selection) -> None:
    popular = model_candidates.popular_recipes(SETTINGS)
    assert popular.keys() <= in_news.recalls.keys()
    assert in_news.recalls[in_news.popular_name] == max(in_news.recalls[name] for name in popular)
    assert in_news.popular == popular[in_news.popular_name]


def test_where_popularity_is_surely_best_everybody_gets_it_and_the_gate_lets_it_pass(in_news: Selection) -> None:
    assert in_news.name == model_candidates.EVERYBODY
    assert isinstance(in_news.recipe, Blend)
    assert in_news.recipe.members[-1] == Popular()  # so that no list is short
    judged = in_news.judged
    assert judged.recall(in_news.name) >= judged.recall(in_news.popular_name) * 0.98
    limits = msgspec.structs.replace(SETTINGS.gate, min_coverage=0.2)
    assert gate.judge(judged, in_news.name, None, limits, gate.is_personal(in_news.recipe)) == []
    assert "coverage" in gate.judge(judged, in_news.name, None, limits)[0]


def test_a_model_of_declared_popularity_is_not_asked_for_what_makes_lists_personal(in_news: Selection) -> None:
    everything = news()
    fitted = train.fit(
        train.TrainingRun(SETTINGS, everything, TableVersion("", 1, "t")), in_news.recipe, in_news.popular
    )
    assert gate.inspect(fitted, everything, None, SETTINGS.gate, 5, seed=1) == []


def test_where_people_differ_popularity_is_not_served_and_the_blend_is_no_worse_than_its_members() -> None:
    choice = select.choose(SETTINGS, shop())
    assert gate.is_personal(choice.recipe)
    assert choice.recalls[choice.name] > 2 * choice.recalls[choice.popular_name]
    assert choice.recalls["blend"] > 0.95 * max(choice.recalls[name] for name in ("als", "als_trending", "gf_cf"))


def test_a_blend_is_judged_by_people_who_have_not_taught_its_weights() -> None:
    everything = shop()
    test = split.by_time(everything, 0.1)
    part = select.before(SETTINGS, everything, test)
    first = CandidateTrials(SETTINGS, part)
    even = np.isin(part.test.person, first.people[::2])
    other = np.where(even, part.test.item[::-1], part.test.item)
    others = dataclasses.replace(part, test=dataclasses.replace(part.test, item=other))  # they used something else
    assert len(first.people) > 200
    lists = []
    for contest in (first, CandidateTrials(SETTINGS, others)):
        members: dict[str, Member] = {"graph": GfCf(factors=1, neighbours=2), "last": Popular(window_hours=1)}
        contest.ask(members)
        contest.ask({"blend": contest.learn(members)})
        lists.append(contest.judged.lists["blend"])
    assert (lists[0][::2] == lists[1][::2]).all()  # by the weights that the odd have taught
    assert (lists[0][1::2] != lists[1][1::2]).any()


def test_where_few_can_teach_weights_stay_equal() -> None:
    everything = shop()
    few = select.before(SETTINGS, everything.where(everything.person < 40), split.by_time(everything, 0.1))
    contest, members = CandidateTrials(SETTINGS, few), {"all": Popular(), "last": Popular(window_hours=1)}
    assert len(contest.learners) == 0
    contest.ask(members)
    assert contest.learn(members).weights == (1.0, 1.0)


def test_of_models_with_about_the_same_recall_the_better_order_is_served() -> None:
    contest = CandidateTrials(SETTINGS, select.before(SETTINGS, shop(), split.by_time(shop(), 0.1)))
    order = {"gf_cf": (0.1632, 0.130), "blend": (0.1631, 0.132), "als": (0.15, 0.133)}
    k = contest.judged.k
    figures = {name: {f"recall@{k}": recall, f"ndcg@{k}": ndcg} for name, (recall, ndcg) in order.items()}
    contest.judged = msgspec.structs.replace(contest.judged, metrics=figures)
    assert contest.best(order) == "blend"


def test_a_candidate_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match="names blend_now, which is no recipe; there are als"):
        select.choose(asking("als", "blend_now"), shop())


def test_of_parts_that_disagree_the_model_that_is_nowhere_far_behind_is_the_safest() -> None:
    assert cuts.safest({"a": (0.30, 0.10), "b": (0.28, 0.19), "c": (0.10, 0.20)}) == "b"


class Part:
    """A validation part whose outcome is known: for each name the recall of a hundred people, and no order of lists."""

    def __init__(self, settings: Settings, each: dict[str, Floats]) -> None:
        self.settings, self.progress, self.fitted = settings, quiet, list[str]()
        means = {name: float(recalls.mean()) for name, recalls in each.items()}
        self.judged = SimpleNamespace(each=each, recall=means.__getitem__, worth=means.__getitem__)

    def best(self, names: Iterable[str]) -> str:
        return max(names, key=self.judged.worth)

    def surely(self, name: str, other: str) -> bool:
        return gate.interval(self.judged.each[name] - self.judged.each[other])[0] > 0

    def ask(self, recipes: Iterable[str]) -> None:
        self.fitted += recipes


def recalls(mean: float, spread: float = 0.2, seed: int = 1) -> Floats:
    noise = np.random.default_rng(seed).normal(0, spread, 100)
    values: Floats = (mean + noise - noise.mean()).astype(np.float32)
    return values


def confirmed(
    monkeypatch: pytest.MonkeyPatch, last: dict[str, Floats], earlier: dict[str, Floats], count: int = 2
) -> Any:
    """What is served by two parts, and which candidates were fitted for the earlier one."""
    before = Part(SETTINGS, earlier)
    monkeypatch.setattr(cuts, "CandidateTrials", lambda *_: before)
    part: Any = Part(SETTINGS, last)
    others: Any = [None] * (count - 1)
    served = cuts.confirmed(part, dict.fromkeys(last), others)  # type: ignore[arg-type]
    return served.name, served.doubt, before.fitted


def test_a_choice_that_an_earlier_part_shares_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    last = {"blend": recalls(0.32), "als": recalls(0.30, seed=2), "far": recalls(0.05, 0.02)}
    assert confirmed(monkeypatch, last, last) == (
        "blend",
        "",
        ["blend", "als"],
    )  # what is surely worse is not fitted again


def test_where_parts_disagree_the_safest_is_served_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    last = {"blend": recalls(0.32), "als": recalls(0.31, seed=2)}
    name, doubt, _ = confirmed(monkeypatch, last, {"blend": recalls(0.20), "als": recalls(0.24, seed=2)})
    assert name == "als"
    assert "blend is best on the validation part, and other parts disagree" in doubt


def test_no_blend_is_served_that_a_member_surely_beats_on_any_part(monkeypatch: pytest.MonkeyPatch) -> None:
    last = {"blend": recalls(0.40), "als": recalls(0.38, seed=2), "gf_cf": recalls(0.37, seed=3)}
    earlier = {"blend": recalls(0.30, 0.01), "als": recalls(0.32, 0.01, seed=2), "gf_cf": recalls(0.319, 0.01, seed=3)}
    assert confirmed(monkeypatch, last, earlier)[0] == "als"


def test_a_sure_choice_is_not_asked_twice_nor_is_any_with_one_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    sure = {"als": recalls(0.50, 0.02), "blend": recalls(0.30, 0.02)}
    assert confirmed(monkeypatch, sure, {}) == ("als", "", [])
    level = {"als": recalls(0.31), "blend": recalls(0.30, seed=2)}
    assert confirmed(monkeypatch, level, {}, count=1) == ("als", "", [])


def test_a_training_asks_an_earlier_part_of_the_time() -> None:
    settings = asking("als", "als_trending", "blend")
    evaluation = msgspec.structs.replace(settings.evaluation, cuts=2)
    choice = select.choose(msgspec.structs.replace(settings, evaluation=evaluation), shop())
    assert choice.name in choice.recalls
    assert bool(choice.doubt) == (choice.name != max(choice.validation.metrics, key=choice.validation.worth))


def test_without_times_no_window_and_no_trend_is_tried() -> None:
    everything = shop()
    still = dataclasses.replace(everything, first_at=0 * everything.first_at, last_at=0 * everything.last_at)
    parts = [split.held_out(still, 0.2, seed) for seed in (1, 2)]
    choice = select.by_cuts(asking("als", "als_trending", "blend", "popular_blend"), parts)
    assert set(choice.recalls) == {"als", "blend", "popular_blend"}
    assert choice.name in ("als", "blend")
    assert {len(recalls) for recalls in choice.recalls.values()} <= {1, 2}  # what is surely worse was fitted once


def test_parts_before_the_validation_part_end_where_the_next_begins() -> None:
    everything = shop()
    evaluation = msgspec.structs.replace(SETTINGS.evaluation, cuts=3)
    settings = msgspec.structs.replace(SETTINGS, evaluation=evaluation)
    last = select.before(settings, everything, split.by_time(everything, 0.1))
    parts = [last, *cuts.earlier(CandidateTrials(settings, last))]
    assert len(parts) == 3
    for later, earlier in pairwise(parts):
        assert earlier.cut < later.cut
        assert earlier.test.last_at.max() < later.cut
        assert earlier.train.last_at.max() < earlier.cut


def test_one_name_alone_is_served_however_good_it_is() -> None:
    assert select.choose(asking("als"), news()).name == "als"

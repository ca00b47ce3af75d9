"""What a policy is worth: estimates against a world whose responses are known, and against plain loops."""

from pathlib import Path
from random import Random
from statistics import mean, stdev

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextclick.settings import Settings, load
from serving.next_best_action.actions import NONE, SiteActions
from serving.next_best_action.decisions import Decision
from serving.next_best_action.judge import judge, verdict
from serving.next_best_action.live import NextBestActions
from serving.next_best_action.outcomes import DecisionTrial
from tests.hypothesis_settings import generated
from tests.next_best_world import SEGMENTS, SITE, SURE, SWAYABLE, SWAYED, UNMOVED, VOUCHER, World, learned_shares, lived


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """More is tried than by default, so that a test needs fewer people."""
    whole = load(tmp_path / "lake", environ={})
    return msgspec.structs.replace(whole, actions=msgspec.structs.replace(whole.actions, holdout=0.2, explore=0.4))


def test_estimates_hold_the_truth_and_the_policy_beats_none_and_a_discount_for_all(settings: Settings) -> None:
    """Doing nothing is worth 3.07 a visit, a voucher for all 3.66, a voucher for those whom it moves 4.23."""
    world = World(SWAYABLE)
    trials = lived(world, settings, days=3, people=1500, seed=5)
    outcome = verdict(trials, SITE, settings)
    assert outcome.serves, outcome.reason
    assert outcome.worth
    worth, discount = outcome.worth, outcome.worth.discounts[VOUCHER]
    shares = learned_shares(trials, settings)
    assert shares[SWAYED][VOUCHER] > 0.99
    assert shares[SURE][VOUCHER] == 0, "they buy without it"
    truth = {"policy": world.worth(shares), "none": world.always(NONE), "discount": world.always(VOUCHER)}
    assert truth["none"] == pytest.approx(3.0667, abs=1e-4)
    assert truth["discount"] == pytest.approx(3.66, abs=1e-4)
    for name, estimate in (("policy", worth.policy), ("none", worth.none.value), ("discount", discount.value)):
        assert estimate.low < truth[name] < estimate.high, name
    assert worth.none.gain.low > 0
    assert discount.gain.low > 0
    assert worth.none.gain.low < truth["policy"] - truth["none"] < worth.none.gain.high
    assert discount.gain.low < truth["policy"] - truth["discount"] < discount.gain.high


def test_it_says_none_where_nothing_moves_anybody(settings: Settings) -> None:
    world = World(UNMOVED)
    trials = lived(world, settings, days=2, people=1500, seed=6)
    outcome = verdict(trials, SITE, settings)
    assert not outcome.serves
    assert "none" in outcome.reason
    assert outcome.worth
    assert outcome.worth.discounts[VOUCHER].gain.low > 0, "and surely not a discount for all"
    deciding = NextBestActions(settings, SITE)
    best = deciding.decide("default", "visitor:new", "home", {"conversion_7d": SWAYED}, 10**12)
    assert best.decision.shares[NONE] == pytest.approx(1 - 0.4 * 2 / 3), "the rest is what is tried anyway"
    assert best.reason == outcome.reason


def test_intervals_hold_the_truth_about_as_often_as_they_say(settings: Settings) -> None:
    """25 worlds of 450 visits without any policy: of 95 % intervals, fewer than 20 would be a fault (p = 0.0012)."""
    world, held = World(SWAYABLE), {NONE: 0, VOUCHER: 0}
    for seed in range(25):
        trials = world.visited(NextBestActions(settings, SITE), 450, seed, Random(seed))
        worth = judge(trials, SITE, settings)
        for action, estimate in ((NONE, worth.none.value), (VOUCHER, worth.discounts[VOUCHER].value)):
            held[action] += estimate.low < world.always(action) < estimate.high
    assert min(held.values()) >= 20, held


def test_few_people_and_no_actions_are_said(settings: Settings) -> None:
    trials = World(SWAYABLE).visited(NextBestActions(settings, SITE), 150, 0, Random(0))
    few = verdict(trials, SITE, settings)
    assert (few.serves, few.reason) == (False, "150 people have a period that is over, of actions.min_people 200")
    assert "no action is set up" in verdict(trials, SiteActions(), settings).reason


def decided(person: int, action: str, none: float, outcome: bool, segment: str) -> DecisionTrial:
    shares = {NONE: none, VOUCHER: 1 - none}
    return DecisionTrial(f"p{person}", Decision(action=action, shares=shares, place="*", segment=segment), outcome)


TRIALS = st.lists(
    st.builds(
        decided,
        st.integers(0, 9),
        st.sampled_from([NONE, VOUCHER]),
        st.sampled_from([0.2, 0.5, 0.9]),
        st.booleans(),
        st.sampled_from(sorted(SEGMENTS.values())),
    ),
    min_size=4,
    max_size=40,
).filter(
    lambda rows: len({row.person for row in rows}) > 1 and {row.decision.action for row in rows} == {NONE, VOUCHER}
)


@generated(30)
@given(trials=TRIALS)
def test_estimates_are_those_of_plain_loops(trials: list[DecisionTrial]) -> None:
    worth = judge(trials, SITE, load("nowhere", environ={}))
    none, voucher = terms(trials, NONE), terms(trials, VOUCHER)
    assert worth.none.value.value == pytest.approx(mean(none))
    assert worth.discounts[VOUCHER].value.value == pytest.approx(mean(voucher))
    gain = worth.discounts[VOUCHER].gain.value - worth.none.gain.value
    assert gain == pytest.approx(mean(none) - mean(voucher)), "gains are differences of the same values"
    people = sorted({trial.person for trial in trials})
    if len(people) == len(trials):
        assert worth.none.value.standard_error == pytest.approx(stdev(none) / len(none) ** 0.5)


def terms(trials: list[DecisionTrial], target: str) -> list[float]:
    """Doubly robust terms of doing one thing always, by loops over the rows of the other folds."""
    people = sorted({trial.person for trial in trials})
    folds = [people.index(trial.person) % 5 for trial in trials]

    def reward(trial: DecisionTrial) -> float:
        return float(trial.outcome) * (15.0 if trial.decision.action == VOUCHER else 20.0)

    def expected(segment: str, action: str, fold: int) -> float:
        there = [t for t, f in zip(trials, folds, strict=True) if f != fold and t.decision.segment == segment]
        prior = sum(map(reward, there)) / max(1, len(there))
        own = [reward(trial) for trial in there if trial.decision.action == action]
        return (sum(own) + 20 * prior) / (len(own) + 20)

    result = []
    for trial, fold in zip(trials, folds, strict=True):
        segment, action = trial.decision.segment, trial.decision.action
        weight = (action == target) / trial.decision.shares[action]
        result.append(expected(segment, target, fold) + weight * (reward(trial) - expected(segment, action, fold)))
    return result

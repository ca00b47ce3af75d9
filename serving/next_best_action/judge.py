"""What the policy is worth, against doing nothing and against a discount for all: doubly robust estimates from the trials.

The policy that judges a person is learned from the other folds alone, so it cannot have been fitted to them (cross-fitting:
Chernozhukov et al. 2018). Two policies are compared trial by trial, and trials of one person count as one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from nextclick.settings import Settings
from serving.next_best_action.actions import NONE, SiteActions
from serving.next_best_action.cells import fold
from serving.next_best_action.outcomes import DecisionTrial
from serving.next_best_action.policy import Policy
from serving.off_policy.estimators import FOLDS, Estimate, Floats, Log, doubly_robust_terms, ratio


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """Another policy: money a trial."""

    value: Estimate
    gain: Estimate
    """What the learned policy earns more."""


class PolicyWorth(msgspec.Struct, frozen=True, kw_only=True):
    """What the learned policy is worth: money a trial, a person in a place and period."""

    trials: int
    people: int
    confidence: float
    policy: Estimate
    none: Against
    discounts: dict[str, Against]
    """By discount: as if everybody had it who may."""
    acts: float
    """Share of trials in which the policy does something."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the policy is served beyond what is tried."""

    serves: bool
    reason: str
    worth: PolicyWorth | None = None


class _Judged(NamedTuple):
    """The trials as a log, with the segment and the allowed actions of each of its strata."""

    log: Log
    strata: list[tuple[str, tuple[str, ...]]]
    confidence: float


def verdict(trials: Sequence[DecisionTrial], site: SiteActions, settings: Settings) -> Verdict:
    """The verdict: the interval of the gain over `none` lies above 0, else the reason why none is served."""
    people, least = len({trial.person for trial in trials}), settings.actions.min_people
    if not site.actions:
        return Verdict(serves=False, reason="no action is set up in conf/actions.toml")
    if people < least:
        return Verdict(
            serves=False, reason=f"{people:,} people have a period that is over, of actions.min_people {least:,}"
        )
    worth = judge(trials, site, settings)
    gain = worth.none.gain
    figures = f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) a trial"
    if not worth.acts:
        return Verdict(serves=False, reason="no action is likely to be better than none in any segment", worth=worth)
    if not gain.low > 0:
        return Verdict(serves=False, reason=f"the policy is not surely better than none: {figures}", worth=worth)
    return Verdict(serves=True, reason=f"the policy is surely better than none: {figures}", worth=worth)


def judge(trials: Sequence[DecisionTrial], site: SiteActions, settings: Settings) -> PolicyWorth:
    """Estimates of at least two people's trials."""
    judged = _judged(trials, site, settings.actions.confidence)
    log = judged.log
    nothing = _terms(log, _always(judged, NONE))
    own, acts = np.empty(len(trials)), np.empty(len(trials))
    for number in range(FOLDS):
        rows = log.group % FOLDS == number
        others = [trial for trial, here in zip(trials, rows.tolist(), strict=True) if not here]
        learned = _learned(judged, Policy(site, fold(others), settings))
        own[rows] = _terms(log, learned)[rows]
        acts[rows] = 1 - learned[log.stratum[rows], log.actions.index(NONE)]
    offered = {action.id for action in site.actions if action.kind == "discount"} & {*log.actions}
    return PolicyWorth(
        trials=len(trials),
        people=int(log.group.max()) + 1,
        confidence=judged.confidence,
        policy=_mean(judged, own),
        none=_against(judged, own, nothing),
        discounts={each: _against(judged, own, _terms(log, _always(judged, each))) for each in sorted(offered)},
        acts=round(float(acts.mean()), 6),
    )


def _judged(trials: Sequence[DecisionTrial], site: SiteActions, confidence: float) -> _Judged:
    """Actions that are gone from conf/ are in the log, since they took their share of it, and no target has them."""
    keys = [(trial.decision.segment, tuple(sorted(trial.decision.shares))) for trial in trials]
    strata, people = sorted({*keys}), sorted({trial.person for trial in trials})
    actions = tuple(sorted({NONE, *(action for _, allowed in strata for action in allowed)}))
    of_action, of_stratum, of_person = (
        {name: row for row, name in enumerate(names)} for names in (actions, strata, people)
    )
    log = Log(
        actions=actions,
        strata=tuple(f"{segment} {'|'.join(allowed)}" for segment, allowed in strata),
        action=np.array([of_action[trial.decision.action] for trial in trials]),
        stratum=np.array([of_stratum[key] for key in keys]),
        propensity=np.array([trial.decision.propensity for trial in trials]),
        reward=np.array([site.reward(trial.decision.action, trial.outcome) for trial in trials]),
        group=np.array([of_person[trial.person] for trial in trials]),
    )
    there = {NONE, *site.by_id()}
    return _Judged(
        log, [(segment, tuple(each for each in allowed if each in there)) for segment, allowed in strata], confidence
    )


def _always(judged: _Judged, action: str) -> Floats:
    """strata × actions: the action wherever it is allowed, else none."""
    chosen = [action if action in allowed else NONE for _, allowed in judged.strata]
    return np.array([[float(each == name) for name in judged.log.actions] for each in chosen])


def _learned(judged: _Judged, policy: Policy) -> Floats:
    """strata × actions: what the policy does."""
    shares = [policy.best(segment, allowed) for segment, allowed in judged.strata]
    return np.array([[each.get(name, 0.0) for name in judged.log.actions] for each in shares])


def _terms(log: Log, distribution: Floats) -> Floats:
    return doubly_robust_terms(log, distribution, distribution[log.stratum, log.action] / log.propensity)


def _against(judged: _Judged, own: Floats, other: Floats) -> Against:
    return Against(value=_mean(judged, other), gain=_mean(judged, own - other))


def _mean(judged: _Judged, terms: Floats) -> Estimate:
    group = judged.log.group
    earned, count = np.bincount(group, terms), np.bincount(group)
    return ratio(earned.astype(np.float64), count.astype(np.float64), judged.confidence)

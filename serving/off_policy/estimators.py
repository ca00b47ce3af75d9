"""What another policy would have earned, from the log of one that drew its actions with known probabilities.

    IPS    mean of w·r, with w = target's probability / logged propensity   Horvitz and Thompson 1952
    SNIPS  Σ w·r / Σ w: biased a little, far steadier                        Swaminathan and Joachims 2015
    DR     mean of q(s,π) + w·(r − q(s,a)): unbiased whatever q is          Dudík, Langford and Li 2011

q, the expected reward of an action in a stratum, is the rate of the other folds of the log, smoothed
towards the stratum's, so no row judges itself (cross-fitting: Chernozhukov et al. 2018). Intervals are
normal, from the terms' variance between groups (SNIPS: by the delta method), or by bootstrap over groups.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from nextclick.errors import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FOLDS = 5
PRIOR_TRIALS = 20.0
"""Trials at the stratum's rate that each action starts with in the reward model."""
_MOST_GROUPS = 20_000
_TINY = float(np.finfo(float).tiny)


class Log(NamedTuple):
    """Rows of a log: what was shown in which stratum (such as a position), with what probability, and what it earned."""

    actions: tuple[str, ...]
    strata: tuple[str, ...]
    action: Ints
    """Per row, an index into `actions`."""
    stratum: Ints
    """Per row, an index into `strata`."""
    propensity: Floats
    reward: Floats
    group: Ints
    """Per row, from 0: rows of one group (a request, a visitor) are not independent of each other."""


class Target(NamedTuple):
    """The policy in question: its probability of each row's action, and of every action of each stratum if known."""

    probability: Floats
    distribution: Floats | None
    """strata × actions; None: DR is left out."""


class Estimate(msgspec.Struct, frozen=True):
    """The expected reward of one row, with its interval."""

    value: float
    low: float
    high: float
    standard_error: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of the target, and how far it can."""

    rows: int
    groups: int
    confidence: float
    logged: Estimate
    """What the logged policy earned."""
    ips: Estimate
    snips: Estimate
    dr: Estimate | None
    effective_rows: float
    """(Σ w)² / Σ w²: as many rows of the target's own log would say about as much (Kish 1965)."""
    mean_weight: float
    """About 1 if the propensities are true and the log covers what the target does."""
    largest_weight: float
    unsupported: float | None
    """Share of what the target would show that no row of the stratum holds; None if only the rows' shares are known."""


def evaluate(log: Log, target: Target, confidence: float = 0.95, resamples: int = 0, seed: int = 0) -> Judgement:
    """Judge the target; `resamples` > 0 takes percentile intervals of that many bootstrap samples."""
    weight = target.probability / log.propensity
    sums = {"rows": np.ones(len(weight)), "logged": log.reward, "weight": weight, "earned": weight * log.reward}
    ratios = {"logged": ("logged", "rows"), "ips": ("earned", "rows"), "snips": ("earned", "weight")}
    if target.distribution is not None:
        sums["dr"] = doubly_robust_terms(log, target.distribution, weight)
        ratios["dr"] = ("dr", "rows")
    groups = int(log.group.max()) + 1
    grouped = {name: np.bincount(log.group, values, groups).astype(float) for name, values in sums.items()}
    estimates = {name: ratio(grouped[over], grouped[under], confidence) for name, (over, under) in ratios.items()}
    if resamples:
        bounds = bootstrap(grouped, ratios, confidence, resamples, seed)
        estimates = {
            name: msgspec.structs.replace(one, low=bounds[name][0], high=bounds[name][1])
            for name, one in estimates.items()
        }
    return Judgement(
        rows=len(weight),
        groups=groups,
        confidence=confidence,
        logged=estimates["logged"],
        ips=estimates["ips"],
        snips=estimates["snips"],
        dr=estimates.get("dr"),
        effective_rows=float(weight.sum() ** 2 / max(np.square(weight).sum(), _TINY)),
        mean_weight=float(weight.mean()),
        largest_weight=float(weight.max()),
        unsupported=None if target.distribution is None else _unsupported(log, target.distribution),
    )


def doubly_robust_terms(log: Log, distribution: Floats, weight: Floats) -> Floats:
    """The terms of DR, one a row; their mean is the estimate."""
    fold = log.group % FOLDS
    terms = np.empty(len(weight))
    for number in range(FOLDS):
        judged = fold == number
        expected = reward_model(log, ~judged)
        stratum, action = log.stratum[judged], log.action[judged]
        direct = (distribution * expected).sum(axis=1)[stratum]
        terms[judged] = direct + weight[judged] * (log.reward[judged] - expected[stratum, action])
    return terms


def reward_model(log: Log, rows: NDArray[np.bool_]) -> Floats:
    """strata × actions: the mean reward of those rows, smoothed towards the stratum's by PRIOR_TRIALS."""
    shape = (len(log.strata), len(log.actions))
    cell = (log.stratum * shape[1] + log.action)[rows]
    trials = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    rewards = np.bincount(cell, log.reward[rows], minlength=shape[0] * shape[1]).reshape(shape)
    prior = rewards.sum(axis=1, keepdims=True) / np.maximum(trials.sum(axis=1, keepdims=True), 1)
    return np.asarray((rewards + PRIOR_TRIALS * prior) / (trials + PRIOR_TRIALS))


def frequencies(log: Log) -> Floats:
    """strata × actions: how often a log shows each action in a stratum: its policy, averaged over its time."""
    cell = log.stratum * len(log.actions) + log.action
    counts = np.bincount(cell, minlength=len(log.strata) * len(log.actions)).reshape(len(log.strata), -1)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def by_distribution(log: Log, distribution: Floats) -> Target:
    """The target that acts by a distribution (strata × actions), whatever else the rows say."""
    return Target(distribution[log.stratum, log.action], distribution)


def named(log: Log, action: str) -> Floats:
    """strata × actions of a simple policy: `uniform`, or one action always."""
    if action != "uniform" and action not in log.actions:
        raise UsageError(f"The log holds no action {action!r}. It holds: {_some(log.actions)}; or say `uniform`.")
    share = 1 / len(log.actions)
    chosen = [share if action == "uniform" else float(name == action) for name in log.actions]
    return np.tile(chosen, (len(log.strata), 1))


def ratio(over: Floats, under: Floats, confidence: float) -> Estimate:
    """Σ over / Σ under of groups, with its normal interval; without any weight 0, and an interval of no use."""
    if not under.any() or len(under) < 2:
        return Estimate(float(over.sum() / max(under.sum(), _TINY)), -math.inf, math.inf, math.inf)
    value = over.sum() / under.sum()
    influence = (over - value * under) / under.mean()
    error = float(influence.std(ddof=1) / math.sqrt(len(under)))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return Estimate(float(value), float(value - reach), float(value + reach), error)


def bootstrap(
    grouped: Mapping[str, Floats], ratios: Mapping[str, tuple[str, str]], confidence: float, resamples: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Percentile intervals (Efron 1979) of ratios of sums, from samples of groups; very many groups are joined first."""
    names = list(grouped)
    count = len(grouped[names[0]])
    bins = np.arange(count) % _MOST_GROUPS
    joined = np.stack([np.bincount(bins, grouped[name]) for name in names], axis=1)
    rng, sums, size = np.random.default_rng(seed), np.empty((resamples, len(names))), len(joined)
    for sample in range(resamples):
        sums[sample] = np.bincount(rng.integers(size, size=size), minlength=size) @ joined
    tail = (1 - confidence) / 2
    intervals = {}
    for name, (over, under) in ratios.items():
        drawn = sums[:, names.index(over)] / np.maximum(sums[:, names.index(under)], _TINY)
        low, high = np.quantile(drawn, (tail, 1 - tail))
        intervals[name] = float(low), float(high)
    return intervals


def _unsupported(log: Log, distribution: Floats) -> float:
    seen = np.zeros(distribution.shape, dtype=bool)
    seen[log.stratum, log.action] = True
    rows = np.bincount(log.stratum, minlength=len(log.strata)) / len(log.stratum)
    return float((np.where(seen, 0.0, distribution).sum(axis=1) * rows).sum())


def _some(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")

"""The methods, behind one interface: each gives the probabilities of the arms, and `draw` draws from these.

So the propensity that is logged is the probability with which the arm was drawn: exactly, not
approximately. Thompson sampling shows each arm with the probability that it is the best; that
probability is estimated from a fixed number of draws of the posterior, and the arm is then drawn
from the estimate itself. The posterior is drawn once a state, so an answer costs a look-up.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EMPTY: Floats = np.zeros(0)
_MOST_KEPT: Final = 64


class Arm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of one arm: sums over its trials, so that arms of two sets of trials add up."""

    trials: int = 0
    """Times that it was really shown."""
    rewards: int = 0
    """Trials that were clicked."""
    gram: list[list[float]] = []
    """Sum of x·xᵀ over its trials with a context x; empty where none had one."""
    moment: list[float] = []
    """Sum of x over its rewarded trials with a context x."""


Arms = Mapping[str, Arm]
"""What is known of each arm, by its id; an arm that is not there was never shown."""
UNKNOWN = Arm()


class Bandit(Protocol):
    """A method with what it has learned."""

    def probabilities(self, arms: Sequence[str], context: Floats = EMPTY) -> Floats:
        """The probability of each of `arms` (at least one, all different), in their order; they sum to 1."""
        ...


class DrawnArm(NamedTuple):
    """The arm that was drawn, and the probability that it had."""

    arm: str
    propensity: float


def draw(bandit: Bandit, arms: Sequence[str], rng: np.random.Generator, context: Floats = EMPTY) -> DrawnArm:
    """One arm, drawn by the bandit's probabilities."""
    shares = bandit.probabilities(arms, context).tolist()
    chosen = min(bisect_right([*accumulate(shares)], rng.random()), len(arms) - 1)
    return DrawnArm(arms[chosen], shares[chosen])


def mixed(epsilon: float, best: Floats) -> Floats:
    """With probability `epsilon` any arm, else by `best`: each arm keeps at least ε/k, so a log can judge any policy."""
    shares = epsilon / len(best) + (1 - epsilon) * best
    return np.asarray(shares / shares.sum())


class EpsilonGreedy:
    """The arm with the highest click rate, but any arm in a share `epsilon` of choices (Sutton and Barto 2018, 2.4).

    Rates are (rewards + 1) / (trials + 2): an arm that was never shown counts as one half, so each is tried.
    Ties share the probability evenly.
    """

    def __init__(self, known: Arms, epsilon: float) -> None:
        self._known, self._epsilon = known, epsilon

    def probabilities(self, arms: Sequence[str], context: Floats = EMPTY) -> Floats:
        stats = [self._known.get(arm, UNKNOWN) for arm in arms]
        rates = np.array([(arm.rewards + 1) / (arm.trials + 2) for arm in stats])
        best = rates == rates.max()
        return mixed(self._epsilon, best / best.sum())


class Thompson:
    """Beta–Bernoulli Thompson sampling with a uniform prior (Thompson 1933; Chapelle and Li 2011).

    An arm's share is the share of `draws` joint draws of the posterior in which its rate is the highest.
    """

    def __init__(self, known: Arms, epsilon: float, draws: int, rng: np.random.Generator) -> None:
        self._epsilon, self._draws, self._rng = epsilon, draws, rng
        self._row = {arm: row for row, arm in enumerate(known)}
        rewards = np.array([arm.rewards for arm in known.values()], dtype=float)
        trials = np.array([arm.trials for arm in known.values()], dtype=float)
        self._rates = rng.beta(rewards[:, None] + 1, (trials - rewards)[:, None] + 1, (len(known), draws))
        self._fresh = np.empty((0, draws))
        self._kept: dict[tuple[str, ...], Floats] = {}

    def probabilities(self, arms: Sequence[str], context: Floats = EMPTY) -> Floats:
        """Kept for the arms that are asked about again and again, such as the banners of a surface."""
        key = tuple(arms)
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = self._computed(arms)
        return self._kept[key]

    def _computed(self, arms: Sequence[str]) -> Floats:
        rows = [self._row.get(arm) for arm in arms]
        fresh = iter(self._of_prior(rows.count(None)))
        rates = np.array([next(fresh) if row is None else self._rates[row] for row in rows])
        return mixed(self._epsilon, wins(rates))

    def _of_prior(self, wanted: int) -> Floats:
        """Draws for arms that nothing is known of, all alike: kept, and as many as one choice ever needed."""
        if wanted > len(self._fresh):
            more = self._rng.random((wanted - len(self._fresh), self._draws))
            self._fresh = np.concatenate([self._fresh, more])
        return self._fresh[:wanted]


class LinearThompson:
    """Linear Thompson sampling, a model an arm (Agrawal and Goyal 2013; the arms' models as in Li et al. 2010).

    The click rate of an arm in context x is taken as θ·x, with θ ~ N(A⁻¹b, v²·A⁻¹), A = I + Σ x·xᵀ, b = Σ r·x.
    `context` must be as long as those of the trials; arms whose trials had another length start from the prior.
    """

    def __init__(self, known: Arms, epsilon: float, draws: int, spread: float, rng: np.random.Generator) -> None:
        self._known, self._epsilon, self._draws, self._spread, self._rng = known, epsilon, draws, spread, rng
        self._thetas: dict[tuple[str, int], Floats] = {}
        self._fresh: dict[int, list[Floats]] = {}

    def probabilities(self, arms: Sequence[str], context: Floats = EMPTY) -> Floats:
        size, unknown = len(context), 0
        scores = np.empty((len(arms), self._draws))
        for row, arm in enumerate(arms):
            if len(self._known.get(arm, UNKNOWN).moment) == size:
                theta = self._of_posterior(arm, size)
            else:
                theta, unknown = self._of_prior(unknown, size), unknown + 1
            scores[row] = theta @ context
        return mixed(self._epsilon, wins(scores))

    def _of_posterior(self, arm: str, size: int) -> Floats:
        if (arm, size) not in self._thetas:
            known = self._known[arm]
            precision = np.eye(size) + np.array(known.gram).reshape(size, size)
            mean = np.linalg.solve(precision, np.array(known.moment))
            noise = np.linalg.solve(np.linalg.cholesky(precision).T, self._rng.standard_normal((size, self._draws)))
            self._thetas[arm, size] = mean + self._spread * noise.T
        return self._thetas[arm, size]

    def _of_prior(self, number: int, size: int) -> Floats:
        fresh = self._fresh.setdefault(size, [])
        while len(fresh) <= number:
            fresh.append(self._spread * self._rng.standard_normal((self._draws, size)))
        return fresh[number]


def wins(scores: Floats) -> Floats:
    """Of `scores` (arms × draws) the share of draws in which each arm scores highest; ties are shared evenly."""
    best = scores == scores.max(axis=0)
    return np.asarray((best / best.sum(axis=0)).mean(axis=1))

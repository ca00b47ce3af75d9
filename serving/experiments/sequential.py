"""Statistics that may be looked at after every event without being fooled by looking often.

A confidence sequence holds the truth at all times at once with probability 1 − α, so an experiment may be
stopped whenever one likes. Those here are asymptotic (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024,
"Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52(6), theorem
2.2): a normal mixture boundary (Robbins 1970; Howard et al. 2021) over a running mean and variance.
"""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import chi2

Floats = NDArray[np.float64]


class Interval(msgspec.Struct, frozen=True):
    """A value and what it lies within at every look."""

    value: float
    low: float
    high: float


class Difference(msgspec.Struct, frozen=True):
    """A rate less another's, and the always-valid p-value of their being equal."""

    value: float
    low: float
    high: float
    p: float


def tuning(expected: float, alpha: float) -> float:
    """ρ² of the boundary that is tightest near `expected` units (the paper's approximation, section 2.2)."""
    spent = -2 * math.log(alpha)
    return (spent + math.log(spent + 1)) / expected


def reach(n: Any, variance: Any, alpha: float, rho2: float) -> Any:
    """Half the width at level 1 − α after n units with a mean of that variance of one unit; arrays as well."""
    scaled = n * rho2 + 1
    return np.sqrt(variance * 2 * scaled / (n**2 * rho2) * np.log(np.sqrt(scaled) / alpha))


def p_value(n: Any, difference: Any, variance: Any, rho2: float) -> Any:
    """The smallest α whose interval leaves out 0, at most 1."""
    scaled = n * rho2 + 1
    return np.minimum(1.0, np.sqrt(scaled) * np.exp(-(difference**2) * n**2 * rho2 / (2 * scaled * variance)))


def rate(successes: int, units: int, alpha: float, expected: float) -> Interval:
    """The share of units that succeeded; nothing is known (0 to 1) of none."""
    if not units:
        return Interval(0.0, 0.0, 1.0)
    value = successes / units
    half = float(reach(units, smoothed_variance(successes, units), alpha, tuning(expected, alpha)))
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def difference(control: tuple[int, int], treated: tuple[int, int], alpha: float, expected: float) -> Difference | None:
    """Of (successes, units) of two variants the treated rate less the control's; None while one of them has no units.

    With n units in both, the difference of means has the variance of a mean of n pseudo-outcomes
    (the paper's section 3): n·(v₀/n₀ + v₁/n₁) of one unit.
    """
    if not control[1] or not treated[1]:
        return None
    value, n, variance = spread(control, treated)
    rho2 = tuning(expected, alpha)
    half = float(reach(n, variance, alpha, rho2))
    p = float(p_value(n, value, variance, rho2))
    return Difference(float(value), max(-1.0, float(value) - half), min(1.0, float(value) + half), p)


def spread(control: tuple[Any, Any], treated: tuple[Any, Any]) -> tuple[Any, Any, Any]:
    """The difference of rates, the units of both, and the variance of one unit; of arrays of looks as well.

    The larger of two variances: of each variant's own rate, and of the rate of both together. A small variant
    without successes would else look certain, and rare successes would break the promised level.
    """
    n = control[1] + treated[1]
    apart = smoothed_variance(*control) / control[1] + smoothed_variance(*treated) / treated[1]
    together = smoothed_variance(control[0] + treated[0], n) * (1 / control[1] + 1 / treated[1])
    return treated[0] / treated[1] - control[0] / control[1], n, n * np.maximum(apart, together)


def smoothed_variance(successes: Any, units: Any) -> Any:
    """p·(1 − p) with one success and one failure added: at first, all alike must not look like certainty."""
    share = (successes + 1) / (units + 2)
    return share * (1 - share)


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> tuple[float, float]:
    """The p-values of units being in variants as planned: of the χ² test, good for one look, and one that is always valid.

    The latter is 1 / the Bayes factor of a flat Dirichlet prior over the shares (Lindon and Malek 2022,
    "Anytime-valid inference for multinomial count data").
    """
    seen, planned = np.array(counts, dtype=float), np.array(shares, dtype=float)
    n = seen.sum()
    if not n:
        return 1.0, 1.0
    statistic = float(((seen - n * planned) ** 2 / (n * planned)).sum())
    flat = gammaln(len(seen)) - gammaln(n + len(seen)) + gammaln(seen + 1).sum()
    factor = float(flat - (seen * np.log(planned)).sum())
    return float(chi2.sf(statistic, len(seen) - 1)), math.exp(min(0.0, -factor))

"""Looking at every batch does not fool: false alarms stay below 5 %, differences are found."""

import math

import numpy as np
import pytest
from scipy.stats import chisquare

from serving.experiments import sequential
from serving.experiments.sequential import difference, p_value, rate, reach, sample_ratio, spread, tuning

ALPHA = 0.05


def alarms(rates: tuple[float, float], tests: int, looks: int, batch: int, treated: float = 0.5) -> tuple[float, float]:
    """The share of simulated tests that any look calls different, and units until half of them are called."""
    rng = np.random.default_rng(11)
    units = rng.binomial(batch, treated, (tests, looks))
    ours = rng.binomial(units, rates[1]).cumsum(axis=1), units.cumsum(axis=1)
    theirs = rng.binomial(batch - units, rates[0]).cumsum(axis=1), (batch - units).cumsum(axis=1)
    both = (ours[1] > 0) & (theirs[1] > 0)
    gap, n, variance = spread((theirs[0], np.maximum(theirs[1], 1)), (ours[0], np.maximum(ours[1], 1)))
    called = both & (np.abs(gap) > reach(n, variance, ALPHA, tuning(10_000, ALPHA)))
    first = np.where(called.any(axis=1), called.argmax(axis=1) + 1, looks + 1)
    return float(called.any(axis=1).mean()), float(np.median(first) * batch)


@pytest.mark.parametrize(("rate", "treated"), [(0.01, 0.5), (0.05, 0.5), (0.05, 0.1), (0.5, 0.5)])
def test_at_most_one_in_twenty_of_2000_tests_of_equal_variants_ever_alarms(rate: float, treated: float) -> None:
    """200 looks each, one after every batch of 100 units."""
    assert alarms((rate, rate), tests=2000, looks=200, batch=100, treated=treated)[0] <= ALPHA


@pytest.mark.stress
@pytest.mark.parametrize("treated", [0.5, 0.1])
@pytest.mark.parametrize("rate", [0.002, 0.01, 0.05, 0.2, 0.5, 0.95])
@pytest.mark.parametrize(("looks", "batch"), [(1000, 10), (200, 100), (200, 1000)])
def test_no_rate_share_or_batch_alarms_more_often(rate: float, treated: float, looks: int, batch: int) -> None:
    assert alarms((rate, rate), tests=2000, looks=looks, batch=batch, treated=treated)[0] <= ALPHA


def test_a_fixed_test_that_is_looked_at_as_often_alarms_far_more() -> None:
    """The control of the simulation: with the width of a test for one look the alarms are there to be found."""
    rng = np.random.default_rng(11)
    successes = rng.binomial(50, 0.05, (2, 500, 200)).cumsum(axis=2)
    units = np.full((500, 200), 50).cumsum(axis=1)
    gap, n, variance = spread((successes[0], units), (successes[1], units))
    assert (np.abs(gap) > 1.96 * np.sqrt(variance / n)).any(axis=1).mean() > 0.25


def test_a_true_difference_is_found_in_most_tests() -> None:
    """5 % against 6 %: a single-look test of 80 % power takes 16,300 units."""
    power, units = alarms((0.05, 0.06), tests=500, looks=500, batch=100)
    assert power > 0.95
    assert units < 25_000


def test_the_interval_is_the_published_one() -> None:
    """By hand: n = 100, σ² = ¼, ρ² = 0.1, α = 0.05."""
    expected = 0.5 * math.sqrt(2 * 11 / (100**2 * 0.1) * math.log(math.sqrt(11) / 0.05))
    assert reach(100, 0.25, 0.05, 0.1) == pytest.approx(expected)


def test_the_interval_is_tightest_near_the_expected_units() -> None:
    at = 10_000
    widths = {
        planned: reach(at, 0.25, ALPHA, tuning(planned, ALPHA)) for planned in (1000, 5000, 10_000, 20_000, 90_000)
    }
    assert min(widths, key=lambda planned: float(widths[planned])) == 10_000


def test_p_is_the_level_at_which_the_interval_touches_zero() -> None:
    half = reach(500, 0.2, 0.01, 0.05)
    assert p_value(500, half, 0.2, 0.05) == pytest.approx(0.01)
    assert p_value(500, 0.0, 0.2, 0.05) == 1


def test_little_data_says_little() -> None:
    assert difference((0, 0), (3, 10), ALPHA, 1000) is None
    first = difference((0, 1), (1, 1), ALPHA, 1000)
    assert first is not None
    assert first.low == -1.0
    assert first.p > 0.9
    assert rate(0, 0, ALPHA, 1000) == sequential.Interval(0.0, 0.0, 1.0)
    assert rate(0, 2, ALPHA, 1000).high > 0.9


def test_sample_ratio_is_the_chi_square_test_and_one_that_is_always_valid() -> None:
    once, always = sample_ratio([5200, 4800], [0.5, 0.5])
    assert once == pytest.approx(chisquare([5200, 4800]).pvalue)
    assert once < 0.001 < always, "looking often has its price"
    assert sample_ratio([5600, 4400], [0.5, 0.5])[1] < 1e-6
    assert sample_ratio([0, 0], [0.5, 0.5]) == (1.0, 1.0)


def test_the_sample_ratio_of_sound_experiments_rarely_alarms_at_any_look() -> None:
    rng = np.random.default_rng(2)
    ever = 0
    for _ in range(100):
        counts = rng.multinomial(50, [0.7, 0.3], 40).cumsum(axis=0)
        ever += any(sample_ratio(look.tolist(), [0.7, 0.3])[1] < ALPHA for look in counts)
    assert ever <= 5

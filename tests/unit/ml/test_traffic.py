"""Traffic against what was expected of it: levels and seasons, holes and bursts, by a plain oracle and on series that a reader counts."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.anomalies import traffic
from ml.anomalies.traffic import Episode, counts, episodes, judge, shares
from tests.hypothesis_settings import generated

PERIOD = 24
DAYS = 10


def shop(rng: np.random.Generator, days: int = DAYS, level: float = 400.0) -> np.ndarray:
    """Hours of a shop that is busy at noon and quiet at night."""
    hour = np.arange(days * PERIOD) % PERIOD
    return rng.poisson(level * (1.2 - np.cos(2 * np.pi * hour / PERIOD))).astype(float)


def plain(values: list[float], period: int, threshold: float) -> list[float]:
    """The z of counts, by the words of the module's docstring."""
    level = [math.log1p(value) for value in values]
    learned, z, since = [*level], [0.0] * len(level), None
    away: dict[int, float] = {}
    for step in range(period + 4, len(level)):
        weeks = step - 21 * period - 4 >= 0
        candidates = []
        for lag in (7, 14, 21) if weeks else (1, 2, 3):
            then = step - lag * period
            if then - 4 >= 0:
                weighted = zip((8, 4, 2, 1), (1, 2, 3, 4), strict=True)
                shift = sum(weight * (learned[step - n] - learned[then - n]) for weight, n in weighted) / 15
                candidates.append(learned[then] + shift)
        base = statistics.median(candidates)
        known = [abs(away[n]) for n in range(step - 3 * period, step) if n in away]
        sigma = max(1.4826 * statistics.median(known), 0.05) if len(known) > 48 else 0.3
        z[step] = (level[step] - base) / math.sqrt(sigma**2 + 1 / max(math.exp(base) - 1, 1))
        if abs(z[step]) <= threshold:
            since = None
        elif since is None:
            since = step
        if since is not None and step - since < 2 * period:
            learned[step] = base
        else:
            away[step] = level[step] - base
    return [0.0 if step < 2 * period else value for step, value in enumerate(z)]


@generated(25)
@given(st.integers(0, 2**32 - 1), st.integers(3, 26), st.floats(0.5, 300))
def test_it_is_what_its_words_say(seed: int, days: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    values = shop(rng, days, level)
    at = int(rng.integers(len(values)))
    values[at : at + int(rng.integers(1, 80))] *= rng.choice([0.0, 0.2, 5.0])
    assert judge(counts(values), PERIOD, 6.0).z.tolist() == pytest.approx(plain(values.tolist(), PERIOD, 6.0), abs=1e-9)


@generated(25)
@given(st.integers(0, 2**32 - 1), st.integers(60, 200))
def test_what_comes_later_changes_no_judgement(seed: int, cut: int) -> None:
    values = shop(np.random.default_rng(seed))
    whole, part = (judge(counts(each), PERIOD, 6.0).z for each in (values, values[:cut]))
    assert whole[:cut].tolist() == part.tolist()


def test_ordinary_days_alarm_nobody() -> None:
    for seed in range(10):
        assert episodes(judge(counts(shop(np.random.default_rng(seed))), PERIOD, 6.0).z, 6.0) == []


@pytest.mark.parametrize(("factor", "sign"), [(0.0, -1), (0.2, -1), (3.0, 1)])
def test_a_hole_or_burst_is_seen_in_its_first_step_and_in_each(factor: float, sign: int) -> None:
    values = shop(np.random.default_rng(1))
    values[150:156] *= factor
    [one] = episodes(judge(counts(values), PERIOD, 6.0).z, 6.0)
    assert (one.first, one.end, one.lasts) == (150, 156, False)
    assert one.z * sign > 6


def test_a_hole_teaches_nothing_and_a_new_level_is_believed_after_two_days() -> None:
    values = shop(np.random.default_rng(2), days=12)
    values[150:] = np.round(values[150:] / 10)
    [one] = episodes(judge(counts(values), PERIOD, 6.0).z, 6.0)
    assert one.first == 150
    assert 48 <= one.end - one.first <= 54, "two days, and the hours in which the level of the last four is a mixture"
    assert not one.lasts


def test_what_goes_on_at_the_end_lasts() -> None:
    values = shop(np.random.default_rng(3))
    values[-2:] = 0
    assert [one.lasts for one in episodes(judge(counts(values), PERIOD, 6.0).z, 6.0)] == [True]


def test_few_counts_are_no_news_since_chance_explains_them() -> None:
    values = shop(np.random.default_rng(4), level=2.0)
    values[150:160] = 0
    assert episodes(judge(counts(values), PERIOD, 6.0).z, 6.0) == []


def test_amounts_of_a_hundred_are_as_uncertain_as_so_many_orders() -> None:
    orders = shop(np.random.default_rng(5), level=20.0)
    assert judge(counts(100 * orders, unit=100.0), PERIOD, 6.0).z == pytest.approx(judge(counts(orders), PERIOD, 6.0).z)


def test_a_share_that_leaps_alarms_and_an_hour_without_anybody_is_unknown() -> None:
    rng = np.random.default_rng(6)
    whole = shop(rng)
    part = rng.binomial(whole.astype(int), 0.1).astype(float)
    part[150] = np.round(0.6 * whole[150])
    part[170] = whole[170] = 0
    judged = judge(shares(part, whole), PERIOD, 6.0)
    assert episodes(judged.z, 6.0) == [Episode(150, 151, judged.z[150], False)]
    assert judged.z[170] == 0
    assert traffic.share(judged.expected[150]) == pytest.approx(0.1, abs=0.03)


def test_alarms_of_one_direction_with_fewer_than_four_quiet_steps_between_are_one_episode() -> None:
    z = np.zeros(30)
    z[[3, 4, 8, 20, 21]] = [7, 9, 8, -7, 10]
    assert episodes(z, 6.0) == [
        Episode(3, 9, 9.0, False),
        Episode(20, 21, -7.0, False),
        Episode(21, 22, 10.0, False),
    ]

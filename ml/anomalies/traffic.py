"""Traffic against what was expected of it: levels and seasons, robustly, and causally: a step is judged by what came before it.

    expected  =  the same step of earlier periods  +  how the last steps stood to those of that time
    z         =  (level − expected) / √(σ² + sampling variance)

σ is 1.4826 × the median distance of earlier steps from what was expected of them (the MAD), at least FLOOR. What alarms is taken for
what was expected, so that a hole or a burst teaches nothing, until it has lasted for BELIEVED periods: then it is the new level.
"""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

VERSION: Final = "traffic 1"
DAY_LAGS: Final = (1, 2, 3)
WEEK_LAGS: Final = (7, 14, 21)
"""Periods back, where all of them are known: weekdays differ."""
FLOOR: Final = 0.05
BELIEVED: Final = 2
_WEIGHTS: Final = (8, 4, 2, 1)
"""How much the last steps, the newest first, say of how the level stands now."""
_LAST: Final = len(_WEIGHTS)
"""So many steps without an alarm end an episode, too."""
_REMEMBERED: Final = 3
"""Periods whose distances make σ."""
_FEW, _UNSURE = 48, 0.3
"""With fewer distances than that σ is not known yet, and taken for this."""


class Levels(NamedTuple):
    """A series on the scale on which it is judged; NaN: nothing is known of the step."""

    values: Floats
    noise: Callable[[int, float], float]
    """The sampling variance of a step, by its number and the level that is expected of it."""


class Judged(NamedTuple):
    """Of each step; 0 and NaN where too little was known to judge."""

    z: Floats
    expected: Floats
    """On the scale of the levels."""


class Episode(NamedTuple):
    """Alarms that belong together: steps from `first` up to, not including, `end`."""

    first: int
    end: int
    z: float
    """The largest, with its sign."""
    lasts: bool
    """It may go on: the newest steps belong to it."""


def counts(values: Floats, unit: float = 1.0) -> Levels:
    """Counts, or sums of amounts whose mean size, weighted by size, is `unit`: log(1 + n), with the variance of a Poisson."""
    return Levels(np.log1p(values / unit), lambda _, expected: 1.0 / max(math.expm1(min(expected, 700.0)), 1.0))


def shares(part: Floats, whole: Floats) -> Levels:
    """Shares as log-odds, with the variance of a binomial; of a step without a whole nothing is known."""
    odds = np.where(whole > 0, np.log((part + 0.5) / (whole - part + 0.5)), np.nan)

    def noise(step: int, expected: float) -> float:
        likely = share(expected)
        return 1.0 / max(float(whole[step]) * likely * (1 - likely), 1.0)

    return Levels(odds, noise)


def share(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(min(log_odds, 700.0), -700.0)))


def judge(levels: Levels, period: int, threshold: float) -> Judged:
    """Each step by those before it; `period`: steps a day, `threshold`: the |z| beyond which a step alarms."""
    seen, learned = levels.values.tolist(), levels.values.tolist()
    z, expected = np.zeros(len(seen)), np.full(len(seen), np.nan)
    run, away = 0, _Distances(_REMEMBERED * period)
    for step in range(period + _LAST, len(seen)):
        expected[step] = base = _expected(learned, step, period)
        if math.isnan(seen[step]) or math.isnan(base):
            learned[step] = base
            away.add(None)
            continue
        distance = seen[step] - base
        z[step] = distance / math.sqrt(away.sigma() ** 2 + levels.noise(step, base))
        run = run + 1 if abs(z[step]) > threshold else 0
        is_believed = not 0 < run <= BELIEVED * period
        away.add(abs(distance) if is_believed else None)
        if not is_believed:
            learned[step] = base
    z[: BELIEVED * period] = 0.0  # of two days nothing is sure yet
    return Judged(z, expected)


class _Distances:
    """How far the last so many steps were from what was expected of them, kept by size: a median a step of them all would be most of a
    look.
    """

    def __init__(self, steps: int) -> None:
        self._steps, self._recent, self._ordered = steps, deque[float | None](), list[float]()

    def add(self, distance: float | None) -> None:
        """Of the next step; None: it says nothing."""
        self._recent.append(distance)
        if distance is not None:
            insort(self._ordered, distance)
        if len(self._recent) > self._steps and (gone := self._recent.popleft()) is not None:
            del self._ordered[bisect_left(self._ordered, gone)]

    def sigma(self) -> float:
        return max(1.4826 * _middle(self._ordered), FLOOR) if len(self._ordered) > _FEW else _UNSURE


def _expected(levels: Sequence[float], step: int, period: int) -> float:
    """The median over earlier periods: their level at this step, and by how much the last steps differ from theirs.

    Of the last steps a median, or a mean of longer, follows a level too late: hours of a third are seen less often (docs/anomalies.md).
    """
    lags = WEEK_LAGS if step - max(WEEK_LAGS) * period - _LAST >= 0 else DAY_LAGS
    starts = [step - lag * period for lag in lags if step - lag * period - _LAST >= 0]
    return _median([levels[then] + _shift(levels, step, then) for then in starts])


def _shift(levels: Sequence[float], now: int, then: int) -> float:
    total, known = 0.0, 0
    for n, weight in enumerate(_WEIGHTS, 1):
        step = levels[now - n] - levels[then - n]
        if not math.isnan(step):
            total, known = total + weight * step, known + weight
    return total / known if known else math.nan


def _median(values: Sequence[float]) -> float:
    """Of those that are known; NaN of none."""
    ordered = sorted(value for value in values if not math.isnan(value))
    return _middle(ordered) if ordered else math.nan


def _middle(ordered: Sequence[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def episodes(z: Floats, threshold: float) -> list[Episode]:
    """Alarms of one direction with fewer than four quiet steps between them."""
    result: list[Episode] = []
    for step in np.flatnonzero(np.abs(z) > threshold).tolist():
        before, value = result[-1] if result else None, float(z[step])
        if before and step - before.end < _LAST and value * before.z > 0:
            largest = max(before.z, value, key=abs)
            result[-1] = before._replace(end=step + 1, z=largest)
        else:
            result.append(Episode(step, step + 1, value, False))
    return [one._replace(lasts=len(z) - one.end < _LAST) for one in result]

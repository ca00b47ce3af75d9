"""Who gets the credit of a conversion: rules that share it among the touches of its path, to the last unit.

A touch is a visit by a channel, oldest first. `internal` ones (links of the site itself) are no touches, unless all are.

    first            the first touch
    last             the last one
    last_non_direct  the last one that is not direct; the last one, where all are
    linear           all alike
    position         40 % the first, 40 % the last, 20 % those between, alike; two share alike
    decay            half as much for each half-life that a touch lies before the last one
    markov           each channel of the path by its removal effect, its touches alike
    shapley          each channel of the path alike, its touches alike

The first six look at one path alone; the last two need many paths, and are refused where these are too few. Credits add up over
touches, channels and days; over rules never.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.integer[Any]]
PathCounts = Mapping[tuple[str, ...], int]
"""Channels of a path, the oldest first → how many paths there are."""

RULES: Final = ("first", "last", "last_non_direct", "linear", "position", "decay")
FITTED: Final = ("markov", "shapley")
DIRECT: Final = "direct"
INTERNAL: Final = "internal"
FITTED_DAYS: Final = 90
"""Days to which the last two rules are fitted: those that end with a site's newest day with conversions of the goal."""
LEAST_CONVERSIONS: Final = 300
LEAST_CHANNELS: Final = 2
_WHOLE: Final = 1 << 24
"""Weight of decay's last touch, and of a removal effect of 1: weights are whole numbers, so that shares of money are exact."""


class Paths(NamedTuple):
    """Paths of conversions, one behind the other."""

    size: Numbers
    """Touches of each path: at least one."""
    channel: Numbers
    """Of each touch: its place in `channels`."""
    days: NDArray[np.floating[Any]]
    """Of each touch: days before its conversion."""
    channels: tuple[str, ...]


def weights(rule: str, paths: Paths, half_life_days: float, effects: Mapping[str, float] | None = None) -> Numbers:
    """Of each touch: its share of the conversion, beside the others of its path. `effects`: those of Walks, for markov."""
    internal = paths.channel == _place(paths, INTERNAL)
    none_else = np.logical_and.reduceat(internal, _starts(paths.size))
    counts = ~internal | np.repeat(none_else, paths.size)
    size = np.add.reduceat(counts, _starts(paths.size), dtype=np.int64)
    touches = paths._replace(size=size, channel=paths.channel[counts], days=paths.days[counts])
    result = np.zeros(len(counts), np.int64)
    if rule in FITTED:
        result[counts] = _by_channel(touches, effects if rule == "markov" else None)
    else:
        result[counts] = _by_place(rule, touches, half_life_days)
    return result


def _starts(size: Numbers) -> Numbers:
    return np.cumsum(size) - size


def _place(paths: Paths, channel: str) -> int:
    return paths.channels.index(channel) if channel in paths.channels else -1


def _by_place(rule: str, touches: Paths, half_life_days: float) -> Numbers:
    starts, n = _starts(touches.size), np.repeat(touches.size, touches.size)
    place = np.arange(len(n)) - np.repeat(starts, touches.size)
    match rule:
        case "first":
            return np.where(place == 0, 1, 0)
        case "last":
            return np.where(place == n - 1, 1, 0)
        case "last_non_direct":
            named = np.where(touches.channel == _place(touches, DIRECT), -1, place)
            last = np.repeat(np.maximum.reduceat(named, starts), touches.size)
            return np.where(place == np.where(last < 0, n - 1, last), 1, 0)
        case "linear":
            return np.ones(len(n), np.int64)
        case "position":
            return np.where((place == 0) | (place == n - 1), np.maximum(2 * (n - 2), 1), 1)
        case "decay":
            before = touches.days - np.repeat(touches.days[starts + touches.size - 1], touches.size)
            halved: Numbers = np.rint(_WHOLE * np.exp2(-before / half_life_days)).astype(np.int64)
            return halved
    raise ValueError(rule)


def _by_channel(touches: Paths, effects: Mapping[str, float] | None) -> Numbers:
    """A channel's weight over its touches, times what all their numbers divide."""
    path = np.repeat(np.arange(len(touches.size)), touches.size)
    _, pair, number = np.unique(path * len(touches.channels) + touches.channel, return_inverse=True, return_counts=True)
    common = np.repeat(np.lcm.reduceat(number[pair], _starts(touches.size)), touches.size)
    of_channel = [1 if effects is None else round(_WHOLE * effects.get(name, 0.0)) for name in touches.channels]
    weight: Numbers = np.array(of_channel, np.int64)[touches.channel] * common // number[pair]
    return weight


def split(units: Numbers, weight: Numbers, size: Numbers) -> Numbers:
    """Whole units of each path, such as 0.0001 of money, over its touches by weight: they add up to `units`, negative ones too.

    Each touch has its share rounded down (towards 0), and units that are left go to the largest remainders; of equals to the later
    touch. A path without any weight is shared alike.
    """
    starts, path = _starts(size), np.repeat(np.arange(len(size)), size)
    weight = np.where(np.add.reduceat(weight, starts)[path] == 0, 1, weight)
    total = np.add.reduceat(weight, starts)
    if int(np.abs(units).max(initial=0)) * int(weight.max(initial=0)) >= 1 << 63:
        units, weight, total = (numbers.astype(object) for numbers in (units, weight, total))
    whole = np.abs(units)[path] * weight
    share = whole // total[path]
    remainder = (whole - share * total[path]).astype(np.int64)
    left = np.abs(units) - np.add.reduceat(share, starts)
    ranked = np.lexsort((-np.arange(len(path)), -remainder, path))
    share[ranked] += (np.arange(len(path)) - starts[path] < left[path]).astype(share.dtype)
    return np.where(units[path] < 0, -share, share)


class Walks:
    """Paths as walks of a Markov chain of order 1: counts of their steps, from their start through channels to a conversion, or to none."""

    def __init__(self, channels: Sequence[str]) -> None:
        self.channels = tuple(channels)
        start = len(self.channels)
        self.move = np.zeros((start + 1, start))
        """[from, to]: steps from a channel, or from the start, to a channel."""
        self.ends = {converted: np.zeros(start + 1) for converted in (True, False)}
        """Walks by the channel that they end with."""
        self.converting: set[int] = set()
        """Channels, by their places, of walks that convert."""

    def add(self, path: Numbers, channel: Numbers, converted: bool) -> None:
        """Walks: of each touch its path, by a number, and its place in `channels`; the touches of a path stand together, in order."""
        if not len(path):
            return
        start = len(self.channels)
        first = np.r_[True, path[1:] != path[:-1]]
        before = np.where(first, start, np.r_[start, channel[:-1]])
        steps = np.bincount(before.astype(np.int64) * start + channel, minlength=self.move.size)
        self.move += steps.reshape(self.move.shape)
        self.converting |= {*np.unique(channel).tolist()} if converted else set()
        self.ends[converted] += np.bincount(channel[np.r_[first[1:], True]], minlength=start + 1)

    @property
    def refusal(self) -> str | None:
        """Why the fitted rules say nothing of them; None where they do."""
        conversions = int(self.ends[True].sum())
        channels = len(self.converting)
        if conversions < LEAST_CONVERSIONS:
            return f"{conversions} conversions: fewer than {LEAST_CONVERSIONS}"
        return f"{channels} channel: fewer than {LEAST_CHANNELS}" if channels < LEAST_CHANNELS else None

    def removal_effects(self) -> dict[str, float]:
        """What share of the conversions each channel's removal would cost, made to sum to 1 (Anderl and others, 2016).

        Who comes to a channel that is removed does not convert.
        """
        lost = self._lost()
        return dict(zip(self.channels, (lost / lost.sum()).tolist(), strict=True))

    def _lost(self) -> NDArray[np.float64]:
        whole = self._rate()
        return np.array([max(0.0, 1 - self._rate(at) / whole) for at in range(len(self.channels))])

    def _rate(self, without: int | None = None) -> float:
        """Share of walks that convert: what the start's is, where each place's share is that of the places that it leads to."""
        start = len(self.channels)
        kept = np.ones(start + 1)
        if without is not None:
            kept[without] = 0
        visits = np.maximum(self.move.sum(axis=1) + self.ends[True] + self.ends[False], 1)
        walk = np.eye(start + 1)
        walk[:, :start] -= self.move / visits[:, None] * kept[:start]
        return float(np.linalg.solve(walk, self.ends[True] / visits * kept)[start])


def shapley_values(converted: PathCounts) -> dict[str, Fraction]:
    """Conversions of each channel: its mean part in what it adds to all coalitions, over all orders in which channels join.

    The worth of a coalition is the conversions whose channels all belong to it; so each conversion is shared alike by its channels.
    """
    values: dict[str, Fraction] = defaultdict(Fraction)
    for path, count in converted.items():
        for channel in set(path):
            values[channel] += Fraction(count, len(set(path)))
    return dict(values)

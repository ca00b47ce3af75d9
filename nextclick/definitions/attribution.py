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
from collections.abc import Mapping
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
    """Of each touch: its share of the conversion, beside the others of its path. `effects`: `removal_effects`, for markov."""
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


def refusal(converted: PathCounts) -> str | None:
    """Why markov and shapley say nothing of these paths; None where they do.

    >>> refusal({("email", "direct"): 299, ("social",): 0})
    '299 conversions: fewer than 300'
    """
    conversions = sum(converted.values())
    channels = {channel for path, count in converted.items() if count for channel in path}
    if conversions < LEAST_CONVERSIONS:
        return f"{conversions} conversions: fewer than {LEAST_CONVERSIONS}"
    return f"{len(channels)} channel: fewer than {LEAST_CHANNELS}" if len(channels) < LEAST_CHANNELS else None


def removal_effects(converted: PathCounts, others: PathCounts) -> dict[str, float]:
    """What share of the conversions each channel's removal would cost, made to sum to 1 (Anderl and others, 2016: order 1).

    Paths are walks of a Markov chain from their start through their channels to a conversion, or, the `others`, to none; who comes to
    a channel that is removed does not convert.
    """
    channels = sorted({channel for path in (*converted, *others) for channel in path})
    place, start = {channel: at for at, channel in enumerate(channels)}, len(channels)
    move, convert, end = np.zeros((start + 1, start)), np.zeros(start + 1), np.zeros(start + 1)
    for paths, ended in ((converted, convert), (others, end)):
        for path, count in paths.items():
            states = [start, *(place[channel] for channel in path)]
            np.add.at(move, (states[:-1], states[1:]), count)
            ended[states[-1]] += count
    visits = move.sum(axis=1) + convert + end
    move, convert = move / np.maximum(visits, 1)[:, None], convert / np.maximum(visits, 1)

    def rate(without: int | None = None) -> float:
        """Share of walks that convert."""
        kept = np.ones(start + 1)
        if without is not None:
            kept[without] = 0
        walk = np.eye(start + 1)
        walk[:, :start] -= move * kept[:start]
        return float(np.linalg.solve(walk, convert * kept)[start])

    whole = rate()
    costs = np.array([max(0.0, 1 - rate(at) / whole) for at in range(start)])
    return dict(zip(channels, (costs / costs.sum()).tolist(), strict=True))


def shapley_values(converted: PathCounts) -> dict[str, Fraction]:
    """Conversions of each channel: its mean part in what it adds to all coalitions, over all orders in which channels join.

    The worth of a coalition is the conversions whose channels all belong to it; so each conversion is shared alike by its channels.
    """
    values: dict[str, Fraction] = defaultdict(Fraction)
    for path, count in converted.items():
        for channel in set(path):
            values[channel] += Fraction(count, len(set(path)))
    return dict(values)

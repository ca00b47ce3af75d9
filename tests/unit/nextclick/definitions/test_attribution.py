"""Rules of attribution: paths that a reader checks by eye, sums to the last unit, and fitted rules against their plain definitions."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from random import Random

import numpy as np
import pytest

from nextclick.definitions.attribution import (
    FITTED,
    RULES,
    Paths,
    Walks,
    shapley_values,
    split,
    weights,
)
from nextclick.settings import CHECKOUT

Path = Sequence[tuple[str, float]]
"""Channel, and days before the conversion, of each touch."""


def as_paths(*paths: Path) -> Paths:
    channels = tuple(sorted({channel for path in paths for channel, _ in path}))
    touches = [touch for path in paths for touch in path]
    return Paths(
        np.array([len(path) for path in paths]),
        np.array([channels.index(channel) for channel, _ in touches]),
        np.array([days for _, days in touches]),
        channels,
    )


def shares(rule: str, path: Path, effects: dict[str, float] | None = None) -> list[float]:
    weight = weights(rule, as_paths(path), 7.0, effects)
    return [round(float(share), 4) for share in weight / weight.sum()]


def test_the_page_tells_of_each_rule() -> None:
    page = (CHECKOUT / "docs" / "attribution.md").read_text(encoding="utf-8")
    named = [word for row in re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)]
    assert named == [*RULES, *FITTED]


FOUR: Path = [("email", 21), ("social", 14), ("referral", 7), ("direct", 0)]
INSIDE: Path = [("internal", 9), ("email", 8), ("internal", 7), ("social", 0)]


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ("first", FOUR, [1, 0, 0, 0]),
        ("last", FOUR, [0, 0, 0, 1]),
        ("last_non_direct", FOUR, [0, 0, 1, 0]),
        ("last_non_direct", [("direct", 1), ("direct", 0)], [0, 1]),
        ("last_non_direct", [("email", 2), ("direct", 1), ("direct", 0)], [1, 0, 0]),
        ("linear", FOUR, [0.25, 0.25, 0.25, 0.25]),
        ("position", FOUR, [0.4, 0.1, 0.1, 0.4]),
        ("position", FOUR[:3], [0.4, 0.2, 0.4]),
        ("position", FOUR[:2], [0.5, 0.5]),
        ("position", FOUR[:1], [1]),
        ("decay", FOUR, [round(weight / 15, 4) for weight in (1, 2, 4, 8)]),
        ("decay", [("email", 5000), ("direct", 0)], [0, 1]),
        ("first", INSIDE, [0, 1, 0, 0]),
        ("linear", INSIDE, [0, 0.5, 0, 0.5]),
        ("last_non_direct", [("internal", 1), ("direct", 0)], [0, 1]),
        ("linear", [("internal", 1), ("internal", 0)], [0.5, 0.5]),
        ("shapley", [("email", 2), ("social", 1), ("email", 0)], [0.25, 0.5, 0.25]),
    ],
)
def test_a_path_that_a_reader_checks_by_eye(rule: str, path: Path, expected: list[float]) -> None:
    assert shares(rule, path) == expected


def test_markov_shares_by_removal_effects() -> None:
    path = [("email", 3.0), ("social", 2.0), ("email", 1.0), ("direct", 0.0)]
    assert shares("markov", path, {"email": 0.6, "social": 0.2, "direct": 0.2}) == [0.3, 0.2, 0.3, 0.2]
    assert shares("markov", path, {"email": 1.0, "social": 0.0}) == [0.5, 0, 0.5, 0]


@pytest.mark.parametrize(
    ("units", "weight", "expected"),
    [
        (10, [1, 1, 1], [3, 3, 4]),
        (-10, [1, 1, 1], [-3, -3, -4]),
        (11, [1, 1, 1], [3, 4, 4]),
        (0, [1, 2], [0, 0]),
        (1, [3, 1], [1, 0]),
        (5, [0, 0], [2, 3]),
        (10**33 + 1, [1, 1, 1, 1], [10**33 // 4, 10**33 // 4, 10**33 // 4, 10**33 // 4 + 1]),
    ],
)
def test_what_is_left_goes_to_the_largest_remainder(units: int, weight: list[int], expected: list[int]) -> None:
    assert split(np.array([units]), np.array(weight), np.array([len(weight)])).tolist() == expected


@pytest.mark.parametrize("rule", [*RULES, *FITTED])
def test_each_rules_parts_add_up_to_the_whole(rule: str) -> None:
    """300 paths of up to 50 touches, refunds larger than purchases among them."""
    draw = Random(1)
    names = ("direct", "email", "internal", "organic_search", "social")
    paths = [
        [
            (draw.choice(names), days)
            for days in sorted((draw.uniform(0, 30) for _ in range(draw.choice([1, 2, 3, 9, 50]))), reverse=True)
        ]
        for _ in range(300)
    ]
    units = [draw.choice([0, 1, -1, 7, draw.randrange(-(10**9), 10**9)]) for _ in paths]
    joined = as_paths(*paths)
    weight = weights(rule, joined, 7.0, dict(zip(names, (0.1, 0.5, 0.0, 0.3, 0.1), strict=True)))
    parts = split(np.array(units), weight, joined.size)
    starts = np.cumsum(joined.size) - joined.size
    assert np.add.reduceat(parts, starts).tolist() == units
    alone = [part for path, one in zip(paths, units, strict=True) for part in _alone(rule, path, one, names)]
    assert parts.tolist() == alone, "a path's parts depend on the path alone"
    for path, start in zip(paths, starts, strict=True):
        inside = [part for (channel, _), part in zip(path, parts[start:], strict=False) if channel == "internal"]
        assert not any(inside) or {channel for channel, _ in path} == {"internal"}


def _alone(rule: str, path: Path, units: int, names: Sequence[str]) -> list[int]:
    joined = as_paths(path)
    weight = weights(rule, joined, 7.0, dict(zip(names, (0.1, 0.5, 0.0, 0.3, 0.1), strict=True)))
    return [int(part) for part in split(np.array([units]), weight, joined.size)]


def walks(converted: Mapping[tuple[str, ...], int], others: Mapping[tuple[str, ...], int]) -> Walks:
    channels = sorted({channel for path in (*converted, *others) for channel in path})
    result = Walks(channels)
    for counts, ended in ((converted, True), (others, False)):
        each = [path for path, count in counts.items() for _ in range(count)]
        touches = [(number, channels.index(channel)) for number, path in enumerate(each) for channel in path]
        path, channel = np.array(touches, np.int64).reshape(-1, 2).T
        result.add(path, channel, ended)
    return result


def removal_effects(
    converted: Mapping[tuple[str, ...], int], others: Mapping[tuple[str, ...], int]
) -> dict[str, float]:
    return walks(converted, others).removal_effects()


def random_counts(seed: int, channels: str) -> tuple[Counter[tuple[str, ...]], Counter[tuple[str, ...]]]:
    draw = Random(seed)
    converted, others = (
        Counter(tuple(draw.choices(channels, k=draw.randrange(1, 6))) for _ in range(200)) for _ in range(2)
    )
    return converted, others


@pytest.mark.parametrize("seed", range(4))
def test_shapley_values_are_those_of_all_orders(seed: int) -> None:
    channels = "abcdef"[: 3 + seed]
    converted, _ = random_counts(seed, channels)
    plain: dict[str, Fraction] = defaultdict(Fraction)
    for order in permutations(channels):
        for joined, channel in enumerate(order):
            before, after = (
                sum(count for path, count in converted.items() if {*path} <= {*order[:size]})
                for size in (joined, joined + 1)
            )
            plain[channel] += Fraction(after - before, math.factorial(len(channels)))
    assert shapley_values(converted) == plain
    assert sum(plain.values()) == converted.total()


@pytest.mark.parametrize("seed", range(3))
def test_removal_effects_are_those_of_walks(seed: int) -> None:
    """The chance of a conversion as the limit of walking on, step by step, with all who walk at once."""
    converted, others = random_counts(seed, "abcd")
    steps: dict[str, Counter[str]] = defaultdict(Counter)
    for paths, end in ((converted, "yes"), (others, "no")):
        for path, count in paths.items():
            for before, after in zip(("start", *path), (*path, end), strict=True):
                steps[before][after] += count

    def chance(without: str = "") -> float:
        walkers, arrived = {"start": 1.0}, 0.0
        for _ in range(300):
            ahead: dict[str, float] = defaultdict(float)
            for state, share in walkers.items():
                for after, count in steps[state].items():
                    ahead[after] += share * count / steps[state].total()
            arrived += ahead.pop("yes", 0.0)
            walkers = {state: share for state, share in ahead.items() if state not in ("no", without)}
        return arrived

    costs = {channel: 1 - chance(channel) / chance() for channel in "abcd"}
    expected = {channel: cost / sum(costs.values()) for channel, cost in costs.items()}
    assert removal_effects(converted, others) == pytest.approx(expected, abs=1e-9)


def test_a_channel_that_leads_nowhere_gets_nothing_and_twins_get_the_same() -> None:
    converted = {("a",): 40, ("b",): 40, ("a", "c"): 30, ("b", "c"): 30}
    others = {("dummy",): 50, ("a", "dummy"): 20, ("b", "dummy"): 20}
    effects = removal_effects(converted, others)
    assert effects["dummy"] == 0
    assert effects["a"] == pytest.approx(effects["b"])
    assert sum(effects.values()) == pytest.approx(1)
    values = shapley_values(converted)
    assert values["a"] == values["b"]
    assert "dummy" not in values


@pytest.mark.parametrize(
    ("converted", "reason"),
    [
        ({("email",): 299}, "299 conversions: fewer than 300"),
        ({("email",): 300, ("email", "email"): 1}, "1 channel: fewer than 2"),
        ({}, "0 conversions: fewer than 300"),
        ({("email",): 299, ("direct",): 1}, None),
    ],
)
def test_too_few_paths_are_refused_with_the_reason(converted: dict[tuple[str, ...], int], reason: str | None) -> None:
    assert walks(converted, {("social",): 9}).refusal == reason

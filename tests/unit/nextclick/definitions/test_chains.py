"""A funnel's chains against all ways to pick events, one by one, in every order that events of one time can have."""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations, groupby, permutations, product

import numpy as np
import pytest

from nextclick.definitions.chains import NONE, chains

Row = tuple[int, int, int, int]
"""unit, time, steps that it can be (bits), value"""
NO_CHAIN = (0, NONE, ())


def orders(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """All orders of a unit's rows in which time does not go back."""
    ties = [list(tie) for _, tie in groupby(sorted(rows, key=lambda row: row[1]), key=lambda row: row[1])]
    for parts in product(*(permutations(tie) for tie in ties)):
        yield [row for part in parts for row in part]


def brute(rows: Sequence[Row], n: int, within: int, strict: bool) -> tuple[int, int, tuple[int, ...]]:
    """Deepest step, value of its chain's first step, and the chain's times where it is complete."""
    best: dict[tuple[int, ...], tuple[int, int, tuple[int, ...]]] = {}
    for order in orders(rows):
        for depth in range(1, min(n, len(rows)) + 1):
            picks = (
                combinations(range(len(order)), depth)
                if not strict
                else ((*range(at, at + depth),) for at in range(len(order) - depth + 1))
            )
            for pick in picks:
                chain = [order[at] for at in pick]
                times = tuple(row[1] for row in chain)
                if all(row[2] >> step & 1 for step, row in enumerate(chain)) and times[-1] - times[0] <= within:
                    value = min(row[3] for row in rows if row[1] == times[0] and row[2] & 1)
                    best[-depth, times[-1], -times[0], *times[1:]] = (depth, value, times if depth == n else ())
    return best[min(best)] if best else NO_CHAIN


def ours(rows: Sequence[Row], n: int, within: int, strict: bool) -> list[tuple[int, int, tuple[int, ...]]]:
    unit, time, steps, value = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    result = chains(unit, time, steps, value, n, within, strict)
    times = iter(result.times.tolist())
    return [
        (depth, value, tuple(next(times)) if depth == n else ())
        for depth, value in zip(result.depth.tolist(), result.value.tolist(), strict=True)
    ]


VIEW, CART, BUY = 1, 2, 4
CASES = {
    "in order": ([(0, 1, VIEW), (0, 2, CART), (0, 3, BUY)], 3),
    "not in order": ([(0, 1, CART), (0, 2, VIEW)], 1),
    "ties count as in order": ([(0, 1, BUY), (0, 1, CART), (0, 1, VIEW)], 3),
    "a later start, where the first entry is too old": ([(0, 0, VIEW), (0, 95, VIEW), (0, 104, CART), (0, 105, BUY)], 3),
    "exactly within": ([(0, 0, VIEW), (0, 5, CART), (0, 10, BUY)], 3),
    "one too late": ([(0, 0, VIEW), (0, 5, CART), (0, 11, BUY)], 2),
    "whole within the start, not from step to step": ([(0, 0, VIEW), (0, 8, CART), (0, 16, BUY)], 2),
    "one event is one step": ([(0, 1, VIEW | CART)], 1),
    "the same condition twice needs two events": ([(0, 1, VIEW | CART), (0, 1, VIEW | CART)], 2),
    "one of two at one time is the first step, so the other is the third": (
        [(0, 1, VIEW | BUY), (0, 1, CART)], 2),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "depth"), CASES.values(), ids=CASES)
def test_a_case_that_a_reader_checks_by_eye(rows: list[tuple[int, int, int]], depth: int) -> None:
    assert ours([(*row, 0) for row in rows], 3, 10, strict=False)[0][0] == depth


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_random_rows_reach_what_a_search_through_all_chains_reaches(seed: int, strict: bool) -> None:
    """60 units in each of the 20 cases: ties, rows that can be several steps, or none, and gaps on both sides of the limit."""
    draw = random.Random(seed)
    n, within, span = draw.choice([2, 3, 4]), draw.choice([2, 3, 5]), draw.choice([4, 9])
    masks = [1 << step for step in range(n)] * 3 + [0] * strict * 2 + [draw.randrange(1, 1 << n) for _ in range(3)]
    rows = [
        (unit, time, draw.choice(masks), draw.randrange(3))
        for unit in range(60)
        for time in draw.choices(range(span), k=draw.randrange(1, 7))
    ]
    by_unit = [[row for row in rows if row[0] == unit] for unit in range(60)]
    draw.shuffle(rows)
    reached = [brute(one, n, within, strict) for one in by_unit]
    assert ours(rows, n, within, strict) == reached
    far = [(unit, time << 55, steps, value) for unit, time, steps, value in rows]  # a row does not fit into one number
    assert ours(far, n, within << 55, strict) == [
        (*one, tuple(time << 55 for time in times)) for *one, times in reached
    ]


def test_without_rows_there_are_no_units() -> None:
    nothing = np.array([], np.int64)
    assert chains(nothing, nothing, nothing, nothing, 3, 10).depth.size == 0

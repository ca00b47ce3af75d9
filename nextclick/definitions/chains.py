"""The chains of a funnel: which steps each unit reached, over all ways to pick its events.

The latest start of a chain that took k steps is a running maximum over the unit's events, so one pass a step answers for all
chains; a search from the first entry alone would miss later ones. Events of one time count in any order, so they are taken
together, as an instant; one event serves one step of a chain.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.integer[Any]]
NONE: Final = -1


class Chains(NamedTuple):
    """One chain a unit: of those that reach its deepest step the first to do so, and of these the one that starts last."""

    depth: Numbers
    """Of each unit: how many steps it reached."""
    value: Numbers
    """Of each unit: the least value of the rows that can be its chain's first step; NONE where it reached none."""
    times: Numbers
    """Of each unit that reached all steps, in order: the times of its chain's steps, each as early as it can be."""


def chains(
    unit: Numbers, time: Numbers, steps: Numbers, value: Numbers, n: int, within: int, strict: bool = False
) -> Chains:
    """The chains of rows in any order. `unit` and `value`: from 0; `steps`: bit k is set where the row can be step k, from 0, of `n`.

    A chain is whole within `within`, in the unit of `time`, of its start, both ends included. Strict: no row of the unit between.
    """
    units = int(unit.max(initial=NONE)) + 1
    depth, value_of, ends = np.zeros(units, np.int64), np.full(units, NONE), np.zeros(units, np.int64)
    if not units:
        return Chains(depth, value_of, np.empty((0, n), np.int64))
    instants = _instants(unit, time, steps, value, n)
    ended, going = _reached(instants, n, within, strict)
    for step, chain in enumerate(ended, start=1):
        at = np.flatnonzero(chain.start != NONE)
        at = at[_changes(instants.unit[at])]
        of = instants.unit[at]
        depth[of], ends[of], value_of[of] = step, at, instants.value[chain.start[at]]
    return Chains(depth, value_of, _times(instants, ended[-1], going, ends[depth == n]))


class _Instants(NamedTuple):
    """Rows of one unit and time as one, in the order of units and times."""

    unit: Numbers
    time: Numbers
    size: Numbers
    value: Numbers
    furthest: NDArray[np.int8]
    """[k, instant]: steps that a chain can have taken after the instant which had taken k before it."""


def _instants(unit: Numbers, time: Numbers, steps: Numbers, value: Numbers, n: int) -> _Instants:
    unit, time, steps, value, is_head = _in_order(unit, time, steps, value, n)
    heads = np.flatnonzero(is_head)
    size = np.diff(heads, append=len(unit))
    first_step = np.where(steps & 1, value, np.iinfo(value.dtype).max)
    alone = np.array([_furthest((mask,), n) for mask in range(1 << n)], np.int8).T
    furthest = alone[:, steps[heads]]
    _tie(furthest, steps, size, n)
    return _Instants(unit[heads], time[heads], size, np.minimum.reduceat(first_step, heads), furthest)


def _in_order(
    unit: Numbers, time: Numbers, steps: Numbers, value: Numbers, n: int
) -> tuple[Numbers, Numbers, Numbers, Numbers, NDArray[np.bool_]]:
    """The rows by unit and time, and where one of these changes. Rows that fit into one number each are sorted as such."""
    start = time.min()
    places = n, int(value.max()).bit_length(), int(time.max() - start).bit_length()
    if sum(places) + int(unit.max()).bit_length() < 64:
        packed = unit.astype(np.int64)
        for column, bits in ((time - start, places[2]), (value, places[1]), (steps, places[0])):
            packed <<= bits
            packed |= column.astype(np.int64, copy=False)
        packed.sort()
        is_head = _changes(packed >> places[0] + places[1])
        unpacked = []
        for bits in places:
            unpacked.append(packed & (1 << bits) - 1)
            packed >>= bits
        steps, value, time = unpacked
        return packed, time + start, steps, value, is_head
    order = np.argsort(time)
    order = order[
        np.sort(unit[order].astype(np.int64) << 32 | np.arange(len(order))) & 0xFFFFFFFF
    ]  # quicker than lexsort
    unit, time, steps, value = unit[order], time[order], steps[order], value[order]
    return unit, time, steps, value, _changes(unit) | _changes(time)


def _changes(sorted_numbers: Numbers) -> NDArray[np.bool_]:
    """Where a number differs from the one before it; the first one does."""
    changes = np.ones(len(sorted_numbers), bool)
    np.not_equal(sorted_numbers[1:], sorted_numbers[:-1], out=changes[1:])
    return changes


def _tie(furthest: NDArray[np.int8], steps: Numbers, size: Numbers, n: int) -> None:
    """Set `furthest` of instants of several rows, once for all that hold the same steps."""
    tied = np.flatnonzero(size > 1)
    rows = steps[np.repeat(size > 1, size)]
    instant = np.repeat(np.arange(len(tied)), size[tied])
    masks = np.unique(rows)
    kind = np.zeros(len(tied), np.int64)
    held = [np.minimum(np.bincount(instant[rows == mask], minlength=len(tied)), n) for mask in masks]
    for count in held:
        kind = np.unique(kind * (n + 1) + count, return_inverse=True)[1]
    examples = np.unique(kind, return_index=True)[1]
    after = [_furthest(tuple(np.repeat(masks, [count[at] for count in held]).tolist()), n) for at in examples]
    furthest[:, tied] = np.array(after, np.int8).reshape(-1, n)[kind].T


@lru_cache(maxsize=4096)
def _furthest(masks: Sequence[int], n: int) -> list[int]:
    """By steps taken before: how many can be taken after rows of these masks, each row being one step at most."""
    return [_taken(masks, before, n) for before in range(n)]


def _taken(masks: Sequence[int], before: int, n: int) -> int:
    """Augmenting paths: a row that serves one step makes room for the next where another row can serve the first."""
    serves: dict[int, int] = {}

    def place(step: int, tried: set[int]) -> bool:
        for row, mask in enumerate(masks):
            if mask >> step & 1 and row not in tried:
                tried.add(row)
                if row not in serves or place(serves[row], tried):
                    serves[row] = step
                    return True
        return False

    return next((step for step in range(before, n) if not place(step, set())), n)


class _Reached(NamedTuple):
    """Of each instant: the chain that starts last of those which take a step there."""

    start: Numbers
    """Instant of its first step; NONE where no chain takes the step."""
    before: NDArray[np.int8]
    """Steps that it had taken before the instant."""
    came: Numbers
    """The instant at which it had taken them."""


def _reached(instants: _Instants, n: int, within: int, strict: bool) -> tuple[list[_Reached], list[_Reached]]:
    """By step: chains that end with it, and chains that can go on. They differ where rows left over at an instant break a strict one."""
    here = np.arange(len(instants.unit), dtype=np.int32)
    first = np.maximum.accumulate(np.where(_changes(instants.unit), here, 0))
    ended: list[_Reached] = []
    going: list[_Reached] = []
    carried: list[tuple[Numbers, Numbers]] = []
    for step in range(1, n + 1):
        ended.append(_taking(step, instants, here, carried, within))
        going.append(_taking(step, instants, here, carried, within, whole=True) if strict else ended[-1])
        start = going[-1].start
        carried.append((_before(start, first), here - 1) if strict else _latest(start, here, first))
    return ended, going


def _taking(
    step: int,
    instants: _Instants,
    here: Numbers,
    carried: Sequence[tuple[Numbers, Numbers]],
    within: int,
    whole: bool = False,
) -> _Reached:
    """Chains that take `step`. `whole`: they take all rows of the instant, but for rows ahead of their first step."""
    start = np.where(instants.furthest[0] >= step, here, np.int32(NONE))
    chain = _Reached(start, np.zeros(len(here), np.int8), here.copy())
    tied = np.flatnonzero(instants.size > 1)
    for before in range(step - 1, 0, -1):
        at = here if before == step - 1 else tied
        at = at[instants.furthest[before, at] >= step]
        if whole:
            at = at[instants.size[at] == step - before]
        started, came = carried[before - 1]
        at = at[started[at] > start[at]]
        at = at[instants.time[at] - instants.time[started[at]] <= within]
        start[at], chain.before[at], chain.came[at] = started[at], before, came[at]
    return chain


def _latest(start: Numbers, here: Numbers, first: Numbers) -> tuple[Numbers, Numbers]:
    """Before each instant, the latest start of its unit's chains so far, and where that was reached first."""
    latest = np.maximum.accumulate(start)
    return _before(latest, first), _before(np.maximum.accumulate(np.where(_changes(latest), here, 0)), first)


def _before(numbers: Numbers, first: Numbers) -> Numbers:
    """What the instant before has, where it is the same unit's."""
    shifted = np.r_[np.int32(NONE), numbers[:-1]]
    return np.where(shifted >= first, shifted, np.int32(NONE))


def _times(instants: _Instants, ended: _Reached, going: Sequence[_Reached], ends: Numbers) -> Numbers:
    """[unit, step]: from the ends of complete chains back to their starts."""
    at, before, came = ends, ended.before[ends], ended.came[ends]
    times = np.empty((len(ends), len(going)), np.int64)
    for step in range(len(going) - 1, -1, -1):
        times[:, step] = instants.time[at]
        moved = before == step
        at = np.where(moved, came, at)
        before = np.where(moved, going[step - 1].before[at], before)
        came = np.where(moved, going[step - 1].came[at], came)
    return times

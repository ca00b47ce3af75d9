"""What single parts of a session model say of what comes next, one session at a time, with numpy alone.

`ml` fits and judges whole batches (ml/models/session/) and packs what it has learned into these forms (ml/lists/session_model.py);
here answers ask one session. Every part gives items, each once, with its score; `recent` are the distinct items of the session, the
latest last, and `size` is how many items there are.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Numbers = NDArray[np.int64]
Values = NDArray[np.float32]
LONGEST: Final = 9
"""Distinct items of a session that returns tell apart."""


class Scores(NamedTuple):
    """Items, each once, and what speaks for them."""

    items: Numbers
    values: Values


class Links(msgspec.Struct, frozen=True, kw_only=True, tag="links"):
    """Items that lead to others: each of the last items counts half as much with each `half_life_places` steps back."""

    weight: float
    last_items: int
    half_life_places: float

    def check(self, arrays: Arrays, size: int) -> None:
        """ValueError where the arrays are no such part of `size` items."""
        _matrix(arrays, "links", size, size)

    def scores(self, arrays: Arrays, recent: Numbers, size: int) -> Scores:
        recent = recent[-self.last_items :]
        entry, of = spread(arrays["links.indptr"], recent)
        counts = halved(np.arange(len(recent))[::-1], self.half_life_places)
        return added(arrays["links.indices"][entry], arrays["links.data"][entry] * counts[of], size)


class Neighbours(msgspec.Struct, frozen=True, kw_only=True, tag="neighbours"):
    """The sessions most like this one vote: STAN, as ml/models/session/stan.py says it."""

    weight: float
    last_items: int
    half_life_places: float
    neighbours: int
    near_places: float
    before: float

    def check(self, arrays: Arrays, size: int) -> None:
        sessions = len(arrays["sizes"])
        _matrix(arrays, "sessions", sessions, size)
        _matrix(arrays, "postings", size, sessions)
        _column(arrays, "sizes", (sessions,))
        _column(arrays, "rarity", (size,))

    def scores(self, arrays: Arrays, recent: Numbers, size: int) -> Scores:
        session, likeness, place = self._nearest(arrays, recent[-self.last_items :])
        entry, of = spread(arrays["sessions.indptr"], session)
        items, steps = arrays["sessions.indices"][entry], arrays["sessions.data"][entry] - place[of]
        votes = likeness[of] * halved(np.abs(steps), self.near_places) * arrays["rarity"][items]
        votes *= np.where(steps < 0, np.float32(self.before), steps > 0)
        return added(items, votes, size)

    def _nearest(self, arrays: Arrays, recent: Numbers) -> tuple[Numbers, Values, Values]:
        """Session, likeness and place of the latest shared item of each neighbour."""
        entry, of = spread(arrays["postings.indptr"], recent)
        session, sizes = arrays["postings.indices"][entry].astype(np.int64), arrays["sizes"]
        counts = halved(np.arange(len(recent))[::-1], self.half_life_places)
        place = np.empty(len(sizes), np.float32)
        place[session] = arrays["postings.data"][entry]  # what is written last is of the latest shared item
        session, likeness = added(session, counts[of] * sizes[session], len(sizes))
        if len(session) > self.neighbours:
            nearest = np.argpartition(-likeness, self.neighbours)[: self.neighbours]
            session, likeness = session[nearest], likeness[nearest]
        return session, likeness, place[session]


class Returns(msgspec.Struct, frozen=True, kw_only=True, tag="returns"):
    """How often people return to the item so many distinct items back: a chance, which is nobody's share."""

    weight: float

    def check(self, arrays: Arrays, size: int) -> None:
        _column(arrays, "rates", (LONGEST, LONGEST))
        _column(arrays, "item_rates", (size,))

    def scores(self, arrays: Arrays, recent: Numbers, size: int) -> Scores:
        recent = recent[-LONGEST:]
        rates = arrays["rates"][len(recent) - 1, : len(recent)][::-1]
        return Scores(recent, rates * arrays["item_rates"][recent])


class PopularNow(msgspec.Struct, frozen=True, kw_only=True, tag="popular"):
    """What everybody uses, whatever the session holds."""

    weight: float

    def check(self, arrays: Arrays, size: int) -> None:
        _column(arrays, "counts", arrays["items"].shape)
        _numbers(arrays, "items", size)

    def scores(self, arrays: Arrays, recent: Numbers, size: int) -> Scores:
        return Scores(arrays["items"].astype(np.int64), arrays["counts"])


Part = Links | Neighbours | Returns | PopularNow


def spread(indptr: NDArray[Any], rows: Numbers) -> tuple[Numbers, Numbers]:
    """The entries of each of `rows` of a sparse matrix, one row after the other, and the place in `rows` of each."""
    start, count = indptr[rows], indptr[rows + 1] - indptr[rows]
    of = np.repeat(np.arange(len(rows)), count)
    return np.arange(len(of)) + np.repeat(start - np.cumsum(count) + count, count), of


def added(items: NDArray[Any], values: NDArray[Any], size: int) -> Scores:
    """The sum of the values of each item, which are below `size`; no work is done that grows with `size`."""
    at, row = np.arange(len(items)), np.empty(size, np.int64)
    row[items] = at
    owner = row[items]
    last = owner == at
    sums = np.bincount(owner, values, len(items))
    return Scores(items[last].astype(np.int64), sums[last].astype(np.float32))


def halved(steps: NDArray[Any], half_life: float) -> Values:
    """2^(−steps / half-life)."""
    return np.exp2(-np.minimum(steps / half_life, 100.0)).astype(np.float32)


def _matrix(arrays: Arrays, name: str, rows: int, size: int) -> None:
    """A sparse matrix by rows: where each row begins, and the columns and values of its entries."""
    indptr = arrays[f"{name}.indptr"]
    filled = len(arrays[f"{name}.indices"])
    if (
        indptr.dtype != np.int64
        or indptr.shape != (rows + 1,)
        or indptr[0] != 0
        or indptr[-1] != filled
        or (np.diff(indptr) < 0).any()
    ):
        raise ValueError(f"{name} is no matrix of {rows} rows")
    _numbers(arrays, f"{name}.indices", size)
    _column(arrays, f"{name}.data", (filled,))


def _numbers(arrays: Arrays, name: str, below: int) -> None:
    column = arrays[name]
    if column.dtype != np.int32 or column.ndim != 1 or (len(column) and not 0 <= column.min() <= column.max() < below):
        raise ValueError(f"{name} names what there is not")


def _column(arrays: Arrays, name: str, shape: tuple[int, ...]) -> None:
    column = arrays[name]
    if column.dtype != np.float32 or column.shape != shape or not np.isfinite(column).all():
        raise ValueError(f"{name} does not fit, or holds NaN or infinity")

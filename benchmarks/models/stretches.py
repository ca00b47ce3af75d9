"""A validation part that is as far from its training part as a published test is.

The tests of Gowalla and its like are the last fifth of each person's time, though their
files tell no times: who goes to new places meets them in a stretch. A random fifth is
easier, and prefers other parameters (docs/quality.md has the figures). So a stretch of
each person's items is held out:

- Ids are numbers in the order in which the file first named an item, so the items that
  a person is the first to name stand in the order of this person's time. Where there
  are enough of them, every item takes the place of the one of these that it is most
  like, and the last are held out.
- Elsewhere those are held out that are most like one item of the person, drawn by the
  seed: what lies together in time is alike, but which end of it is the last is unknown.

Likeness is the cosine of the items' people. Only the train file is looked at.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml.data.interactions import Interactions, Rows
from ml.data.split import Split, parted
from ml.models.topk.diagonal import power, sums

FEWEST_NAMING = 20
"""People who are the first to name an item; fewer prove no order."""
_ORDERED = 0.9
"""Share of them whose first items are numbered after all before, from which on that is no chance."""
FEWEST_FIRST = 5
"""A person who is the first to name fewer items than this has no order."""

Numbers = NDArray[np.int64]


class Stretches(NamedTuple):
    """The validation part, and whose order was known."""

    split: Split
    ordered: Rows


def held_out_stretches(pairs: Interactions, share: float, seed: int) -> Stretches:
    """A stretch of `share` of each person's pairs is to be predicted; a person with one pair keeps it."""
    rng, alike = np.random.default_rng(seed), likeness(pairs)
    order = np.lexsort((_number(pairs.items.ids)[pairs.item], _number(pairs.people.ids)[pairs.person]))
    is_first = np.zeros(len(pairs), np.bool_)
    is_first[order[np.unique(pairs.item[order], return_index=True)[1]]] = True
    held: list[Numbers] = []
    ordered: list[int] = []
    for mine in np.split(order, np.flatnonzero(np.diff(pairs.person[order])) + 1):
        items, first = pairs.item[mine], pairs.item[mine[is_first[mine]]]
        count = min(max(round(share * len(mine)), 1), len(mine) - 1)
        if len(first) >= FEWEST_FIRST:
            ordered.append(int(pairs.person[mine[0]]))
            late = _places(alike, items, first, rng)
        else:
            late = alike[rng.choice(items), items].toarray().ravel() + rng.random(len(items)) * 1e-6
        held.append(mine[np.argsort(late)[len(mine) - count :]])
    return Stretches(parted(pairs, np.concatenate(held)), np.array(ordered, np.int32))


def is_ordered(pairs: Interactions) -> bool:
    """Whether ids are numbered in the order in which the file, person after person, first names an item.

    So they are where the items that a person is the first to name have higher numbers than all that were named before.
    """
    person, item = _number(pairs.people.ids)[pairs.person], _number(pairs.items.ids)[pairs.item]
    order = np.lexsort((item, person))
    first = np.sort(np.unique(item[order], return_index=True)[1])
    person, item = person[order][first], item[order][first]
    opens = np.flatnonzero(np.diff(person, prepend=-1))
    lowest, highest = np.minimum.reduceat(item, opens), np.maximum.accumulate(np.maximum.reduceat(item, opens))
    return len(opens) >= FEWEST_NAMING and float((lowest[1:] > highest[:-1]).mean()) >= _ORDERED


def likeness(pairs: Interactions) -> csr_matrix:
    """Items × items: the cosine of who used them."""
    used = pairs.seen
    columns = (used @ power(sums(used, 0), -0.5)).tocsr()
    return (columns.T @ columns).tocsr()


def _places(alike: csr_matrix, items: Rows, first: Rows, rng: np.random.Generator) -> NDArray[np.float64]:
    """Where in the order of `first` each item belongs; within one place by chance."""
    near = alike[items][:, first].toarray()
    near[items[:, None] == first] = 2  # itself, even where another was used by the same people
    return np.asarray(near.argmax(axis=1)) + rng.random(len(items)) / 2


def _number(ids: pa.StringArray) -> Numbers:
    """Ids as numbers; where they are none, their places."""
    try:
        return np.asarray(ids.cast(pa.int64()))
    except pa.ArrowInvalid:
        return np.arange(len(ids))

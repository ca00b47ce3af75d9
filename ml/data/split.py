"""Training part and test part: what is predicted, and what it is predicted from.

By time is how a recommender is used; the other splits are those of published tables,
and of data without times.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml.data.interactions import Interactions, Rows


@dataclass(frozen=True)
class Split:
    """Two parts of the pairs of the same people and items."""

    train: Interactions
    test: Interactions
    seen: csr_matrix
    """People × items that lists leave out."""
    cut: int = 0
    """The moment between the parts, in microseconds; 0 where there is not one for all."""

    def people(self, at_most: int, seed: int) -> Rows:
        """Those who can be judged: with pairs in both parts; a sample drawn by the seed if they are many."""
        both = np.intersect1d(self.train.person, self.test.person)
        if len(both) > at_most:
            both = np.sort(np.random.default_rng(seed).choice(both, at_most, replace=False))
        return both.astype(np.int32)


def from_parts(train: Interactions, test: Interactions) -> Split:
    """Parts that others made."""
    return Split(train, test, train.seen)


def by_time(pairs: Interactions, test_share: float) -> Split:
    """Cut where the last `test_share` of the pairs, by their last event, begins.

    A pair counts by its last event, with all its events in it. One that began before
    the cut and went on after it can therefore be neither learned from (its strength
    knows the future) nor predicted (it is no news); it only counts as seen.
    """
    place = min(int(len(pairs) * (1 - test_share)), len(pairs) - 1)
    cut = int(np.partition(pairs.last_at, place)[place])
    before = pairs.where(pairs.first_at < cut)
    return Split(pairs.where(pairs.last_at < cut), pairs.where(pairs.first_at >= cut), before.seen, cut)


def before(pairs: Interactions, cut: int, test_share: float) -> Split:
    """For choosing before the judgement at `cut`: a cut of its own, at which the last `test_share` of what began until then begins.

    What happened from `cut` on is not used, not even that a pair went on after it.
    """
    known = pairs.where(pairs.first_at < cut)
    if not len(known):
        return Split(known, known, known.seen, cut)
    place = min(int(len(known) * (1 - test_share)), len(known) - 1)
    inner = int(np.partition(known.first_at, place)[place])
    seen = known.where(known.first_at < inner).seen
    return Split(known.where(known.last_at < inner), known.where(known.first_at >= inner), seen, inner)


def held_out(pairs: Interactions, share: float, seed: int) -> Split:
    """A random `share` of each person's pairs, at least one, is to be predicted; a person with one pair keeps it.

    For choosing parameters where there are no times: the whole is then fitted anew.
    """
    order = np.lexsort((np.random.default_rng(seed).random(len(pairs)), pairs.person))
    count = np.bincount(pairs.person)
    place = np.arange(len(pairs)) - np.repeat(np.cumsum(count) - count, count)
    wanted = np.minimum(np.maximum(np.round(share * count), 1), count - 1)
    return parted(pairs, order[place < np.repeat(wanted, count)])


def parted(pairs: Interactions, test: NDArray[np.int64]) -> Split:
    """The pairs at the places `test` are to be predicted from the others."""
    held = np.zeros(len(pairs), np.bool_)
    held[test] = True
    return from_parts(pairs.where(~held), pairs.where(held))

"""Training part and test part, by time: what came later is predicted from what came before."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from ml.interactions import Interactions, Rows


@dataclass(frozen=True)
class Split:
    """Pairs on both sides of one moment.

    A pair counts by its last event, with all its events in it. One that began before
    the cut and went on after it can therefore be neither learned from (its strength
    knows the future) nor predicted (it is no news); it only counts as seen.
    """

    cut: int
    """The moment, in microseconds."""
    train: Interactions
    """Pairs that ended before the cut."""
    test: Interactions
    """Pairs that began at the cut or later."""
    seen: csr_matrix
    """People × items used before the cut."""

    def people(self, at_most: int, seed: int) -> Rows:
        """Those who can be judged: with pairs in both parts; a sample drawn by the seed if they are many."""
        both = np.intersect1d(self.train.person, self.test.person)
        if len(both) > at_most:
            both = np.sort(np.random.default_rng(seed).choice(both, at_most, replace=False))
        return both.astype(np.int32)


def by_time(pairs: Interactions, test_share: float) -> Split:
    """Cut where the last `test_share` of the pairs, by their last event, begins."""
    place = min(int(len(pairs) * (1 - test_share)), len(pairs) - 1)
    cut = int(np.partition(pairs.last_at, place)[place])
    before = pairs.where(pairs.first_at < cut)
    return Split(cut, pairs.where(pairs.last_at < cut), pairs.where(pairs.first_at >= cut), before.seen)

"""What the pairs of people and items are like, as far as good parameters, and the time of a fit, depend on it."""

from typing import NamedTuple, Self

import numpy as np

from ml.data.interactions import Interactions


class PairsShape(NamedTuple):
    """Sizes of what is learned from."""

    people: int
    """With pairs."""
    items: int
    """With pairs."""
    pairs: int

    @classmethod
    def of(cls, pairs: Interactions) -> Self:
        people, items = (max(len(np.unique(rows)), 1) for rows in (pairs.person, pairs.item))
        return cls(people, items, max(len(pairs), 1))

    @property
    def density(self) -> float:
        """Share of all people × items that are pairs."""
        return self.pairs / (self.people * self.items)

    @property
    def usual_pairs(self) -> float:
        """Pairs of a person and of an item, their geometric mean."""
        return float(self.pairs / (self.people * self.items) ** 0.5)

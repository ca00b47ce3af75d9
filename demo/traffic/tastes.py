"""What each person of the demo truly likes: known to the generator, hidden from the pipeline.

P(person p likes item i) = sigmoid(mixture[p] · affinity[:, i]): a person is a mixture of a few themes, and a
theme loves some categories and styles. A recommender that finds the themes in the clicks beats every list that is
the same for all.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from demo.traffic.catalogue import CATEGORIES, STYLES, ShopItems
from nextclick.identity import persons

THEMES: Final = 8
_LOVED_CATEGORIES, _LOVED_STYLES = 2, 2
_INDIFFERENCE: Final = -3.8
"""The log-odds of liking an item that nothing speaks for: about 2 %."""


@dataclass(frozen=True)
class Tastes:
    """The tastes, and which person stands behind each id of the events."""

    item_ids: npt.NDArray[np.str_]
    known_ids: npt.NDArray[np.str_]
    """Every visitor and user id, sorted."""
    person_of: npt.NDArray[np.int64]
    """For each known id the row of `mixture`: several devices and accounts are one person."""
    mixture: npt.NDArray[np.float32]
    """People × themes; rows sum to 1."""
    affinity: npt.NDArray[np.float32]
    """Themes × items, in log-odds."""
    visits_a_day: npt.NDArray[np.float64]
    """Of each person, on average."""

    def stays_away(self, people: npt.NDArray[np.int64], days: float) -> npt.NDArray[np.float64]:
        """P(no visit within so many days): visits are drawn independently of each other (Poisson)."""
        return np.exp(-days * self.visits_a_day[people])

    def likes(self, people: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """P(like), people × items."""
        odds: npt.NDArray[np.float32] = 1 / (1 + np.exp(-(self.mixture[people] @ self.affinity)))
        return odds

    def rows_of(self, ids: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
        """The row of each person_id, or own id of a visitor or user; -1 for an id that the generator never made."""
        at = places(self.known_ids, np.array([persons.id_of(person) for person in ids.tolist()], dtype=str))
        return np.where(at >= 0, self.person_of[at], -1)

    def save(self, path: Path) -> None:
        """As npz without pickled objects."""
        np.savez_compressed(path, **vars(self))


def places(ordered: npt.NDArray[np.str_], values: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """Where each value stands in the sorted ids; -1 where it is not."""
    at = np.searchsorted(ordered, values).clip(max=len(ordered) - 1)
    return np.where(ordered[at] == values, at, -1)


def load_tastes(path: Path) -> Tastes:
    with np.load(path, allow_pickle=False) as file:
        return Tastes(**{name: file[name] for name in file.files})


def make_mixture(rng: np.random.Generator, people: int) -> npt.NDArray[np.float32]:
    """Most people are mainly one theme, with a little of another."""
    return rng.dirichlet(np.full(THEMES, 0.15), people).astype(np.float32)


def make_affinity(rng: np.random.Generator, catalogue: ShopItems) -> npt.NDArray[np.float32]:
    """Log-odds by category, by style, and a little that no attribute explains."""
    by_category = _loves(rng, len(CATEGORIES), _LOVED_CATEGORIES, 4.4)[:, catalogue.category]
    by_style = _loves(rng, len(STYLES), _LOVED_STYLES, 2.2)[:, catalogue.style]
    quality = rng.normal(0, 0.5, len(catalogue))
    own = rng.normal(0, 0.5, by_style.shape)
    return (_INDIFFERENCE + by_category + by_style + quality + own).astype(np.float32)


def _loves(rng: np.random.Generator, kinds: int, loved: int, strength: float) -> npt.NDArray[np.float64]:
    """Themes × kinds: `strength` for the few kinds that a theme loves, 0 for the others."""
    ranks = rng.random((THEMES, kinds)).argsort(axis=1).argsort(axis=1)
    return np.where(ranks < loved, strength, 0.0)

"""The next item from what followed the last one: item → item transitions that fade.

Sequential rules of Ludewig and Jannach, "Evaluation of Session-based Recommendation
Algorithms", UMUAI 28 (2018): an item that came d clicks after another in a session adds
1 / d to the pair. Here it counts half as much with each half-life since then.
"""

import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Micros
from ml.data.sessions import Sessions
from ml.models.protocol import Progress, quiet
from ml.models.session.links import LinksModel, LinksRecipe, row_shares

_FORGOTTEN = 2.0**-10


class MarkovTransitions(LinksRecipe, frozen=True, kw_only=True, tag_field="model", tag="markov"):
    """Memory: `reach` entries a click that has not faded."""

    half_life_hours: float | None
    """A transition that is ten half-lives old is forgotten."""
    reach: int = 3
    """Clicks after the item that still count as following it."""
    last_items: int = 1
    half_life_places: float = 1.0
    backward: float = 0.0
    """What came before an item counts so much for it, as what followed counts 1."""
    evened: float = 0.0
    """What followed an item is divided by its sum to this power: with 1 each item leads to others as strongly."""

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> LinksModel:
        weight = np.ones(len(train.at), np.float32)
        if self.half_life_hours is not None:
            weight = faded(train.as_of - train.at, self.half_life_hours)
        fresh = np.flatnonzero(weight > _FORGOTTEN)
        back = train.before(fresh, self.reach)
        there = back >= 0
        distance = np.broadcast_to(np.arange(self.reach, 0, -1), back.shape)[there]
        click = fresh[np.nonzero(there)[0]]
        entries = ((weight[click] / distance).astype(np.float32), (back[there], train.item[click]))
        follows = csr_matrix(entries, shape=(len(train.items), len(train.items)))
        if self.backward:
            follows = csr_matrix(follows + np.float32(self.backward) * follows.T)
        return LinksModel(self, row_shares(follows, self.evened) if self.evened else follows)


def faded(age: Micros, half_life_hours: float) -> Floats:
    """2^(−age / half-life); nothing fades to less than 2^−100, which float32 still holds."""
    return np.exp2(-np.minimum(age / (half_life_hours * 3_600_000_000), 100.0)).astype(np.float32)

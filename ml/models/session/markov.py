"""The next item from what followed the last one: item → item transitions that fade.

Sequential rules of Ludewig and Jannach, "Evaluation of Session-based Recommendation
Algorithms", UMUAI 28 (2018): an item that came d clicks after another in a session adds
1 / d to the pair. Here it counts half as much with each half-life since then.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Micros, Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, quiet
from ml.models.topk import sparse_arrays
from ml.models.topk.sparse_arrays import Sparse
from ml.models.topk.sparse_topk import best_next

_FORGOTTEN = 2.0**-10


class MarkovTransitions(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="markov"):
    """Memory: `reach` entries a click that has not faded."""

    half_life_hours: float
    """A transition that is ten half-lives old is forgotten."""
    reach: int = 3
    """Clicks after the item that still count as following it."""

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> "TransitionsModel":
        weight = faded(train.as_of - train.at, self.half_life_hours)
        fresh = np.flatnonzero(weight > _FORGOTTEN)
        back = train.before(fresh, self.reach)
        there = back >= 0
        distance = np.broadcast_to(np.arange(self.reach, 0, -1), back.shape)[there]
        click = fresh[np.nonzero(there)[0]]
        entries = ((weight[click] / distance).astype(np.float32), (back[there], train.item[click]))
        follows = csr_matrix(entries, shape=(len(train.items), len(train.items)))
        return TransitionsModel(self, follows)

    def layout(self, items: int) -> Layout:
        return {"follows": Sparse(items, items)}

    def restore(self, arrays: Arrays) -> "TransitionsModel":
        return TransitionsModel(self, sparse_arrays.from_arrays("follows", arrays, len(arrays["follows.indptr"]) - 1))


@dataclass(frozen=True)
class TransitionsModel:
    """How often which item followed which."""

    recipe: MarkovTransitions
    follows: csr_matrix
    """Items × items."""

    @property
    def arrays(self) -> Arrays:
        return sparse_arrays.to_arrays("follows", self.follows)

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        return best_next(self.scores, recent, n, seen)

    def scores(self, recent: Rows) -> csr_matrix:
        """Lists × items: what followed the last item of each row; no row without one has any."""
        last = recent[:, -1]
        known = (last >= 0).astype(np.float32)
        pick = csr_matrix((known, np.maximum(last, 0), np.arange(len(last) + 1)), (len(last), self.follows.shape[0]))
        return csr_matrix(pick @ self.follows)


def faded(age: Micros, half_life_hours: float) -> Floats:
    """2^(−age / half-life); nothing fades to less than 2^−100, which float32 still holds."""
    return np.exp2(-np.minimum(age / (half_life_hours * 3_600_000_000), 100.0)).astype(np.float32)

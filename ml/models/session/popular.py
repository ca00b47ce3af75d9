"""The next item from what everybody clicks now, whatever the session at hand holds."""

from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, quiet
from ml.models.session.markov import faded
from ml.models.topk.sparse_topk import best_next

_HOUR = 3_600_000_000
_HEAD = 256
"""Items that are ever listed: the longest list and the session that is left out must fit in it."""


class SessionPopular(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="session_popular"):
    """Items by their clicks: in a recent window, fading with a half-life, or both."""

    window_hours: float | None = None
    half_life_hours: float | None = None

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> "SessionPopularModel":
        age = train.as_of - train.at
        weight = faded(age, self.half_life_hours) if self.half_life_hours else np.ones(len(age), np.float32)
        if self.window_hours:
            weight = np.where(age < self.window_hours * _HOUR, weight, 0)
        return SessionPopularModel(self, np.bincount(train.item, weight, len(train.items)).astype(np.float32))

    def layout(self, items: int) -> Layout:
        return {"item_scores": (items,)}

    def restore(self, arrays: Arrays) -> "SessionPopularModel":
        return SessionPopularModel(self, arrays["item_scores"])


@dataclass(frozen=True)
class SessionPopularModel:
    """The same order for everybody, less what the session holds."""

    recipe: SessionPopular
    item_scores: Floats

    @property
    def arrays(self) -> Arrays:
        return {"item_scores": self.item_scores}

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None, repeats: bool = False) -> Lists:
        return best_next(self.scores, recent, n, seen, repeats)

    def scores(self, recent: Rows) -> csr_matrix:
        """Lists × items: the scores of the 256 most popular items, in each row."""
        head = np.argsort(-self.item_scores, kind="stable")[:_HEAD]
        head = np.sort(head[self.item_scores[head] > 0])
        indptr = np.arange(len(recent) + 1) * len(head)
        shape = (len(recent), len(self.item_scores))
        return csr_matrix((np.tile(self.item_scores[head], len(recent)), np.tile(head, len(recent)), indptr), shape)

"""What everybody uses: of all time, of a recent window, or fading with a half-life."""

from dataclasses import dataclass
from datetime import timedelta

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Interactions, Rows
from ml.models.protocol import Arrays, Layout, Lists, Progress, Recommender, quiet

ALL_TIME = "popular_all_time"
"""What the plain one is called among the candidates."""


class Popular(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="popular"):
    """Items by the summed strength of their interactions; without a window or half-life: of all time, unfaded."""

    window_hours: float | None = None
    """Only the pairs of this recent time."""
    half_life_days: float | None = None

    def fit(self, train: Interactions, threads: int = 0, progress: Progress = quiet) -> "PopularModel":
        half_life = timedelta(days=self.half_life_days) if self.half_life_days else None
        weight = train.decayed(half_life).astype(np.float64)
        if self.window_hours is not None:
            weight[~train.recent(self.window_hours)] = 0.0
        scores = np.bincount(train.item, weight, minlength=len(train.items)).astype(np.float32)
        return PopularModel(self, scores)

    def adopt(self, model: Recommender) -> "PopularModel | None":
        return model if isinstance(model, PopularModel) and model.recipe == self else None

    def layout(self, people: int, items: int) -> Layout:
        return {"item_scores": (items,)}

    def restore(self, arrays: Arrays) -> "PopularModel":
        return PopularModel(self, arrays["item_scores"])


@dataclass(frozen=True)
class PopularModel:
    """The same order of items for everybody, less what each has seen."""

    recipe: Popular
    item_scores: Floats
    """Popularity of each item; items with 0 are never recommended."""

    @property
    def arrays(self) -> Arrays:
        return {"item_scores": self.item_scores}

    @property
    def order(self) -> Rows:
        """Items from the most popular on; equal ones by row, so that the order is always the same."""
        order = np.argsort(-self.item_scores, kind="stable").astype(np.int32)
        return order[: int(np.count_nonzero(self.item_scores > 0))]

    def recommend(self, people: Rows, n: int, seen: csr_matrix | None = None) -> Lists:
        order = self.order
        longest = int(np.diff(seen.indptr).max(initial=0)) if seen is not None else 0
        head = order[: n + longest]  # whoever has seen most still finds n in it
        blocked = np.zeros((len(people), len(head)), np.bool_)
        if seen is not None:
            place = np.full(len(self.item_scores), len(head), np.int32)
            place[head] = np.arange(len(head), dtype=np.int32)
            person, at = np.repeat(np.arange(len(people)), np.diff(seen.indptr)), place[seen.indices]
            blocked[person[at < len(head)], at[at < len(head)]] = True
        first = np.argsort(blocked, axis=1, kind="stable")[:, :n]  # what is not blocked, in order, comes first
        empty = np.take_along_axis(blocked, first, axis=1)
        items = np.where(empty, -1, head[first]).astype(np.int32)
        return _padded(Lists(items, np.where(empty, 0, self.item_scores[items]).astype(np.float32)), n)


def _padded(lists: Lists, n: int) -> Lists:
    missing = n - lists.items.shape[1]
    if missing <= 0:
        return lists
    pad = ((0, 0), (0, missing))
    return Lists(np.pad(lists.items, pad, constant_values=-1), np.pad(lists.scores, pad))

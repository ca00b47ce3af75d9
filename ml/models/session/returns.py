"""The next item among those that the session holds: how often people return to the item so many distinct items back.

Counted: of the clicks after d distinct items, the share that return to the one that is s steps back.
"""

from dataclasses import dataclass, replace

import msgspec
import numpy as np
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Rows
from ml.data.sessions import Sessions
from ml.models.protocol import Arrays, Layout, Lists, Progress, quiet
from ml.models.session.links import distinct
from ml.models.topk.sparse_topk import best_next

_LONGEST = 9
"""Distinct items of a session that are told apart; longer sessions are like those of this length."""
_DOUBT = 1.0
"""Clicks of no return that are added to each count."""


class SessionReturns(msgspec.Struct, frozen=True, kw_only=True, tag_field="model", tag="session_returns"):
    """Memory: 81 rates, and one an item."""

    drawn: float = 5.0
    """How often an item itself is returned to is drawn towards the mean by so many returns."""

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> "SessionReturnsModel":
        clicks = np.flatnonzero(~train.opens)
        items = distinct(train.before(clicks, 2 * _LONGEST), _LONGEST)
        length = (items >= 0).sum(axis=1) - 1
        row, place = np.nonzero(items == train.item[clicks][:, None])
        shape = (_LONGEST, _LONGEST)
        returned = np.bincount(length[row] * _LONGEST + _LONGEST - 1 - place, minlength=_LONGEST**2).reshape(shape)
        rates = returned / (np.bincount(length, minlength=_LONGEST) + _DOUBT)[:, None]
        model = SessionReturnsModel(self, rates.astype(np.float32), np.ones(len(train.items), np.float32))
        expected = model.scores(items).sum(axis=0).A1
        actual = np.bincount(items[row, place], minlength=len(train.items))
        return replace(model, item_rates=((actual + self.drawn) / (expected + self.drawn)).astype(np.float32))

    def layout(self, items: int) -> Layout:
        return {"rates": (_LONGEST, _LONGEST), "item_rates": (items,)}

    def restore(self, arrays: Arrays) -> "SessionReturnsModel":
        return SessionReturnsModel(self, arrays["rates"], arrays["item_rates"])


@dataclass(frozen=True)
class SessionReturnsModel:
    """How often people return."""

    recipe: SessionReturns
    rates: Floats
    """By distinct items of the session − 1, and steps back."""
    item_rates: Floats
    """Returns to each item, over those that are usual at such places."""

    @property
    def arrays(self) -> Arrays:
        return {"rates": self.rates, "item_rates": self.item_rates}

    def next_items(self, recent: Rows, n: int, seen: csr_matrix | None = None, repeats: bool = False) -> Lists:
        return best_next(self.scores, recent, n, seen, repeats)

    def scores(self, recent: Rows) -> csr_matrix:
        """Lists × items: the expected share of returns."""
        items = distinct(recent, _LONGEST)
        row, place = np.nonzero(items >= 0)
        length, item = (items >= 0).sum(axis=1)[row] - 1, items[row, place]
        rate = self.rates[length, items.shape[1] - 1 - place] * self.item_rates[item]
        return csr_matrix((rate, (row, item)), (len(items), len(self.item_rates)))

"""The next item by ridge regression on the last ones, in closed form: for catalogues whose square fits in memory.

With x_t the last items before the click t, an item s steps back as 2^(−s / half-life), and y_t the item clicked,

    links = (Σ x_t x_tᵀ + ridge · I)⁻¹ · Σ x_t y_tᵀ

SLIT of Choi, Kim, Lee, Shim, Lee, "Session-aware Linear Item-Item Models for Session-based
Recommendation", WWW 2021.
"""

import numpy as np
from scipy.sparse import csr_matrix

from ml.data.sessions import Sessions
from ml.models.closed_form import inverted, largest
from ml.models.protocol import Progress, quiet
from ml.models.session.links import LinksModel, LinksRecipe, counted


class SessionLinear(LinksRecipe, frozen=True, kw_only=True, tag_field="model", tag="session_linear"):
    """Memory: twice items² · 4 bytes; time: items³."""

    ridge: float = 10.0
    last_items: int = 9
    half_life_places: float = 2.0
    kept: int = 300
    """Links of each item."""

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> LinksModel:
        clicks = np.flatnonzero(~train.opens)
        before = counted(train.before(clicks, self.last_items), self, len(train.items))
        ones = np.ones(len(clicks), np.float32)
        after = csr_matrix((ones, (np.arange(len(clicks)), train.item[clicks])), before.shape)
        inverse, follows = inverted(before.T @ before, self.ridge), (after.T @ before).tocsr()
        return LinksModel(self, largest(lambda part: (follows @ inverse[:, part]).T, len(inverse), self.kept))

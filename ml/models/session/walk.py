"""The next item one step and more away: two steps through what follows what and what is used together.

Where few clicks tell, most pairs of items never met; items that the same others lead to are still near. With T the
transitions both ways, each row a share of 1, links = T · T, the strongest of each item.
"""

import numpy as np
from scipy.sparse import csr_matrix, vstack

from ml.data.sessions import Sessions
from ml.models.protocol import Progress, quiet
from ml.models.session.links import LinksModel, LinksRecipe, row_shares, strongest
from ml.models.session.markov import MarkovTransitions

_ROWS = 2048


class SessionWalk(LinksRecipe, frozen=True, kw_only=True, tag_field="model", tag="session_walk"):
    """Memory: `kept` entries an item."""

    half_life_hours: float | None = None
    reach: int = 3
    backward: float = 1.0
    last_items: int = 9
    half_life_places: float = 2.0
    used: float = 0.5
    """How much less popular items are led to: their column is divided by its sum to this power."""
    kept: int = 100

    def fit(self, train: Sessions, threads: int = 0, progress: Progress = quiet) -> LinksModel:
        one = MarkovTransitions(half_life_hours=self.half_life_hours, reach=self.reach, backward=self.backward)
        step = strongest(row_shares(one.fit(train).links), self.kept)
        reached = np.maximum(step.sum(axis=0).A1, 1e-12) ** -self.used
        outward = step.copy()
        outward.data = (step.data * reached[step.indices]).astype(np.float32)
        parts = [
            strongest(csr_matrix(step[start : start + _ROWS] @ outward), self.kept)
            for start in range(0, len(train.items), _ROWS)
        ]
        return LinksModel(self, csr_matrix(vstack(parts, "csr")))

"""Ranking by a learned ranker. LightGBM is imported when one is read, by nobody else: an API without a ranker starts without it."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from nextclick.ctr import FEATURES
from nextclick.errors import ModelError
from nextclick.next_item.ranker import LearnedRanker, RankerCard
from serving.index.items import Floats

_PROBE: Final = np.linspace(0.0, 1.0, 3)[:, None] * np.ones(len(FEATURES))
"""All features 0, half and 1: what a ranker must have a number for."""


class Ranker:
    """One version's trees in memory."""

    def __init__(self, learned: LearnedRanker) -> None:
        import lightgbm

        self.card: RankerCard = learned.card
        try:
            self._booster: Any = lightgbm.Booster(model_str=learned.trees)
            sound = np.isfinite(self._raw(_PROBE)).all()
        except lightgbm.basic.LightGBMError as error:
            raise ModelError(
                f"Version {self.card.version} of the ranker cannot be read: {error}. Train it anew."
            ) from error
        if not sound:
            raise ModelError(f"Version {self.card.version} of the ranker has a score that is no number. Train it anew.")

    def scores(self, features: Mapping[str, Floats]) -> Floats:
        """In (0, 1), the best highest; what is not a number counts as 0."""
        raw = self._raw(np.column_stack([features[name] for name in FEATURES]))
        return np.nan_to_num(1.0 / (1.0 + np.exp(-np.clip(raw, -30, 30))), nan=0.0)

    def _raw(self, rows: Floats) -> Floats:
        return np.asarray(self._booster.predict(rows, num_threads=1))

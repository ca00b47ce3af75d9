"""A visitor as a vector: what a contextual bandit is told, and what is logged with each draw."""

import hashlib
import math
from functools import lru_cache
from typing import Final

import numpy as np

from nextclick.profile.live_features import Features
from serving.bandits.methods import Floats

BUCKETS: Final = 8
"""Places that categories share."""
SIZE: Final = 6 + BUCKETS
_HOUR: Final = 3600.0


def context(features: Features) -> Floats:
    """SIZE numbers within [−1, 1]: a constant; how long ago the last action was; views, searches, carts and
    purchases lately; and the interest in categories, each hashed to a place and a sign (Weinberger et al. 2009)."""
    since = features.seconds_since_last
    session, day = features.session, features.last_day
    vector = [
        1.0,
        0.0 if since is None else 1 / (1 + since / _HOUR),
        _saturating(session.get("view_item", 0) + session.get("page_view", 0)),
        _saturating(session.get("search", 0)),
        _saturating(session.get("add_to_cart", 0)),
        _saturating(day.get("purchase", 0)),
        *[0.0] * BUCKETS,
    ]
    for category, interest in features.interest.items():
        place, sign = _hashed(category)
        vector[place] += sign * interest
    return np.array(vector).round(4)


def _saturating(count: int) -> float:
    """0 for none, then nearer and nearer to 1: 3 is about one half."""
    return 1 - math.exp(-count / 4)


@lru_cache(4096)
def _hashed(category: str) -> tuple[int, int]:
    number = hashlib.blake2b(category.encode("utf-8", "surrogatepass"), digest_size=2).digest()
    return 6 + number[0] % BUCKETS, 1 - 2 * (number[1] & 1)

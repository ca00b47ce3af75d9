"""The live embedding: where a visitor stands among the vectors of the items, by what the profile says they used."""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from nextclick.profile.live_features import decayed
from nextclick.profile.profile import Action

Floats = NDArray[np.float64]
Item = TypeVar("Item", bound=Hashable)


def strengths(
    items: Iterable[Item], actions: Iterable[Action], now: int, weights: Mapping[str, float], half_life_ms: float
) -> dict[Item, float]:
    """How strongly each item was used: Σ weight(kind) · 2^(−age / half-life), as gold.interactions has it, decayed to `now` (ms).

    `items`: of each action its item; there may be more. Items whose sum is not positive are left out. An action ahead of `now` has just
    happened.
    """
    sums: dict[Item, float] = {}
    for item, count in zip(items, decayed(actions, now, weights, half_life_ms), strict=False):
        if count is not None:
            sums[item] = sums.get(item, 0.0) + count
    if min(sums.values(), default=1.0) > 0:
        return sums
    return {item: strength for item, strength in sums.items() if strength > 0}


def inverse(gram: Floats, regularization: float) -> Floats:
    """(YᵀY + λI)⁻¹ of all items, once for everybody; where it has none, its pseudo-inverse. `gram` is YᵀY."""
    return np.asarray(np.linalg.pinv(gram + regularization * np.eye(len(gram)), hermitian=True))


def fold_in(inverse: Floats, used: Floats, strength: Floats, alpha: float) -> Floats:
    """The person vector that ALS would give: (YᵀY + Σ (c − 1) y yᵀ + λI)⁻¹ Σ c y, with c = 1 + alpha · strength.

    `used` U [n × dimensions] and `strength` [n] are of the items used. With P the `inverse` and D = diag(c − 1), it is
    PUᵀ(I + D·UPUᵀ)⁻¹c, the push-through identity: what is solved for each person is as large as what they used.
    Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, equation 4.
    """
    confidence = 1.0 + alpha * strength
    near = used @ inverse
    system = near @ used.T
    system *= (confidence - 1.0)[:, None]
    system.flat[:: len(used) + 1] += 1.0  # the diagonal
    return np.asarray(np.linalg.solve(system, confidence) @ near)


def mean(used: Floats, strength: Floats) -> Floats:
    """The mean of the vectors of the items used [n × dimensions], weighted by strength [n]."""
    return np.asarray(strength @ used / strength.sum())

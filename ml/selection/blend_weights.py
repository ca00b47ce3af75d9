"""The weights of a blend, learned on a validation part: those whose joined lists recall most."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from ml.data.interactions import Rows
from ml.data.split import Split
from ml.evaluation import metrics
from ml.models.protocol import Recommender
from ml.models.user_item.blend import Blend, joined, shares

_STEPS = (0.0, 0.5, 0.75, 1.33, 2.0)
_ROUNDS = 3
_LITTLE = 0.1
"""Of the heaviest weight."""


def weigh(blend: Blend, members: Sequence[Recommender], validation: Split, people: Rows, k: int) -> Blend:
    """The blend with the weights that do best for `people`; `members` are fitted on the validation's training part.

    From equal weights on, and from the best member with next to nothing of the others, one
    weight after the other is multiplied by each of a few steps, and keeps what helps, until a
    round helps no more. Best is the sum of recall@k and NDCG@k; it is no worse than any member's.
    """
    seen, truth = validation.seen[people], validation.test.seen[people]
    each = shares([one.recommend(people, blend.depth, seen) for one in members])
    relevant = np.diff(truth.indptr).astype(np.int64)

    def worth(weights: Sequence[float]) -> float:
        hit = metrics.hits(joined(each, weights, k).items, truth)
        return metrics.recall(hit, relevant) + metrics.ndcg(hit, relevant)

    alone = np.eye(len(each))
    best = int(np.argmax([worth(one) for one in alone.tolist()]))
    starts = (np.ones(len(each)), np.maximum(alone[best], _LITTLE))
    candidates = [_climbed(worth, tuple(start.tolist())) for start in starts]
    return msgspec.structs.replace(blend, weights=max([*candidates, tuple(alone[best].tolist())], key=worth))


def _climbed(worth: Callable[[Sequence[float]], float], weights: tuple[float, ...]) -> tuple[float, ...]:
    best = worth(weights)
    for _ in range(_ROUNDS):
        before = best
        for at, weight in enumerate(weights):
            for step in _STEPS:
                tried = (*weights[:at], weight * step, *weights[at + 1 :])
                if any(tried) and (value := worth(tried)) > best:
                    best, weights = value, tried
        if best == before:
            break
    return tuple(round(weight / max(weights), 4) for weight in weights)

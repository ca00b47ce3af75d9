"""The weights of a blend, learned on a validation part: those whose joined lists recall most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml.data.interactions import Floats, Rows
from ml.data.split import Split
from ml.evaluation import metrics
from ml.models.protocol import Recommender
from ml.models.user_item.blend import Blend, shares

_STEPS = (0.0, 0.5, 0.75, 1.33, 2.0)
_ROUNDS = 3
_LITTLE = 0.1
"""Of the heaviest weight."""
_PLACE_BITS = 24


@dataclass(frozen=True)
class MemberLists:
    """What any member lists of each person: [people × candidates], the lower item first, nothing in the places that are left."""

    shares: tuple[Floats, ...]
    """Of each member: the candidates' scores as shares of its list's first."""
    true: metrics.Hits
    """The candidate is what the person used afterwards."""
    relevant: NDArray[np.int64]
    """Of each person: items used afterwards."""

    @classmethod
    def of(cls, members: Sequence[Recommender], depth: int, validation: Split, people: Rows, k: int) -> "MemberLists":
        """Places for k candidates at least."""
        seen, truth = validation.seen[people], validation.test.seen[people]
        each = shares([one.recommend(people, depth, seen) for one in members])
        listed = csr_matrix(sum(each))
        listed.sort_indices()
        person, item = np.repeat(np.arange(len(people)), np.diff(listed.indptr)), listed.indices
        place = np.arange(len(item)) - listed.indptr[person]
        where, shape = (person, place), (len(people), max(int(np.diff(listed.indptr).max(initial=0)), k))
        columns = [np.zeros(shape, np.float32) for _ in each]
        for column, one in zip(columns, each, strict=True):
            column[where] = one[person, item].A1
        true = np.zeros(shape, np.bool_)
        true[where] = truth[person, item].A1 > 0
        return cls(tuple(columns), true, np.diff(truth.indptr).astype(np.int64))

    def about(self, rows: slice) -> "MemberLists":
        """Of some of the people."""
        return MemberLists(tuple(one[rows] for one in self.shares), self.true[rows], self.relevant[rows])

    def worth(self, weights: Sequence[float], k: int) -> float:
        """recall@k + NDCG@k of the lists that ml/models/user_item/blend.py joins with these weights."""
        score = np.zeros(self.true.shape, np.float32)
        for weight, one in zip(weights, self.shares, strict=True):
            score += np.float32(weight) * one
        # One integer a candidate: its score (positive floats have the order of their bits), then its place, then whether it is true.
        places = np.arange(self.true.shape[1], 0, -1, dtype=np.int64) << 1
        keys = score.view(np.int32).astype(np.int64) << _PLACE_BITS | places | self.true
        best = -np.sort(-np.partition(keys, -k, axis=1)[:, -k:], axis=1)
        hit = (best & 1 > 0) & (best >> _PLACE_BITS > 0)
        return metrics.recall(hit, self.relevant) + metrics.ndcg(hit, self.relevant)


def weigh(blend: Blend, lists: MemberLists, k: int) -> Blend:
    """The blend with the weights that do best for the people of `lists`, which its members have made.

    From the best member with next to nothing of the others on, one weight after the other is multiplied by each
    of a few steps, and keeps what helps, until a round helps no more. Best is the sum of recall@k and NDCG@k; it is
    no worse than the best member's. A second start, at equal weights, fits the people who teach better and others
    worse: its hills lie far from the best member, and are those people's own (docs/quality.md).
    """

    def worth(weights: Sequence[float]) -> float:
        return lists.worth(weights, k)

    alone = np.eye(len(lists.shares))
    best = alone[int(np.argmax([worth(one) for one in alone.tolist()]))]
    climbed = _climbed(worth, tuple(np.maximum(best, _LITTLE).tolist()))
    return msgspec.structs.replace(blend, weights=max(climbed, tuple(best.tolist()), key=worth))


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

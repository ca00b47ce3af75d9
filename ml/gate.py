"""What a model must show before it may become champion. Every function returns reasons; none means: passed."""

import numpy as np
from scipy.sparse import csr_matrix

from ml import metrics
from ml.artifact import Artifact
from ml.champion import Model
from ml.evaluate import MIN_PEOPLE, Judged
from ml.interactions import Interactions, Rows
from nextclick.settings import Gate

FLOOR = "popular_all_time"
"""The recipe that any model must beat."""

_SAMPLE = 2_000


def judge(judged: Judged, challenger: str, champion: str | None, gate: Gate) -> list[str]:
    """Recipes fitted on the same training part: against the floor, the coverage and the champion's recipe."""
    if not judged.metrics:
        return [
            f"too little to judge: {judged.people} people have interactions before and after the cut, of {MIN_PEOPLE} needed"
        ]
    k, own = judged.k, judged.metrics[challenger]
    reached, recall = own[f"coverage@{k}"], judged.recall(challenger)
    reasons = []
    if not np.isfinite(list(own.values())).all():
        reasons.append(f"a metric is not finite: {own}")
    if not recall > judged.recall(FLOOR):
        reasons.append(f"recall@{k} {recall:.4f} is not better than that of {FLOOR}, {judged.recall(FLOOR):.4f}")
    if not reached >= gate.min_coverage:
        reasons.append(f"coverage@{k} {reached:.4f} is below gate.min_coverage {gate.min_coverage}")
    if champion and recall < judged.recall(champion) * (1 - gate.tolerance):
        reasons.append(
            f"recall@{k} {recall:.4f} is worse than that of the champion's recipe, {judged.recall(champion):.4f}, "
            f"by more than gate.tolerance {gate.tolerance}"
        )
    return reasons


def inspect(
    candidate: Artifact, pairs: Interactions, champion: Model | None, gate: Gate, k: int, seed: int
) -> list[str]:
    """The model that would be served, as read back from its files: about these people and items, and not stale."""
    return _age(candidate, champion) + _lists(candidate, pairs, gate, min(k, len(candidate.items)), seed)


def _age(candidate: Artifact, champion: Model | None) -> list[str]:
    card = candidate.card
    if champion is None or champion.interactions_id != card.source.table_id:
        return []
    if card.source.version < champion.interactions_version or card.as_of < champion.as_of:
        return [
            f"it is stale: it has learned from version {card.source.version} of gold.interactions, "
            f"the champion from {champion.interactions_version}"
        ]
    return []


def _lists(candidate: Artifact, pairs: Interactions, gate: Gate, k: int, seed: int) -> list[str]:
    """Lists of a sample, nothing left out, by external ids: everybody has one, and they reach the items."""
    if not len(candidate.people) or not k:
        return ["it is empty: it knows no person or no item"]
    drawn = np.random.default_rng(seed).permutation(np.unique(pairs.person))[:_SAMPLE].astype(np.int32)
    rows = candidate.people.rows(pairs.people.take(drawn))
    if (rows < 0).any():
        return [f"it does not know {int((rows < 0).sum())} of {len(rows)} people who have interactions"]
    lists = candidate.model.recommend(rows, k).items
    listed = lists >= 0
    lists[listed] = pairs.items.rows(candidate.items.take(lists[listed]))
    reasons = []
    if empty := int((~listed).all(axis=1).sum()):
        reasons.append(f"it has no list for {empty} of {len(lists)} people")
    reached = metrics.coverage(lists, len(pairs.items))
    if reached < gate.min_coverage:
        reasons.append(f"its lists reach {reached:.4f} of the items, below gate.min_coverage {gate.min_coverage}")
    return reasons + ([] if k == len(pairs.items) else _recognition(lists, pairs.seen[drawn]))


def _recognition(lists: Rows, used: csr_matrix) -> list[str]:
    """A person's list holds more of what this person has used than a stranger's list does, by two standard errors.

    It does not if ids and vectors were mixed up, or if everybody gets the same.
    """
    strangers = np.roll(lists, 1, axis=0)
    own, other = (metrics.hits(items, used).sum(axis=1) / np.diff(used.indptr) for items in (lists, strangers))
    more = own - other
    if more.mean() > 2 * more.std() / np.sqrt(len(more)):
        return []
    return [
        f"it does not know its people: their lists hold {own.mean():.4f} of what they have used, strangers' lists "
        f"{other.mean():.4f}. Ids are mixed up, or everybody gets the same"
    ]

"""What a model must show before it may become champion. Every function returns reasons; none means: passed.

Three looks, each at what would be served:

    judge    the chosen recipe and the champion's, fitted on the same training part, asked about the same people
    leaks    the parts themselves: nothing of the test part was there to be learned
    inspect  the model that was fitted on everything, as it was read back from its files

The champion's recipe is beaten or matched unless chance alone explains the difference:
a challenger is refused where its mean recall@k is worse by more than `gate.tolerance`
and the 95 % interval of the difference, by bootstrap over people (both lists of a
person are drawn together; Efron and Tibshirani, 1993, chapter 13), lies below zero. The
same recipe, trained again with another seed, is so refused in at most 1 of 40 cases.

Popularity that says so (`is_personal`) has one list for all and reaches few items by its
nature; it is chosen only where it is surely better (ml/selection/select.py), and is not asked for what
makes a list personal.
"""

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import bootstrap

from ml.data.interactions import Floats, Interactions, Rows
from ml.data.split import Split
from ml.evaluation import metrics
from ml.evaluation.evaluate import MIN_PEOPLE, Evaluation
from ml.models import registry
from ml.models.user_item.blend import Blend
from ml.models.user_item.popular import ALL_TIME
from ml.registry.artifact import AnyRecipe, Artifact
from ml.registry.champion import Model
from nextclick.settings import GateSettings

FLOOR = ALL_TIME
"""The recipe that any model must beat."""

_SAMPLE = 2_000
_RESAMPLES = 1_000


def is_personal(recipe: AnyRecipe) -> bool:
    """Whether it knows people apart; popularity, and a blend of popularities, does not, and says so."""
    members = recipe.members if isinstance(recipe, Blend) else (recipe,)
    return any(registry.of(one).personal for one in members)


def judge(
    judged: Evaluation, challenger: str, champion: str | None, gate: GateSettings, personal: bool = True
) -> list[str]:
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
    if personal and not reached >= gate.min_coverage:
        reasons.append(f"coverage@{k} {reached:.4f} is below gate.min_coverage {gate.min_coverage}")
    return reasons + (_against(judged, challenger, champion, gate, personal) if champion else [])


def _against(judged: Evaluation, challenger: str, champion: str, gate: GateSettings, personal: bool) -> list[str]:
    """The champion's recipe, on the same people: no worse than by chance, and no collapse of what lists reach."""
    k, reasons = judged.k, []
    recall, before = judged.recall(challenger), judged.recall(champion)
    if recall < before * (1 - gate.tolerance):
        low, high = interval(judged.each[challenger] - judged.each[champion])
        if high < 0:
            reasons.append(
                f"recall@{k} {recall:.4f} is worse than that of the champion's recipe, {before:.4f}, by more than "
                f"gate.tolerance {gate.tolerance} (difference {low:.4f} to {high:.4f} with 95 % confidence)"
            )
    reached, reach = (judged.metrics[name][f"coverage@{k}"] for name in (challenger, champion))
    if personal and reached < gate.coverage_kept * reach:
        reasons.append(
            f"coverage@{k} collapses from {reach:.4f} to {reached:.4f}, below gate.coverage_kept {gate.coverage_kept} of it"
        )
    return reasons


def interval(values: Floats, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap of the mean of one value a person, 95 %; of equal values it is that value."""
    if not np.ptp(values):
        return float(values[0]), float(values[0])
    bounds = bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, batch=50, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(bounds.low), float(bounds.high)


def leaks(split: Split, validation: Evaluation, judged: Evaluation, challenger: str, gate: GateSettings) -> list[str]:
    """Whether the challenger knew what it was asked: by the parts, and by a recall that leaps up from the validation part.

    Days differ, and so does what can be predicted of them: the leap is compared with that of popularity.
    """
    reasons = []
    both = split.train.seen.multiply(split.test.seen).nnz
    if both or (split.cut is not None and len(split.train) and split.train.as_of >= split.cut):
        reasons.append(f"the future leaked: {both} pairs of the test part, or events after its cut, were learned from")
    if not (validation.metrics and judged.metrics):
        return reasons
    then, now = validation.recall(challenger), interval(judged.each[challenger])[0]
    calm = max(1.0, judged.recall(FLOOR) / max(validation.recall(FLOOR), 1e-9))
    if now > gate.max_leap * calm * max(interval(validation.each[challenger])[1], 1e-9):
        reasons.append(
            f"the future leaked: recall@{judged.k} leaps from {then:.4f} on the validation part to "
            f"{judged.recall(challenger):.4f} on the test part, more than gate.max_leap {gate.max_leap} allows"
        )
    return reasons


def inspect(
    candidate: Artifact, pairs: Interactions, champion: Model | None, gate: GateSettings, k: int, seed: int
) -> list[str]:
    """The model that would be served, as read back from its files: about these people and items, and not stale."""
    return _age(candidate, pairs, champion) + _lists(candidate, pairs, gate, min(k, len(candidate.items)), seed)


def _age(candidate: Artifact, pairs: Interactions, champion: Model | None) -> list[str]:
    card, reasons = candidate.card, []
    if card.as_of > pairs.as_of:
        reasons.append("the future leaked: it has learned from events that are newer than gold.interactions")
    if champion is None or champion.interactions_id != card.source.table_id:
        return reasons
    if card.source.version < champion.interactions_version or card.as_of < champion.as_of:
        reasons.append(
            f"it is stale: it has learned from version {card.source.version} of gold.interactions, "
            f"the champion from {champion.interactions_version}"
        )
    return reasons


def _lists(candidate: Artifact, pairs: Interactions, gate: GateSettings, k: int, seed: int) -> list[str]:
    """Lists of a sample, nothing left out, by external ids: everybody has one, of items that are used, and their own."""
    if not len(candidate.people) or not k:
        return ["it is empty: it knows no person or no item"]
    everybody = np.unique(pairs.person)
    missing = int((candidate.people.rows(pairs.people.take(everybody)) < 0).sum())
    if missing:
        return [f"people are missing: it does not know {missing} of {len(everybody)} people who have interactions"]
    drawn = np.random.default_rng(seed).permutation(everybody)[:_SAMPLE].astype(np.int32)
    lists = candidate.model.recommend(candidate.people.rows(pairs.people.take(drawn)), k).items
    listed = lists >= 0
    lists[listed] = pairs.items.rows(candidate.items.take(lists[listed]))
    reasons = []
    if foreign := int((lists[listed] < 0).sum()):
        reasons.append(f"its items are others: {foreign} of {int(listed.sum())} places name items that nobody used")
    empty = int((~listed).all(axis=1).sum())
    if empty > gate.max_listless * len(lists):
        reasons.append(f"it has no list for {empty} of {len(lists)} people, more than gate.max_listless")
    if not is_personal(candidate.card.recipe):
        return reasons
    reached = metrics.coverage(lists, len(pairs.items))
    if reached < gate.min_coverage:
        reasons.append(f"its lists reach {reached:.4f} of the items, below gate.min_coverage {gate.min_coverage}")
    if k == len(pairs.items):
        return reasons
    return reasons + _sameness(lists, len(pairs.items), gate) + _recognition(lists, pairs.seen[drawn])


def _sameness(lists: Rows, items: int, gate: GateSettings) -> list[str]:
    """Popularity in disguise: a person's list shares nearly all its items with a stranger's, beyond what chance would."""
    k = lists.shape[1]
    person = np.repeat(np.arange(len(lists)), k)
    used = csr_matrix(
        (np.ones(lists.size), (person, np.where(lists < 0, items, lists).ravel())), (len(lists), items + 1)
    )
    shared = metrics.hits(np.roll(lists, 1, axis=0), used[:, :items]).mean()
    same = (shared - k / items) / (1 - k / items)
    if same <= gate.max_sameness:
        return []
    return [
        f"it is popularity in disguise: two people's lists share {shared:.4f} of their items, "
        f"{same:.4f} beyond chance and above gate.max_sameness {gate.max_sameness}"
    ]


def _recognition(lists: Rows, used: csr_matrix) -> list[str]:
    """A person's list holds more of what this person has used than a stranger's list does, by two standard errors.

    It does not if ids and vectors were mixed up, or if everybody gets the same.
    """
    others = np.roll(lists, 1, axis=0)
    own, other = (metrics.hits(items, used).sum(axis=1) / np.diff(used.indptr) for items in (lists, others))
    more = own - other
    if more.mean() > 2 * more.std() / np.sqrt(len(more)):
        return []
    return [
        f"it does not know its people: their lists hold {own.mean():.4f} of what they have used, strangers' lists "
        f"{other.mean():.4f}. Ids are mixed up, or everybody gets the same"
    ]

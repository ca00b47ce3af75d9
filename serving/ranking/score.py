"""The score of an item: the weighted sum of nextclick.ctr.TERMS, each in [0, 1]; docs/api.md has the formula."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from nextclick import ctr
from nextclick.ctr import TERMS, terms
from nextclick.settings import RankingSettings
from serving.index.index import ServingIndex
from serving.index.items import Floats
from serving.ranking.pool import Candidates
from serving.ranking.visitor import Known

_DAY_MS: Final = 86_400_000


class Scored(NamedTuple):
    """The scores of a pool; arrays as long as the pool."""

    score: Floats
    terms: dict[str, Floats]
    features: dict[str, Floats]
    """By the names of nextclick.ctr.FEATURES: what the record of the answer keeps."""
    weights: dict[str, float]


def weights(ranking: RankingSettings, edition: ServingIndex, asked: Mapping[str, float]) -> dict[str, float]:
    """Weight of each term; they sum to 1. By falling precedence: `asked` (an experiment's), the click model's, conf/."""
    conf, learned = ctr.weights(ranking), edition.ctr.weights if edition.ctr else {}
    found = {term: asked.get(term, learned.get(term, conf[term])) for term in TERMS}
    whole = sum(found.values()) or 1.0
    return {term: found[term] / whole for term in TERMS}


def score(
    edition: ServingIndex,
    pool: Candidates,
    known: Known,
    ranking: RankingSettings,
    now: int,
    asked: Mapping[str, float],
) -> Scored:
    """Score a pool at `now` (ms). What is not a number counts as 0, or, from the click model, as popularity."""
    weight = weights(ranking, edition, asked)
    features = {
        "popularity": edition.popularity[pool.number],
        "recency": _recency(edition, pool, now, ranking.recency_half_life_days),
        "category_match": _category_match(edition, pool, known),
        "personal": pool.personal,
        "similar": pool.similar,
        "affinity": _affinity(edition, pool, known),
    }
    found = terms(features, edition.ctr.predict(features) if edition.ctr else features["popularity"])
    total: Floats = sum((weight[term] * found[term] for term in TERMS), start=np.zeros(len(pool)))
    return Scored(np.fmax(total, 0.0), found, features, weight)


def _recency(edition: ServingIndex, pool: Candidates, now: int, half_life_days: float) -> Floats:
    """2^(−age / half-life), age since the item was first seen; 0 where nobody knows."""
    age = np.maximum(0.0, now - edition.catalogue.first_seen[pool.number]) / _DAY_MS
    return np.fmax(np.exp2(-age / half_life_days), 0.0)  # of a number and none, fmax takes the number


def _affinity(edition: ServingIndex, pool: Candidates, known: Known) -> Floats:
    """How near an item is to the visitor's live embedding; 0 without one."""
    if edition.vectors is None or known.embedded is None:
        return np.zeros(len(pool))
    return edition.vectors.affinity(known.embedded, pool.number)


def _category_match(edition: ServingIndex, pool: Candidates, known: Known) -> Floats:
    """1 in the category of this session or of the last event, else interest in the category over the strongest interest."""
    code, found = edition.catalogue.code, known.features
    match = np.zeros(int(max(pool.category.max(initial=0), len(code))) + 2)  # the last row stands for UNKNOWN
    most = max(found.interest.values(), default=0.0)
    for name, interest in found.interest.items():
        if name in code and interest > 0:
            match[code[name]] = interest / most
    for name in (found.session_category, found.last_category):
        if name in code:
            match[code[name]] = 1.0
    return match[pool.category]

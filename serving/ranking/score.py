"""The score of an item: the weighted sum of nextclick.ctr.TERMS, each in [0, 1]; docs/api.md has the formula."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from nextclick import ctr
from nextclick.ctr import FEATURES, TERMS, Term, terms
from nextclick.settings import RankingSettings
from serving.index.index import ServingIndex
from serving.index.items import Floats, Numbers, zeros
from serving.ranking.candidates import Candidates
from serving.ranking.visitor import Known

_DAY_MS: Final = 86_400_000
LAMBDAMART: Final = "lambdamart"
"""In the place of the terms, where a learned ranker ranks (serving/index/lambdamart.py)."""


class Scored(NamedTuple):
    """The scores of candidates; arrays as long as these."""

    score: Floats
    columns: Floats
    """[features × candidates], in the order of nextclick.ctr.FEATURES: what the record of the answer keeps."""
    weights: dict[str, float]
    """Of the terms; of LAMBDAMART alone where that ranked."""
    foreseen: Floats | None = None
    """The probability of a click, where a click model says it."""

    @property
    def features(self) -> dict[str, Floats]:
        """By the names of nextclick.ctr.FEATURES."""
        return dict(zip(FEATURES, self.columns, strict=True))

    @property
    def terms(self) -> dict[str, Floats]:
        """By nextclick.ctr.TERMS: what the weighted score is made of."""
        features = self.features
        return terms(features, features["popularity"] if self.foreseen is None else self.foreseen)

    def take(self, rows: Numbers) -> "Scored":
        """Some rows, in that order."""
        foreseen = None if self.foreseen is None else self.foreseen.take(rows)
        return Scored(self.score.take(rows), self.columns.take(rows, axis=1), self.weights, foreseen)


def weights(ranking: RankingSettings, index: ServingIndex, overrides: Mapping[Term, float]) -> dict[str, float]:
    """Weight of each term; they sum to 1. By falling precedence: `overrides` (an experiment's), the click model's, conf/."""
    learned = index.ctr.weights if index.ctr else {}
    raw = {**ctr.weights(ranking), **learned, **overrides}
    whole = sum(raw.values()) or 1.0
    return {term: weight / whole for term, weight in raw.items()}


def score(
    index: ServingIndex,
    candidates: Candidates,
    known: Known,
    ranking: RankingSettings,
    now: int,
    overrides: Mapping[Term, float],
) -> Scored:
    """Score candidates at `now` (ms). What is not a number counts as 0, or, from the click model, as popularity."""
    weight = weights(ranking, index, overrides)
    features = {
        "popularity": index.popularity.take(candidates.number),
        "recency": _recency(index, candidates, now, ranking.recency_half_life_days),
        "category_match": _category_match(index, candidates, known),
        "personal": candidates.personal,
        "similar": candidates.similar,
        "affinity": _affinity(index, candidates, known),
    }
    columns = np.array([features[name] for name in FEATURES])
    foreseen = index.ctr.predict(features) if index.ctr else None
    if index.ranker and not overrides:  # an experiment that sets weights compares these
        return Scored(index.ranker.scores(features), columns, {LAMBDAMART: 1.0}, foreseen)
    values = terms(features, features["popularity"] if foreseen is None else foreseen)
    total = np.zeros(len(candidates))
    for term in TERMS:
        total += weight[term] * values[term]
    return Scored(np.fmax(total, 0.0), columns, weight, foreseen)


def _recency(index: ServingIndex, candidates: Candidates, now: int, half_life_days: float) -> Floats:
    """2^(−age / half-life), age since the item was first seen; 0 where nobody knows."""
    older = index.catalogue.first_seen.take(candidates.number)
    older -= now
    np.minimum(older, 0.0, out=older)
    older /= _DAY_MS * half_life_days
    recency: Floats = np.exp2(older, out=older)
    return recency


def _affinity(index: ServingIndex, candidates: Candidates, known: Known) -> Floats:
    """How near an item is to the visitor's live embedding; 0 without one."""
    if index.vectors is None or known.embedded is None:
        return zeros(len(candidates))
    number = candidates.number
    return index.vectors.affinity(known.embedded, number, index.among(number, known.embedded.used))


def _category_match(index: ServingIndex, candidates: Candidates, known: Known) -> Floats:
    """1 in the category of this session or of the last event, else interest in the category over the strongest interest."""
    code, features = index.catalogue.code, known.features
    # The first place stands for UNKNOWN, the last for categories that the catalogue does not have.
    by_code = np.zeros(len(code) + 2)
    most = next(iter(features.interest.values()), 0.0)  # the strongest comes first
    for name, interest in features.interest.items():
        if interest <= 0:
            break
        if (at := code.get(name)) is not None:
            by_code[at + 1] = interest / most
    for name in (features.session_category, features.last_category):
        if name in code:
            by_code[code[name] + 1] = 1.0
    return by_code.take(candidates.category + 1, mode="clip")

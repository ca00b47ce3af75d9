"""From candidates to a list: rules, fill, score, order, pick."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from nextclick.ctr import Term
from nextclick.settings import RankingSettings
from serving.index.index import ServingIndex
from serving.index.items import Floats, Numbers
from serving.ranking import rules as ruling
from serving.ranking.candidates import Candidates
from serving.ranking.rules import AnswerRules
from serving.ranking.score import Scored, score
from serving.ranking.visitor import Known
from serving.schema.responses import Source

By = Literal["score", "popularity", "likeness"]
"""What decides: the score; popularity alone; or how like it is, before everything that resembles nothing."""


class Ranked(NamedTuple):
    """A list, best first; every array has a row a place."""

    candidates: Candidates
    scored: Scored
    boost: Floats
    score: Floats
    """Of the scored terms, times the boost."""
    by: By

    @property
    def source(self) -> Source:
        """Where the list comes from: of the ways that gave an item of it, the first in the chain."""
        of = self.candidates
        if not len(of):
            return "none"
        if np.count_nonzero(of.similar):
            return "similar" if self.by == "likeness" else "session"
        if np.count_nonzero(of.personal):
            return "personal"
        in_categories = set(of.in_categories.tolist())
        return "popular" if in_categories.isdisjoint(of.number.tolist()) else "popular_in_categories"

    def take(self, rows: Numbers) -> "Ranked":
        """Some rows, in that order."""
        taken = self.candidates.take(rows), self.scored.take(rows), self.boost.take(rows), self.score.take(rows)
        return Ranked(*taken, self.by)


class Order(NamedTuple):
    """How a list is put in order."""

    ranking: RankingSettings
    now: int
    """Milliseconds since 1970-01-01 UTC."""
    weights: Mapping[Term, float]
    """By term; they win over those in conf/."""
    by: By = "score"


def rank(
    index: ServingIndex,
    candidates: Candidates,
    known: Known,
    rules: AnswerRules,
    need: int,
    order: Order,
    fill: bool = True,
) -> Ranked:
    """The `need` best candidates that the rules let through; `fill`: from the catalogue, where these are too few."""
    candidates = ruling.filled(index, rules, candidates, need if fill else 0, known)
    scored = score(index, candidates, known, order.ranking, order.now, order.weights)
    boost = ruling.boosts(rules, candidates)
    total = _deciding(scored, order.by) * boost
    best_first = np.lexsort((index.rank.take(candidates.number), -total))  # of equal ones the more popular
    rows = ruling.pick(best_first, candidates.category, need, rules.per_category)
    return Ranked(candidates, scored, boost, total, order.by).take(rows)


def _deciding(scored: Scored, by: By) -> Floats:
    """In [0, 1]."""
    if by == "popularity":
        return scored.features["popularity"]
    if by == "likeness":
        like = scored.features["similar"]
        return 0.5 * np.where(like > 0, 1.0 + like, scored.score)
    return scored.score

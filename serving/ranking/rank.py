"""From candidates to a list: rules, fill, score, order, pick."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np

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
        if of.similar.any():
            return "similar" if self.by == "likeness" else "session"
        if of.personal.any():
            return "personal"
        return "popular_in_categories" if np.isin(of.number, of.in_categories).any() else "popular"

    def take(self, rows: Numbers) -> "Ranked":
        """Some rows, in that order."""
        terms, features = _taken(rows, self.scored.terms, self.scored.features)
        scored = Scored(
            self.scored.score.take(rows),
            terms,
            features,
            self.scored.weights,
            None if self.scored.foreseen is None else self.scored.foreseen.take(rows),
        )
        return Ranked(self.candidates.take(rows), scored, self.boost.take(rows), self.score.take(rows), self.by)


def _taken(rows: Numbers, *groups: dict[str, Floats]) -> Iterator[dict[str, Floats]]:
    """Some rows of every column; one that stands in several groups is taken once."""
    taken: dict[int, Floats] = {}
    for group in groups:
        for values in group.values():
            if id(values) not in taken:
                taken[id(values)] = values.take(rows)
        yield {name: taken[id(values)] for name, values in group.items()}


class Order(NamedTuple):
    """How a list is put in order."""

    ranking: RankingSettings
    now: int
    """Milliseconds since 1970-01-01 UTC."""
    weights: Mapping[str, float]
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
    first = np.lexsort((index.rank.take(candidates.number), -total))
    rows = ruling.pick(first, candidates.category, need, rules.per_category)
    return Ranked(candidates, scored, boost, total, order.by).take(rows)


def _deciding(scored: Scored, by: By) -> Floats:
    """In [0, 1]."""
    if by == "popularity":
        return scored.features["popularity"]
    if by == "likeness":
        like = scored.features["similar"]
        return 0.5 * np.where(like > 0, 1.0 + like, scored.score)
    return scored.score

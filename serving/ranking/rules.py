"""Which items may be in a list, and how many of a category: what conf/ says and what the request adds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextclick.profile.profile import KINDS_BY_CODE
from nextclick.settings import RuleSettings as Conf
from serving.index.index import ServingIndex
from serving.index.items import NOTHING, UNKNOWN, Floats, ItemColumns, Numbers, ones
from serving.ranking.candidates import Candidates, annotate, of_numbers
from serving.ranking.visitor import Known
from serving.schema.requests import FilteredRequest

_SEEN = tuple(map(KINDS_BY_CODE.index, ("view_item", "page_view", "click", "play")))
_BOUGHT = (KINDS_BY_CODE.index("purchase"),)
_NOWHERE = -2
"""The code of a currency that no price has."""
_BLOCK = 16_384
"""Items of the catalogue that are looked at together."""


class AnswerRules(NamedTuple):
    """The rules of one answer, by index of item and code of category."""

    categories: Numbers | None
    """Only these; None: all."""
    price_min: float | None
    price_max: float | None
    currency: int
    """The code of the only currency whose prices the limits above may be compared with."""
    only_recommendable: bool
    """Only what the catalogue knows, or, where there is none, people used."""
    only_available: bool
    allow: Numbers | None
    """Only these; None: all."""
    hidden: Numbers
    """None of these."""
    per_category: int
    """0: no limit."""
    item_boost: dict[int, float]
    category_boost: dict[int, float]


def rules(
    stock: ItemColumns, conf: Conf, request: FilteredRequest, known: Known, hidden: Collection[str] = ()
) -> AnswerRules:
    """The rules of conf/ and of a request together: lists of items meet or add up, single values of the request win."""
    boosts = conf.boost | dict(map(_boost, request.boost))
    return AnswerRules(
        categories=_codes(stock, request.categories) if request.categories else None,
        price_min=request.price_min,
        price_max=request.price_max,
        currency=stock.currency_code.get(request.currency.upper(), _NOWHERE)
        if request.currency
        else stock.site_currency,
        only_recommendable=True,
        only_available=conf.only_available if request.available is None else request.available,
        allow=_allowed(stock, conf.allow, request.allow),
        hidden=_hidden(stock, conf, request, known, hidden),
        per_category=conf.per_category if request.per_category is None else request.per_category,
        item_boost=_boosted(boosts, "item:", stock.number),
        category_boost=_boosted(boosts, "category:", stock.code),
    )


def never(stock: ItemColumns, conf: Conf, request: FilteredRequest, known: Known) -> set[str]:
    """The ids of the items that a list may not hold: denied, seen, bought, by the live profile and by the history."""
    ids, numbers = _never(conf, request, known)
    return {*ids, *(stock.ids[number] for number in numbers)}


def _hidden(stock: ItemColumns, conf: Conf, request: FilteredRequest, known: Known, more: Collection[str]) -> Numbers:
    """The same, and `more`, by index of item."""
    ids, numbers = _never(conf, request, known)
    if not (ids or numbers or more):
        return NOTHING
    return np.array([stock.number[item] for item in (*ids, *more) if item in stock.number] + numbers, np.int64)


def _never(conf: Conf, request: FilteredRequest, known: Known) -> tuple[list[str], list[int]]:
    """The ids of the live profile, of conf/ and of the request; the indices of the history. An item may be there twice."""
    hide_seen = conf.hide_seen if request.hide_seen is None else request.hide_seen
    hide_bought = conf.hide_bought if request.hide_bought is None else request.hide_bought
    codes = (*_SEEN * hide_seen, *_BOUGHT * hide_bought)
    done = [action.item for action in known.profile.actions if action.code in codes]
    return [*conf.deny, *request.deny, *done], [*known.seen * hide_seen, *known.bought * hide_bought]


def may_show(index: ServingIndex, ruleset: AnswerRules, candidates: Candidates) -> NDArray[np.bool_]:
    """Which of the candidates may be shown; where a rule needs a fact that nobody knows, the item may not."""
    if ruleset.only_available and ruleset.only_recommendable:  # so they are the catalogue's, and no caller's own
        fine = index.shown.take(candidates.number)
    elif ruleset.only_recommendable:
        fine = index.catalogue.recommendable.take(candidates.number)
    else:
        fine = candidates.available != 0 if ruleset.only_available else np.ones(len(candidates), bool)
    if ruleset.categories is not None:
        fine &= np.isin(candidates.category, ruleset.categories)
    if ruleset.price_min is not None or ruleset.price_max is not None:
        own = index.catalogue.currency[candidates.number]
        fine &= np.where(own == UNKNOWN, index.catalogue.site_currency, own) == ruleset.currency
    if ruleset.price_min is not None:
        fine &= candidates.price >= ruleset.price_min
    if ruleset.price_max is not None:
        fine &= candidates.price <= ruleset.price_max
    if ruleset.allow is not None:
        fine &= index.among(candidates.number, ruleset.allow)
    if len(ruleset.hidden):
        fine &= ~index.among(candidates.number, ruleset.hidden)
    return fine


def boosts(ruleset: AnswerRules, candidates: Candidates) -> Floats:
    """The factor of each item's score."""
    if not (ruleset.category_boost or ruleset.item_boost):
        return ones(len(candidates))
    factor = np.ones(len(candidates))
    for code, by in ruleset.category_boost.items():
        factor[candidates.category == code] *= by
    for number, by in ruleset.item_boost.items():
        factor[candidates.number == number] *= by
    return factor


def filled(index: ServingIndex, ruleset: AnswerRules, candidates: Candidates, need: int, known: Known) -> Candidates:
    """The candidates that may be shown, and, where they are fewer than `need`, more of the catalogue.

    First what is left of the visitor's own lists, then the popular ones first.

    Fewer come back only where the rules leave fewer in the whole catalogue.
    """
    fine = may_show(index, ruleset, candidates)
    if np.count_nonzero(fine) < len(fine):
        candidates = candidates.take(fine.nonzero()[0])
    if not ruleset.per_category and len(candidates) >= need:
        return candidates
    used = _Used(ruleset.per_category, candidates.category)
    if used.places >= need:
        return candidates
    blocks = _blocks(index, ruleset, candidates, known)
    more = [number for block in blocks for number in used.fitting(block, index, need)]
    if not more:
        return candidates
    extra = of_numbers(index.catalogue, np.array(more, np.int64), candidates.in_categories)
    columns = map(np.concatenate, zip(candidates.columns(), extra.columns(), strict=True))
    whole = Candidates(candidates.in_categories, *columns)
    annotate(index, whole, known)
    return whole


def pick(order: Numbers, category: Numbers, n: int, per_category: int) -> Numbers:
    """The first n rows of `order`, at most `per_category` of a known category (0: no limit)."""
    if not per_category:
        return order[:n]
    counts: dict[int, int] = {}
    picked: list[int] = []
    for row, code in zip(order.tolist(), category[order].tolist(), strict=True):
        if len(picked) == n:
            break
        if code == UNKNOWN or counts.get(code, 0) < per_category:
            counts[code] = counts.get(code, 0) + 1
            picked.append(row)
    return np.array(picked, np.int64)


class _Used:
    """How many places of a list the items so far can fill, with at most `most` of a category."""

    def __init__(self, most: int, category: Numbers) -> None:
        self._most = most
        self._count: dict[int, int] = {}
        self.places = 0
        for code in category.tolist():
            self._add(code)

    def fitting(self, block: Numbers, index: ServingIndex, need: int) -> Iterable[int]:
        """Those of a block that fill another place, until there are `need`."""
        codes = index.catalogue.category[block]
        if self._most:
            over = [code for code, count in self._count.items() if count >= self._most]
            block, codes = block[~np.isin(codes, over)], codes[~np.isin(codes, over)]
        for number, code in zip(block.tolist(), codes.tolist(), strict=True):
            if self.places >= need:
                return
            if self._add(code):
                yield number

    def _add(self, code: int) -> bool:
        fits = not self._most or code == UNKNOWN or self._count.get(code, 0) < self._most
        if fits:
            self.places += 1
            if code != UNKNOWN:
                self._count[code] = self._count.get(code, 0) + 1
        return fits


def _blocks(index: ServingIndex, ruleset: AnswerRules, candidates: Candidates, known: Known) -> Iterable[Numbers]:
    """Items beside the candidates that may be shown, each once."""
    own = np.concatenate([known.personal if known.personal is not None else candidates.number[:0], *known.similar])
    own = own[np.sort(np.unique(own, return_index=True)[1])]
    source = index.by_popularity
    if ruleset.allow is not None:
        source = _popular_first(index, ruleset.allow)
    elif ruleset.categories is not None:
        parts = [index.of_category(code) for code in ruleset.categories.tolist()]
        source = _popular_first(index, np.concatenate([source[:0], *parts]))
    yield _new(index, ruleset, own, candidates.number)
    done = np.concatenate([candidates.number, own])
    for start in range(0, len(source), _BLOCK):
        yield _new(index, ruleset, source[start : start + _BLOCK], done)


def _new(index: ServingIndex, ruleset: AnswerRules, block: Numbers, done: Numbers) -> Numbers:
    """The items of a block that may be shown and are not done."""
    block = block[~index.among(block, done)]
    return block[may_show(index, ruleset, of_numbers(index.catalogue, block))]


def _popular_first(index: ServingIndex, items: Numbers) -> Numbers:
    return items[np.argsort(index.rank[items], kind="stable")]


def _boost(text: str) -> tuple[str, float]:
    name, _, factor = text.rpartition("=")
    return name, float(factor)


def _boosted(boosts: Mapping[str, float], kind: str, places: Mapping[str, int]) -> dict[int, float]:
    """The factors of names of one kind, by their place; of those that have one."""
    named = ((name.removeprefix(kind), factor) for name, factor in boosts.items() if name.startswith(kind))
    return {places[name]: factor for name, factor in named if name in places}


def _codes(stock: ItemColumns, names: Sequence[str]) -> Numbers:
    return np.array([stock.code[name] for name in dict.fromkeys(names) if name in stock.code], np.int64)


def _known(stock: ItemColumns, ids: Iterable[str]) -> Numbers:
    return np.array([stock.number[item] for item in dict.fromkeys(ids) if item in stock.number], np.int64)


def _allowed(stock: ItemColumns, *lists: Sequence[str]) -> Numbers | None:
    """The items on every list that names any; None where none does."""
    allowed = [set(each) for each in lists if each]
    return _known(stock, sorted(set.intersection(*allowed))) if allowed else None

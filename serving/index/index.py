"""Everything that answers are made of, of one version of the key-value table: an answer takes one index and no more."""

import logging
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from nextclick import ctr
from nextclick.errors import ModelError
from nextclick.kv.lists.packing import CONVERSION, CTR_MODEL, POPULAR, PREDICTIONS, QUERIES, RANKER, TRANSITIONS
from nextclick.kv.lists.protocol import Snapshot
from nextclick.next_item import ranker
from nextclick.profile import predictions
from nextclick.profile.conversion import ConversionRates
from nextclick.profile.predictions import Foreseeing
from serving.index import items as catalogues
from serving.index import vectors
from serving.index.items import NOTHING, UNKNOWN, Floats, ItemColumns, Numbers, places
from serving.index.lambdamart import Ranker
from serving.index.next_action import ActionTransitions
from serving.index.packed_lists import unpack_list
from serving.index.session_answers import NONE, SessionAnswers, SessionModels
from serving.index.suggest import SuggestionIndex
from serving.index.vectors import ItemVectors

_log: Final = logging.getLogger("_granian.serving")
Rows = TypeVar("Rows")
FRESH: Final = 1_000
"""Newest items that are kept in order."""


@dataclass(frozen=True, eq=False)
class ServingIndex:
    """One version in memory; lists of single people and items stay in the store."""

    snapshot: Snapshot
    catalogue: ItemColumns
    by_popularity: Numbers
    """All items: the popular list, then the others by strength."""
    rank: Numbers
    """Place of each item in by_popularity; one row more, for unknown items, the last place."""
    popularity: Floats
    """n / (n + κ) of each item's strength n; κ is the median of those in use. One row more: 0."""
    shown: NDArray[np.bool_]
    """Which items a list may hold where nobody asks for those that are not available. One row more, for unknown items."""
    in_categories: Numbers
    """All items by category, each category's by popularity."""
    category_starts: Sequence[int]
    """Where a category's items start in `in_categories`; one row more, the end."""
    newest: Numbers
    """The FRESH items that were seen first most lately, the newest first."""
    ctr: ctr.CtrModel | None
    """None: popularity is the expected click rate."""
    ranker: Ranker | None
    """None: the weighted score ranks."""
    transitions: ActionTransitions
    conversion: ConversionRates
    foreseeing: Foreseeing | None
    """What is said of predictions; None where the export has none."""
    suggestions: SuggestionIndex
    vectors: ItemVectors | None
    """None where no model places items."""
    sessions: SessionAnswers
    """What follows an open session."""

    _ages: list[float]
    """Of `newest`, rising: when each was seen first, below 0."""
    _row: Numbers
    """Scratch of `distinct` and `among`, UNKNOWN everywhere: answers are made one at a time."""
    _value: Floats
    """Scratch of `values`, 0 everywhere."""

    @property
    def version(self) -> int:
        return self.snapshot.manifest.version

    @property
    def model_version(self) -> str:
        return self.snapshot.manifest.lists.model_version

    def distinct(self, items: Numbers, others: Numbers = NOTHING) -> Numbers:
        """Each of `items` where it stands last, then those of `others`, no two of which are one, that are not among them."""
        both = np.concatenate([items, others])
        place = places(len(both))
        self._row[others] = place[len(items) :]
        self._row[items] = place[: len(items)]
        kept: Numbers = both[self._row.take(both) == place]
        self._row[both] = UNKNOWN
        return kept

    def among(self, numbers: Numbers, others: Numbers) -> NDArray[np.bool_]:
        """Which of `numbers` are among `others`; as `np.isin` would say, without sorting."""
        self._row[others] = 0
        mask: NDArray[np.bool_] = self._row.take(numbers) != UNKNOWN
        self._row[others] = UNKNOWN
        return mask

    def values(self, numbers: Numbers, items: Numbers, values: Floats) -> Floats:
        """For each of `numbers` the last of the `values` that `items` give it; 0 where none does."""
        self._value[items] = values
        last = self._value.take(numbers)
        self._value[items] = 0.0
        return last

    def of_category(self, code: int) -> Numbers:
        """The items of a category, the most popular first."""
        return self.in_categories[self.category_starts[code] : self.category_starts[code + 1]]

    def fresh(self, since: float) -> Numbers:
        """Items first seen after `since` (ms), the newest first."""
        return self.newest[: bisect_left(self._ages, -since)]


def load(snapshot: Snapshot, sessions: SessionModels | None = None) -> ServingIndex:
    """Read a version into memory. ModelError if it is damaged, VersionGone if it was dropped meanwhile.

    Without `sessions` open sessions are answered from lists of single items.
    """
    stock = catalogues.load(snapshot)
    count = len(stock)
    popular, model, transitions, queries, rates, foreseeing, learned = snapshot.get_many(
        [POPULAR, CTR_MODEL, TRANSITIONS, QUERIES, CONVERSION, PREDICTIONS, RANKER]
    )
    _, listed, scores = unpack_list(popular, count) if popular else (0, np.zeros(0, np.int64), np.zeros(0, np.float32))
    first = np.sort(np.unique(listed, return_index=True)[1])
    listed, scores = listed[first], scores[first]
    by_popularity = _by_popularity(listed, stock.strength[:count])
    rank = np.full(count + 1, count, np.int64)
    rank[by_popularity] = np.arange(count)
    popularity = _popularity(listed, scores, stock.strength)
    category = stock.category[:count]
    in_categories = np.lexsort((rank[:count], category))
    newest = _newest(stock)
    starts = np.searchsorted(category[in_categories], np.arange(len(stock.category_names) + 1))
    return ServingIndex(
        snapshot=snapshot,
        catalogue=stock,
        by_popularity=by_popularity,
        rank=rank,
        popularity=popularity,
        shown=stock.recommendable & (stock.available != 0),
        in_categories=in_categories,
        category_starts=starts.tolist(),
        newest=newest,
        ctr=_click_model(model),
        ranker=_ranker(learned),
        transitions=ActionTransitions(_counts(transitions, list[tuple[str, str, str, int]])),
        conversion=msgspec.msgpack.decode(rates, type=ConversionRates) if rates else ConversionRates(),
        foreseeing=_foreseeing(foreseeing),
        suggestions=SuggestionIndex(stock, popularity, _counts(queries, list[tuple[str, int]])),
        vectors=vectors.load(snapshot),
        sessions=sessions.read(snapshot, stock) if sessions else NONE,
        _ages=(-stock.first_seen[newest]).tolist(),
        _row=np.full(count + 1, UNKNOWN, np.int64),
        _value=np.zeros(count + 1),
    )


def _by_popularity(listed: Numbers, strength: Floats) -> Numbers:
    others = np.argsort(-strength, kind="stable")
    return np.concatenate([listed, others[~np.isin(others, listed)]])


def _popularity(listed: Numbers, scores: NDArray[np.floating[Any]], strength: Floats) -> Floats:
    """n / (n + κ); an item of the popular list has its n from there."""
    uses = np.maximum(strength, 0.0)
    uses[listed] = np.maximum(np.nan_to_num(scores), 0.0)
    used = uses[uses > 0]
    return uses / (uses + float(np.median(used))) if len(used) else uses


def _newest(stock: ItemColumns) -> Numbers:
    seen = stock.first_seen[: len(stock)]
    order = np.argsort(-seen, kind="stable")[:FRESH]
    return order[np.isfinite(seen[order])]


def _click_model(value: bytes | None) -> ctr.CtrModel | None:
    """The click model; one that cannot be used costs no list: popularity stands for it."""
    try:
        return ctr.decode(value) if value is not None else None
    except ModelError as error:
        _log.warning("%s Popularity is used instead.", error)
        return None


def _ranker(value: bytes | None) -> Ranker | None:
    """The learned ranker; one that cannot be used costs no list: the weighted score stands for it."""
    try:
        return Ranker(ranker.decode(value)) if value else None
    except ModelError as error:
        _log.warning("%s The weighted score ranks instead.", error)
        return None


def _foreseeing(value: bytes | None) -> Foreseeing | None:
    """What is said of predictions; what cannot be used costs no list: counted rates stand for it."""
    try:
        return predictions.foreseeing(value) if value is not None else None
    except ModelError as error:
        _log.warning("%s Counted rates are used instead.", error)
        return None


def _counts(value: bytes | None, kind: type[Rows]) -> Rows:
    """Stored rows; none where the version has none."""
    try:
        return msgspec.msgpack.decode(value or b"\x90", type=kind)
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"Counts of the key-value table are damaged: {error}. Run `nextclick export --full`."
        ) from error

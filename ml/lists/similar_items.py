"""Items like an item: the personal model's vectors, the sessions that items share, or how they are described.

Which of them is asked is chosen by the clicks of the validation part, apart for items that
many have used and for items that few have: of an item that was looked at, is the next one
of the session among the k most similar (HR@k)? Every model knows what was known when that
part began. Whoever the chosen model knows nothing of has the list of those described
alike, so that an item that nobody has used has neighbours, too. An item's next and an
item's like are not the same, but a list of likes that people never follow is of no use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml.data.interactions import IdMap, Interactions, Rows
from ml.data.sessions import Sessions
from ml.data.split import Split
from ml.evaluation import prequential
from ml.lists import next_items
from ml.models.item_item.item2vec import Item2Vec
from ml.models.item_item.tfidf import DescribedItem, Tfidf, TfidfModel
from ml.models.protocol import Embedding, Embeds, Lists, SimilarItems
from ml.registry.artifact import Artifact, SimilarSource
from nextclick.contracts import silver
from nextclick.lake import delta
from nextclick.settings import Settings

PERSONAL, SESSIONS, TFIDF = "personal", "item2vec", "tfidf"
OFTEN = 20
"""People who have used an item from whom on it counts as used often."""
_WORK = 3e9
"""Products of words that are summed for lists of items described alike, at most: about a minute on one core."""


class SimilarItemsChoice(NamedTuple):
    """What was chosen, and by what."""

    similar_source: SimilarSource
    validation: dict[str, float]
    """HR@k by `often.MODEL` and `seldom.MODEL`."""
    test: dict[str, float]
    """The same of the same models on the test part."""


@dataclass(frozen=True)
class ByUse:
    """One model for items that are used often, one for the others, and content where these know nothing."""

    models: Mapping[str, SimilarItems]
    """By name; what is not there knows nothing."""
    similar_source: SimilarSource
    often: NDArray[np.bool_]
    """Of each item."""

    def similar(self, items: Rows, n: int) -> Lists:
        lists = Lists(np.full((len(items), n), -1, np.int32), np.zeros((len(items), n), np.float32))
        often = self.often[items]
        for name, whose in ((self.similar_source.often, often), (self.similar_source.seldom, ~often)):
            self._fill(lists, items, whose, name, n)
        for name in (TFIDF, PERSONAL):
            self._fill(lists, items, np.asarray((lists.items < 0).all(axis=1)), name, n)
        return lists

    def embedding(self) -> Embedding | None:
        """The vectors of item2vec, where it was learned."""
        learned = self.models.get(SESSIONS)
        return learned.model.embedding() if isinstance(learned, Bounded) and isinstance(learned.model, Embeds) else None

    def _fill(self, lists: Lists, items: Rows, whose: NDArray[np.bool_], name: str, n: int) -> None:
        if name in self.models and whose.any():
            lists.items[whose], lists.scores[whose] = self.models[name].similar(items[whose], n)


@dataclass(frozen=True)
class Bounded:
    """A model over the first of the items of a longer id map, or that is asked about some of them only."""

    model: SimilarItems
    known: NDArray[np.bool_]
    """Of each item whether the model is asked."""

    def similar(self, items: Rows, n: int) -> Lists:
        lists = Lists(np.full((len(items), n), -1, np.int32), np.zeros((len(items), n), np.float32))
        known = self.known[items]
        if known.any():
            similar = self.model.similar(items[known], n)
            width = similar.items.shape[1]
            lists.items[known, :width], lists.scores[known, :width] = similar
        return lists


def judge(settings: Settings, validation: Split, test: Split, model: object) -> SimilarItemsChoice | None:
    """Choose by the clicks from the validation's cut to the test's; None without silver.events.

    `model` is fitted on the validation's training part, as the others are here. Where
    clicks are too few to tell: the personal model for items used often, content for the others.
    """
    data = next_items.read(settings, validation.train.items)
    if data is None:
        return None
    sessions, _ = data
    ids, described = catalogue(settings, validation.train.items, known_only=True)
    models: dict[str, SimilarItems] = {
        SESSIONS: Item2Vec(seed=settings.als.seed).fit(sessions.between(0, validation.cut)),
        TFIDF: _content(described, np.arange(len(ids), dtype=np.int32)),
    }
    if isinstance(model, SimilarItems):
        models[PERSONAL] = model
    often = used_often(validation.train)
    rates = [
        _rates(settings, models, often, sessions, begin, end)
        for begin, end in ((validation.cut, test.cut), (test.cut, sessions.as_of + 1))
    ]
    similar_source = SimilarSource(
        often=_best(rates[0], "often", PERSONAL if PERSONAL in models else SESSIONS),
        seldom=_best(rates[0], "seldom", TFIDF),
    )
    return SimilarItemsChoice(similar_source, *rates)


def used_often(pairs: Interactions) -> NDArray[np.bool_]:
    """Of each item whether many people have used it."""
    return np.bincount(pairs.item, minlength=len(pairs.items)) >= OFTEN


def of(settings: Settings, artifact: Artifact, some: Rows | None = None) -> tuple[ByUse, IdMap, Rows]:
    """What gives the lists, over which items, and of which of them there are lists.

    Of all items, and of those that the catalogue describes and nobody has used. In an
    update of `some` alone: no sessions are learned then.
    """
    ids, described = catalogue(settings, artifact.items)
    used = np.zeros(len(ids), np.int64)
    used[: len(artifact.items)] = artifact.seen.getnnz(axis=0)
    rows = np.arange(len(ids), dtype=np.int32) if some is None else some
    seldom_first = rows[np.argsort(used[rows], kind="stable")]
    models: dict[str, SimilarItems] = {TFIDF: _content(described, seldom_first)}
    known = np.arange(len(ids)) < len(artifact.items)
    if isinstance(artifact.model, SimilarItems):
        models[PERSONAL] = Bounded(artifact.model, known)
    similar_source = artifact.card.similar
    if some is None and SESSIONS in (similar_source.often, similar_source.seldom):
        data = next_items.read(settings, artifact.items)
        if data:
            models[SESSIONS] = Bounded(Item2Vec(seed=settings.als.seed).fit(data[0]), known)
    return ByUse(models, similar_source, used >= OFTEN), ids, rows


def catalogue(settings: Settings, items: IdMap, known_only: bool = False) -> tuple[IdMap, list[DescribedItem]]:
    """`items` and, after them, what silver.items describes besides; and what it says of each."""
    table = delta.open_table(settings.lake, silver.ITEMS.name)
    if table is None:
        return items, [DescribedItem()] * len(items)
    rows = pa.table(
        table.to_pyarrow_dataset().to_table(
            columns=["item_id", "name", "category", "attributes"],
            filter=(pc.field("site") == settings.site)
            & (pc.field("name").is_valid() | pc.field("category").is_valid() | pc.field("attributes").is_valid()),
        )
    )
    item_ids = rows["item_id"].cast(pa.string()).combine_chunks()
    ids = items if known_only else items.extended(item_ids.filter(pa.array(items.rows(item_ids) < 0)))
    described = [DescribedItem()] * len(ids)
    for place, row in zip(ids.rows(item_ids).tolist(), rows.to_pylist(maps_as_pydicts="strict"), strict=True):
        if place >= 0:
            attributes = tuple((row["attributes"] or {}).items())
            described[place] = DescribedItem(row["name"], row["category"], attributes)
    return ids, described


def _content(described: list[DescribedItem], first: Rows) -> Bounded:
    """Asked about the `first` items as long as their words meet no more than _WORK words in all."""
    model: TfidfModel = Tfidf().fit(described)
    words = model.item_words
    meet = words.astype(bool).astype(np.float64) @ words.getnnz(axis=0)
    known = np.zeros(len(described), np.bool_)
    known[first[np.cumsum(meet[first]) <= _WORK]] = True
    return Bounded(model, known)


def _rates(
    settings: Settings,
    models: Mapping[str, SimilarItems],
    often: NDArray[np.bool_],
    sessions: Sessions,
    begin: int,
    end: int,
) -> dict[str, float]:
    """HR@k of each model on the clicks from `begin` until `end`, by how often the item before had been used."""
    clicks = sessions.clicks_that_follow(begin, end, settings.als.seed)
    before, after = sessions.item[clicks - 1], sessions.item[clicks]
    items, place = np.unique(before, return_inverse=True)
    rates: dict[str, float] = {}
    for name, model in models.items():
        hit = prequential.rank(model.similar(items, settings.evaluation.k).items[place], after) > 0
        for use, whose in (("often", often[before]), ("seldom", ~often[before])):
            if whose.sum() >= next_items.FEWEST:
                rates[f"{use}.{name}"] = float(hit[whose].mean())
    return rates


def _best(rates: Mapping[str, float], use: str, default: str) -> str:
    candidates = {
        name: rates[f"{use}.{name}"] for name in (default, PERSONAL, SESSIONS, TFIDF) if f"{use}.{name}" in rates
    }
    return max(candidates, key=candidates.__getitem__, default=default)


def figures(judged: SimilarItemsChoice, k: int) -> dict[str, float]:
    """By the names that MLflow and `status` know them by."""
    parts = (("validation.", judged.validation), ("", judged.test))
    return {f"{part}similar.{name}.hr@{k}": rate for part, rates in parts for name, rate in rates.items()}


def words(similar_source: SimilarSource) -> dict[str, str]:
    """The choice as facts of a run."""
    return {f"similar.{use}": name for use, name in msgspec.to_builtins(similar_source).items()}

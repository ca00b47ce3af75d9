"""From a model to the lists that are served: gold.recommendations, gold.popular_items, gold.similar_items.

The three tables are overwritten by a full publication (here) and changed in part by an
update (ml/jobs/update.py). gold.recommendations is committed last, and that commit carries
the manifest (nextclick/lake/lists_manifest.py): lists_id, model_version, interactions_version (the
cursor), generated_at, and the versions of the other two tables that belong to it. A
reader takes the manifest, then the tables at those versions, and sees one state.

What a manifest's lists are made of lies in `state` (an artifact, ml/registry/artifact.py), so
that updates go on from the lists that they belong to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml.data.interactions import IdMap, Rows
from ml.models.protocol import Lists, NextItem, Progress, SimilarItems, quiet
from ml.registry.artifact import Artifact
from nextclick.contracts import gold_lists
from nextclick.contracts.table import Table
from nextclick.settings import ListsSettings

BATCH = 8192
"""Lists made at a time: memory is bounded by about BATCH × top_n rows."""


@dataclass(frozen=True)
class ListStamp:
    """What every row of one publication says of itself."""

    site: str
    model_version: str
    generated_at: datetime

    def columns(self, rows: int) -> dict[str, pa.Array]:
        micros = np.full(rows, int(self.generated_at.timestamp() * 1_000_000))
        return {
            "site": _same(self.site, rows),
            "model_version": _same(self.model_version, rows),
            "generated_at": pa.array(micros, pa.timestamp("us", "UTC")),
        }


def personal_rows(
    artifact: Artifact, people: Rows, limits: ListsSettings, stamp: ListStamp, progress: Progress = quiet
) -> Iterator[pa.Table]:
    """Rows of gold.recommendations for `people`, in batches."""
    n = min(limits.top_n, len(artifact.items))
    for start in range(0, len(people), BATCH):
        batch = people[start : start + BATCH]
        lists = artifact.model.recommend(batch, n, artifact.seen[batch] if limits.mask_seen else None)
        yield person_rows(stamp, lists, artifact.items, artifact.people, batch)
        progress(start + len(batch), len(people))


def person_rows(stamp: ListStamp, lists: Lists, items: IdMap, people: IdMap, whose: Rows) -> pa.Table:
    """Rows of gold.recommendations of these lists; `whose` each is, by rows of `people`."""
    return _rows(gold_lists.RECOMMENDATIONS, stamp, lists, items, "item_id", ("person_id", people, whose))


def popular_rows(artifact: Artifact, limits: ListsSettings, stamp: ListStamp) -> Iterator[pa.Table]:
    """Rows of gold.popular_items: one list, for everybody."""
    lists = artifact.popular.recommend(np.zeros(1, np.int32), min(limits.popular_n, len(artifact.items)))
    yield _rows(gold_lists.POPULAR_ITEMS, stamp, lists, artifact.items, "item_id")


def similar_rows(model: SimilarItems, ids: IdMap, items: Rows, n: int, stamp: ListStamp) -> Iterator[pa.Table]:
    """Rows of gold.similar_items for `items`, rows of `ids`, in batches."""
    n = min(n, len(ids) - 1)
    for start in range(0, len(items) if n > 0 else 0, BATCH):
        batch = items[start : start + BATCH]
        lists = model.similar(batch, n)
        yield _rows(gold_lists.SIMILAR_ITEMS, stamp, lists, ids, "similar_item_id", ("item_id", ids, batch))


def next_rows(model: NextItem, items: IdMap, n: int, stamp: ListStamp) -> Iterator[pa.Table]:
    """Rows of gold.next_items, in batches: what follows each item, where nothing else is known."""
    every = np.arange(len(items), dtype=np.int32)
    for start in range(0, len(items), BATCH):
        batch = every[start : start + BATCH]
        lists = model.next_items(batch[:, None], min(n, len(items)))
        yield _rows(gold_lists.NEXT_ITEMS, stamp, lists, items, "next_item_id", ("item_id", items, batch))


def _rows(
    table: Table,
    stamp: ListStamp,
    lists: Lists,
    items: IdMap,
    item_column: str,
    key: tuple[str, IdMap, Rows] | None = None,
) -> pa.Table:
    """Lists in long form, one row per place, in the contract's order of columns; `key`: whose list each is."""
    listed = lists.items >= 0
    which, place = np.nonzero(listed)
    columns = stamp.columns(len(which)) | {
        "rank": pa.array(place + 1, pa.int32()),
        item_column: _ids(items, lists.items[listed]),
        "score": pa.array(lists.scores[listed]),
    }
    if key:
        column, ids, rows = key
        columns[column] = _ids(ids, rows[which])
    return pa.table([columns[name] for name in table.column_names], names=list(table.column_names))


def _ids(ids: IdMap, rows: Rows) -> pa.DictionaryArray:
    """The ids of `rows`, dictionary-encoded over those alone that occur."""
    used = np.flatnonzero(np.bincount(rows, minlength=len(ids)))
    code = np.empty(len(ids), np.int32)
    code[used] = np.arange(len(used), dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(code[rows]), ids.take(used))


def _same(text: str, rows: int) -> pa.DictionaryArray:
    zeros: NDArray[np.int32] = np.zeros(rows, np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(zeros), pa.array([text], pa.string()))

"""The vectors of the items that live embeddings are made of: gold.item_vectors.

Those of the served model where it factorizes, so that a visitor is folded in as the
nightly fit folds people in; else item2vec's, from the sessions that items share. An
update adds the vectors of new items; those of old ones stay as the full publication wrote
them, as the space must be one.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa

from ml.data.interactions import Floats, Rows
from ml.lists import next_items
from ml.lists.rows import ListStamp
from ml.lists.similar_items import ByUse
from ml.models.item_item.item2vec import Item2Vec
from ml.models.protocol import Embedding, Embeds
from ml.registry.artifact import Artifact
from nextclick.contracts import arrow, gold_lists
from nextclick.lake import commits, table_files
from nextclick.lake.lists_manifest import Vectors
from nextclick.lake.paths import Lake
from nextclick.settings import Settings

_BATCH = 65_536
"""Items a record batch."""


def publish(settings: Settings, artifact: Artifact, alike: ByUse, stamp: ListStamp) -> Vectors | None:
    """Make gold.item_vectors anew; None, and an empty table, where no model places items.

    `alike` made the lists of similar items: it may have learned item2vec already.
    """
    embedding = _of(artifact.model) or _of(alike) or _of_sessions(settings, artifact)
    if embedding is None:
        write(settings.lake, artifact.items.ids[:0], np.zeros((0, 1), np.float32), stamp, "overwrite")
        return None
    some = np.flatnonzero(embedding.vectors.any(axis=1)).astype(np.int32)
    return Vectors(
        table_version=write(settings.lake, artifact.items.take(some), embedding.vectors[some], stamp, "overwrite"),
        method=embedding.method,
        dimensions=embedding.vectors.shape[1],
        regularization=embedding.regularization,
        alpha=embedding.alpha,
    )


def add(
    settings: Settings, artifact: Artifact, new_items: Rows, stamp: ListStamp, current: Vectors | None
) -> Vectors | None:
    """Append the vectors of `new_items`; nothing where only sessions place items, which an update does not learn."""
    embedding = _of(artifact.model)
    if current is None or embedding is None or current.method != embedding.method:
        return current
    some = new_items[embedding.vectors[new_items].any(axis=1)]
    if not len(some):
        return current
    table = commits.create(settings.lake, gold_lists.ITEM_VECTORS)
    if table.version() != current.table_version:  # an update that was killed before its last commit left rows
        table.restore(current.table_version)
    version = write(settings.lake, artifact.items.take(some), embedding.vectors[some], stamp, "append")
    return msgspec.structs.replace(current, table_version=version)


def write(
    lake: Lake, ids: pa.StringArray, vectors: Floats, stamp: ListStamp, mode: Literal["overwrite", "append"]
) -> int:
    """Commit a row for each of `ids` with its row of `vectors`; returns the table's version."""
    schema = arrow.schema(gold_lists.ITEM_VECTORS)

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(ids), _BATCH):
            batch = np.ascontiguousarray(vectors[start : start + _BATCH], np.float32)
            ends = np.arange(len(batch) + 1, dtype=np.int32) * batch.shape[1]
            columns = stamp.columns(len(batch)) | {
                "item_id": ids[start : start + _BATCH],
                "vector": pa.ListArray.from_arrays(ends, batch.ravel()),
            }
            yield pa.record_batch([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)

    commits.create(lake, gold_lists.ITEM_VECTORS)
    rows = pa.RecordBatchReader.from_batches(schema, batches())
    commits.write(lake, gold_lists.ITEM_VECTORS, rows, mode)
    return table_files.delta_version(lake, gold_lists.ITEM_VECTORS)


def _of(model: object) -> Embedding | None:
    return model.embedding() if isinstance(model, Embeds) else None


def _of_sessions(settings: Settings, artifact: Artifact) -> Embedding | None:
    data = next_items.read(settings, artifact.items)
    return Item2Vec(seed=settings.als.seed).fit(data[0]).embedding() if data else None

"""Lists of more people than one process should make: on Spark's executors, by the code that makes them here, into the same files.

    vectors of people, and what they used ─► Delta ─► mapInArrow: rank, write a file ─► one commit with the manifest

Executors need the packages of this environment (numpy, implicit, pyarrow, deltalake); our own modules are sent to them.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from ml.data.interactions import IdMap
from ml.lists.rows import BATCH, ListStamp, person_rows
from ml.models.protocol import RanksVectors
from ml.registry.artifact import Artifact
from nextclick.contracts import gold_lists
from nextclick.lake import commits, files, table_files
from nextclick.lake.lists_manifest import ListsManifest
from nextclick.lake.paths import Lake
from nextclick.object_store import bucket
from nextclick.settings import CHECKOUT, Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SENT: Final = ("ml", "nextclick")
_FILES: Final = "path string, size long, stats string"
_PEOPLE: Final = pa.schema(
    {"row": pa.int32(), "person_id": pa.string(), "vector": pa.list_(pa.float32()), "seen": pa.list_(pa.int32())}
)
_ROWS_IN_BATCH: Final = "spark.sql.execution.arrow.maxRecordsPerBatch"


def why_not(settings: Settings, artifact: Artifact) -> str:
    """Why the lists are made in this process; empty where executors are to make them."""
    least = settings.spark.lists_from
    if not least or len(artifact.people) < least:
        return f"{len(artifact.people):,} people, spark.lists_from = {least}"
    if not isinstance(artifact.model, RanksVectors):
        return f"a list by {artifact.card.recipe.__struct_config__.tag} needs more than a person's vector"
    return ""


def replace(
    settings: Settings, artifact: Artifact, stamp: ListStamp, folder: str, manifest: ListsManifest | None = None
) -> int:
    """Make gold.recommendations the lists of everybody, in one commit; `folder`: where the vectors are put. Returns its version."""
    from spark_jobs.session import open_session

    lake = settings.lake
    commits.create(lake, gold_lists.RECOMMENDATIONS)
    commits.write_folder(folder, pa.RecordBatchReader.from_batches(_PEOPLE, _people(artifact)))
    written = _written(open_session(settings), settings, artifact, stamp, folder)
    return table_files.replace_by(lake, gold_lists.RECOMMENDATIONS, table_files.adds_of(written), manifest)


def _people(artifact: Artifact) -> Iterator[pa.RecordBatch]:
    """Each person's row: the id, the vector, and the rows of the items that were used."""
    model = artifact.model
    assert isinstance(model, RanksVectors)
    for start in range(0, len(artifact.people), BATCH):
        rows = np.arange(start, min(start + BATCH, len(artifact.people)), dtype=np.int32)
        vectors, seen = model.person_factors[rows], artifact.seen[rows]
        ends = np.arange(len(rows) + 1, dtype=np.int32) * vectors.shape[1]
        yield pa.record_batch(
            [
                pa.array(rows),
                artifact.people.take(rows),
                pa.ListArray.from_arrays(pa.array(ends), pa.array(vectors.ravel())),
                pa.ListArray.from_arrays(pa.array(seen.indptr, pa.int32()), pa.array(seen.indices, pa.int32())),
            ],
            schema=_PEOPLE,
        )


def _written(
    spark: "SparkSession", settings: Settings, artifact: Artifact, stamp: ListStamp, folder: str
) -> list[tuple[str, int, str]]:
    """The files that the executors wrote: path, bytes, statistics. One whose task was done twice is there twice, and named once."""
    context, lake = spark.sparkContext, settings.lake
    endpoint = bucket.Endpoint(settings.storage.endpoint.rstrip("/"), settings.storage.region)
    n = min(settings.lists.top_n, len(artifact.items))
    model = artifact.model
    assert isinstance(model, RanksVectors)
    shared = context.broadcast((model.alone(), artifact.items.ids, settings.lists.mask_seen))

    def rank(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if lake.address:
            bucket.reach(lake.address, endpoint)
        alone, items, mask = shared.value
        written, ids = table_files.Files(lake, gold_lists.RECOMMENDATIONS), IdMap(items)
        for batch in batches:
            vectors = batch["vector"].flatten().to_numpy().reshape(len(batch), -1)
            lists = alone.rank(vectors, n, _seen(batch["seen"], len(ids)) if mask else None)
            whose = np.arange(len(batch), dtype=np.int32)
            written.write(person_rows(stamp, lists, ids, IdMap(batch["person_id"]), whose))
        for add in written.close():
            yield pa.record_batch([[add.path], [add.size], [add.stats]], ["path", "size", "stats"])

    context.addPyFile(str(_modules(lake)))
    before = spark.conf.get(_ROWS_IN_BATCH)
    spark.conf.set(_ROWS_IN_BATCH, str(BATCH))
    try:
        people = spark.read.format("delta").load(folder)
        parts = people.repartitionByRange(context.defaultParallelism, "row").sortWithinPartitions("row")
        wrote: list[Any] = parts.drop("row").mapInArrow(rank, _FILES).collect()
    finally:
        spark.conf.set(_ROWS_IN_BATCH, str(before))
        shared.destroy()
    return [(row.path, row.size, row.stats) for row in wrote]


def _seen(lists: pa.ListArray, items: int) -> csr_matrix:
    """One row a person: 1 where the item was used."""
    offsets = lists.offsets.to_numpy()
    used = lists.values.to_numpy()[offsets[0] : offsets[-1]]
    return csr_matrix((np.ones(len(used), np.float32), used, offsets - offsets[0]), shape=(len(lists), items))


def _modules(lake: Lake) -> Path:
    """Our modules, as executors import them: named by what they are, since a session takes no other content for a name.

    The file stays: executors that come later in the session fetch it, too.
    """
    sources = {file: file.read_bytes() for room in _SENT for file in sorted((CHECKOUT / room).rglob("*.py"))}
    digest = hashlib.sha256(b"".join(sources.values())).hexdigest()[:16]
    archive = lake.state / f"nextclick-{digest}.zip"
    with files.new_file(str(archive)) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file, text in sources.items():
            zipped.writestr(
                zipfile.ZipInfo(str(file.relative_to(CHECKOUT))), text
            )  # of 1980, so that equal sources are equal bytes
    return archive

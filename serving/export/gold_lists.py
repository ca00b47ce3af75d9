"""Gold's tables of lists, at one version each, turned into packed entries in bounded memory.

gold.recommendations ─► whole lists, in order ─► arrays ─► (key, packed list)
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from nextclick.contracts.gold_lists import ITEM_VECTORS, NEXT_ITEMS, POPULAR_ITEMS, RECOMMENDATIONS, SIMILAR_ITEMS
from nextclick.errors import LakeError, ModelError, NextclickError, TableMissing
from nextclick.kv.lists.packing import HEADER, LONG, PAIRS, POPULAR, SHORT, next_key, pack_ids, person_key, similar_key
from nextclick.kv.lists.protocol import Entry
from nextclick.lake import delta, lists_manifest
from nextclick.lake.paths import Lake
from serving.index.packed_lists import DTYPES

if TYPE_CHECKING:
    from deltalake import DeltaTable

ROWS = 1 << 20
"""Rows in memory at a time, about 30 MB; the reader is at most two such batches ahead."""


class Disordered(NextclickError):
    """Rows of a list are not together, in rank order from 1, and once: sort them, or refuse them."""


@dataclass(frozen=True)
class ListsVersion:
    """The lists of one export, pinned; each table is opened once."""

    lake: Lake
    version: int
    """Delta version of gold.recommendations."""
    lists: lists_manifest.ListsManifest

    @cached_property
    def _opened(self) -> dict[str, "DeltaTable"]:
        return {}

    def table(self, name: str) -> "DeltaTable":
        if name not in self._opened:
            self._opened[name] = delta.require(self.lake, name, self._pinned(name))
        return self._opened[name]

    def _pinned(self, name: str) -> int | None:
        versions = {
            RECOMMENDATIONS.name: self.version,
            POPULAR_ITEMS.name: self.lists.popular_version,
            SIMILAR_ITEMS.name: self.lists.similar_version,
            NEXT_ITEMS.name: self.lists.next_version,
            ITEM_VECTORS.name: self.lists.vectors.table_version if self.lists.vectors else None,
        }
        return versions[name]


def pin(lake: Lake) -> ListsVersion:
    """The newest lists, at the version that they have now."""
    table = delta.open_table(lake, lists_manifest.LISTS)
    if table is None:
        raise TableMissing(
            f"{lists_manifest.LISTS} was never written in {lake.data}. Call `nextclick train`, or `nextclick run`."
        )
    version = table.version()
    lists = lists_manifest.read(lake, version)
    if lists is None:
        raise ModelError(
            f"No commit of {lists_manifest.LISTS} says what its lists were made from. Call `nextclick train`."
        )
    return ListsVersion(lake, version, lists)


@contextmanager
def readable() -> Iterator[None]:
    """Errors of reading gold, in words that help."""
    try:
        yield
    except (*delta.errors(), pa.ArrowException) as error:
        raise LakeError(
            f"The lists in gold cannot be read: {error}. Was a table or a file of it removed? "
            "`nextclick train` makes them anew; what was served before still is."
        ) from error


class Layout(NamedTuple):
    """How a table of lists is read: whose list, of which items, and the key it gets."""

    table: str
    owner: str | None
    item: str
    key: Callable[[str], bytes]


PEOPLE = Layout(RECOMMENDATIONS.name, "person_id", "item_id", person_key)
EVERYBODY = Layout(POPULAR_ITEMS.name, None, "item_id", lambda _: POPULAR)
SIMILAR = Layout(SIMILAR_ITEMS.name, "item_id", "similar_item_id", similar_key)
NEXT = Layout(NEXT_ITEMS.name, "item_id", "next_item_id", next_key)


def layouts(source: ListsVersion) -> tuple[Layout, ...]:
    """Those that the export has, in the order of their keys."""
    return (EVERYBODY, *((NEXT,) if source.lists.next_version is not None else ()), PEOPLE, SIMILAR)


def count(source: ListsVersion, layout: Layout) -> int:
    """Rows of the site, by the statistics of files that hold it alone."""
    table, site = source.table(layout.table), source.lists.site
    files = delta.added(table)
    if not {"min.site", "max.site"} <= set(files.column_names):
        return int(_dataset(source, layout).count_rows(filter=_wanted(source, None)))
    whole = pc.and_(pc.equal(files["min.site"], site), pc.equal(files["max.site"], site))
    mixed = set(files.filter(pc.invert(pc.fill_null(whole, False)))["path"].to_pylist())
    fragments = [part for part in _dataset(source, layout).get_fragments() if part.path in mixed]
    rows = sum(part.count_rows(filter=_wanted(source, None)) for part in fragments)
    return int(rows + (pc.sum(files.filter(whole)["num_records"]).as_py() or 0))


def read(
    source: ListsVersion, layout: Layout, since: datetime | None = None, ordered: bool = False
) -> Iterator[pa.RecordBatch]:
    """Whole lists (columns owner, rank, item, score, model), only those made after `since`.

    `ordered` sorts them by owner and rank first, on disk where memory does not hold them.
    """
    columns = {
        "owner": ds.field(layout.owner) if layout.owner else ds.scalar(""),
        "rank": ds.field("rank"),
        "item": ds.field(layout.item),
        "score": ds.field("score"),
        "model": ds.field("model_version"),
    }
    scanner = _dataset(source, layout).scanner(
        columns=columns, filter=_wanted(source, since), batch_size=ROWS, batch_readahead=2, fragment_readahead=1
    )
    return _whole_lists(_sorted(scanner, source.lake.state) if ordered else scanner.to_batches())


def _dataset(source: ListsVersion, layout: Layout) -> Any:
    texts = [name for name in (layout.owner, layout.item, "model_version") if name]
    options = ds.ParquetReadOptions(dictionary_columns=texts)
    return source.table(layout.table).to_pyarrow_dataset(parquet_read_options=options)


def _wanted(source: ListsVersion, since: datetime | None) -> Any:
    wanted = ds.field("site") == source.lists.site
    return (
        wanted if since is None else wanted & (ds.field("generated_at") > pa.scalar(since, pa.timestamp("us", "UTC")))
    )


def _sorted(scanner: Any, state: Path) -> Iterator[pa.RecordBatch]:
    import duckdb

    with (
        TemporaryDirectory(prefix="sort-", dir=state) as spill,
        duckdb.connect(config={"memory_limit": "1GB", "temp_directory": spill}) as connection,
    ):
        relation = connection.from_arrow(scanner.to_reader()).order("owner, rank")
        yield from relation.to_arrow_reader(ROWS)


def _whole_lists(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, cut where a list begins, so that no list spans two batches."""
    kept: list[pa.RecordBatch] = []
    for batch in batches:
        starts = np.flatnonzero(batch["rank"].to_numpy() == 1)
        if len(starts):
            first, last = starts[0], starts[-1]
            yield _joined([*kept, batch.slice(0, first)], batch.schema)
            yield batch.slice(first, last - first)
            kept, batch = [], batch.slice(last)
        kept.append(batch)
    if kept:
        yield _joined(kept, kept[0].schema)


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """A few rows as one batch; dictionaries are made anew, with what these rows hold."""
    plain = [field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field for field in schema]
    return pa.concat_batches([batch.cast(pa.schema(plain)) for batch in batches])


class Packer:
    """Packs lists, and numbers the items and model versions in the order in which they come."""

    def __init__(self, items: Iterable[str] = (), models: Iterable[str] = ()) -> None:
        self._items = pa.array(list(items), pa.string())
        self._known = len(self._items)
        self.models = list(models)

    @property
    def item_count(self) -> int:
        return len(self._items)

    def ids(self) -> list[Entry]:
        """The chunks of the table of ids that hold new ones."""
        return pack_ids(self._items.to_pylist(), self._known) if self.item_count > self._known else []

    def pack(self, rows: pa.RecordBatch, key: Callable[[str], bytes]) -> list[Entry]:
        """One entry a list. Raises Disordered, or ModelError where a score is not a number."""
        if not len(rows):
            return []
        rank, scores = rows["rank"].to_numpy(), rows["score"].to_numpy()
        owner, item, model = (_encoded(rows[name]) for name in ("owner", "item", "model"))
        _check(rank, scores, owner, model)
        form, raw = self._pairs(item, scores)
        heads = [HEADER.pack(form, self._model(name)) for name in model.dictionary.to_pylist()]
        starts = np.flatnonzero(rank == 1)
        bounds = (np.append(starts, len(rank)) * PAIRS[form].size).tolist()
        owners, chosen = owner.take(pa.array(starts)).to_pylist(), model.indices.to_numpy()[starts].tolist()
        return [
            (key(name), heads[head] + raw[start:end])
            for name, head, (start, end) in zip(owners, chosen, pairwise(bounds), strict=True)
        ]

    def _pairs(self, item: pa.DictionaryArray, scores: NDArray[Any]) -> tuple[int, bytes]:
        numbers = self.number(item.dictionary.cast(pa.string()))[item.indices.to_numpy()]
        form = SHORT if numbers.max() < 1 << 16 else LONG
        pairs = np.empty(len(numbers), DTYPES[form])
        pairs["item"], pairs["score"] = numbers, scores
        return form, pairs.tobytes()

    def number(self, ids: pa.Array) -> NDArray[np.int64]:
        """The number of each item; new ones are added to the table of ids."""
        numbers = pc.index_in(ids, value_set=self._items)
        if numbers.null_count:
            self._items = pa.concat_arrays([self._items, ids.filter(numbers.is_null()).unique()])
            numbers = pc.index_in(ids, value_set=self._items)
        return np.asarray(numbers)

    def _model(self, name: str) -> int:
        if name not in self.models:
            self.models.append(name)
        return self.models.index(name)


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    return column if pa.types.is_dictionary(column.type) else column.cast(pa.string()).dictionary_encode()


def _check(rank: NDArray[Any], scores: NDArray[Any], owner: pa.DictionaryArray, model: pa.DictionaryArray) -> None:
    """Each list: ranks from 1 without a gap, one owner, one model; scores are numbers."""
    inside = rank[1:] != 1
    wrong = inside & (np.diff(rank) != 1)
    for column in (owner, model):
        wrong |= inside & (np.diff(column.indices.to_numpy()) != 0)
    if rank[0] != 1 or wrong.any():
        at = int(np.argmax(wrong)) + 1 if rank[0] == 1 else 0
        raise Disordered(f"The rows of {owner[at]} are not together, or their ranks do not run from 1 up.")
    if not np.isfinite(scores).all():
        raise ModelError(
            f"A score of {owner[int(np.argmin(np.isfinite(scores)))]} is not finite. Call `nextclick train`."
        )

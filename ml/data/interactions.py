"""Who used what, and how much: the one input of every model.

Rows and columns of a model are numbers; the lake knows ids. `IdMap` goes both ways,
`Interactions` holds the pairs of gold.interactions as arrays. Both are checked at
birth and never change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from nextclick.contracts.gold import INTERACTIONS
from nextclick.errors import ModelError
from nextclick.lake import delta
from nextclick.lake.paths import Lake
from nextclick.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable

Rows = NDArray[np.int32]
Floats = NDArray[np.float32]
Micros = NDArray[np.int64]
"""Microseconds since 1970-01-01 UTC."""

COLUMNS = ("person_id", "item_id", "strength", "first_at", "last_at")
_MICROS_AN_HOUR = 3_600_000_000


@dataclass(frozen=True)
class IdMap:
    """External ids ↔ rows 0 … n−1."""

    ids: pa.StringArray
    """The id of each row: distinct, none missing."""

    def __post_init__(self) -> None:
        if self.ids.type != pa.string() or self.ids.null_count:
            raise ModelError(
                f"An id map holds {self.ids.type} with {self.ids.null_count} nulls; it needs strings alone."
            )
        if pc.count_distinct(self.ids).as_py() != len(self.ids):
            raise ModelError("An id map names an id twice; every row needs an id of its own.")

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, values: pa.Array | Sequence[str]) -> Rows:
        """The row of each id; −1 where the map does not know it."""
        array = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
        indices = pc.fill_null(pc.index_in(array, value_set=self.ids), -1)
        return np.asarray(indices, dtype=np.int32)

    def take(self, rows: NDArray[Any]) -> pa.StringArray:
        """The id of each row."""
        return self.ids.take(pa.array(rows))

    def extended(self, ids: pa.StringArray) -> "IdMap":
        """With further ids at the end; rows that exist keep their numbers."""
        return IdMap(pa.concat_arrays([self.ids, ids]))


@dataclass(frozen=True)
class Interactions:
    """One entry per person and item: the pair's strength as of its last event, and when it began and ended."""

    people: IdMap
    items: IdMap
    person: Rows
    item: Rows
    strength: Floats
    first_at: Micros
    last_at: Micros
    now: int = 0
    """The present in microseconds, where these pairs are only a part of what is known."""

    def __post_init__(self) -> None:
        for name, ids in (("person", self.people), ("item", self.items)):
            rows = getattr(self, name)
            if len(rows) and (rows.min() < 0 or rows.max() >= len(ids)):
                raise ModelError(f"interactions.{name}: row {rows.max()} is outside the id map of {len(ids)}.")
        lengths = {name: len(getattr(self, name)) for name in ("person", "item", "strength", "first_at", "last_at")}
        if len(set(lengths.values())) > 1:
            raise ModelError(f"interactions: columns of different lengths: {lengths}.")
        self._check("strength", ~np.isfinite(self.strength) | (self.strength < 0), "must be finite and not negative")
        self._check("first_at", self.first_at > self.last_at, "must not be after last_at")

    def _check(self, column: str, wrong: NDArray[np.bool_], rule: str) -> None:
        if not wrong.any():
            return
        at = int(wrong.argmax())
        person, item = self.people.ids[self.person[at]], self.items.ids[self.item[at]]
        raise ModelError(
            f"{INTERACTIONS.name}.{column} {rule}; it is {getattr(self, column)[at]} for person {person} and item {item} "
            f"({int(wrong.sum())} such rows). Mend it with `nextclick rebuild gold`."
        )

    def __len__(self) -> int:
        return len(self.person)

    @property
    def as_of(self) -> int:
        """The newest event, in microseconds: the present, as far as the data knows."""
        return int(self.last_at.max(initial=self.now))

    @property
    def timeless(self) -> bool:
        """All is of one moment: when anything was is not known."""
        return not len(self) or bool(np.ptp(self.last_at) == 0 and np.ptp(self.first_at) == 0)

    def decayed(self, half_life: timedelta | None) -> Floats:
        """strength · 2^(−(as_of − last_at) / half-life), as of the newest event; undecayed without a half-life."""
        if half_life is None:
            return self.strength
        age = (self.as_of - self.last_at) / (half_life / timedelta(microseconds=1))
        return (self.strength * np.exp2(-age)).astype(np.float32)

    def recent(self, hours: float) -> NDArray[np.bool_]:
        """Which pairs are of the last `hours`; where these hold fewer than usual, the newest pairs, as many as usual.

        A few stray clicks, weeks after the rest, would otherwise be all that is recent.
        """
        if not len(self):
            return np.zeros(0, np.bool_)
        window = int(hours * _MICROS_AN_HOUR)
        span = max(int(np.ptp(self.last_at)), window)
        usual = min(-(-len(self) * window // span), len(self))
        newest = np.partition(self.last_at, len(self) - usual)[len(self) - usual]
        return np.asarray(self.last_at >= min(newest, self.last_at.max() - window))

    def matrix(self, values: NDArray[Any]) -> csr_matrix:
        """People × items with one value per pair; a pair that is there twice is an error."""
        shape = (len(self.people), len(self.items))
        matrix = csr_matrix((values, (self.person, self.item)), shape=shape)
        if matrix.nnz != len(self):
            raise ModelError(
                f"{INTERACTIONS.name} holds a person and item twice. Mend it with `nextclick rebuild gold`."
            )
        return matrix

    @property
    def seen(self) -> csr_matrix:
        """People × items: 1 where the person used the item."""
        return self.matrix(np.ones(len(self), np.float32))

    def where(self, keep: NDArray[np.bool_]) -> "Interactions":
        """The pairs that `keep` marks, over the same people and items."""
        columns = (getattr(self, name)[keep] for name in ("person", "item", "strength", "first_at", "last_at"))
        return Interactions(self.people, self.items, *columns)

    def over(self, people: IdMap, items: IdMap) -> "Interactions":
        """The same pairs in the rows of other id maps, which must know all their ids."""
        person, item = people.rows(self.people.ids)[self.person], items.rows(self.items.ids)[self.item]
        return Interactions(people, items, person, item, self.strength, self.first_at, self.last_at, self.now)


class TableVersion(NamedTuple):
    """Which state of a table was read."""

    path: str
    version: int
    """Delta version: the cursor of what is made from it."""
    table_id: str
    """Delta's id of the table: another one means that the table was made anew, and its versions start again."""

    @classmethod
    def of(cls, lake: Lake, name: str, table: "DeltaTable") -> Self:
        return cls(lake.table(name), table.version(), str(table.metadata().id))


def open_table(settings: Settings, version: int | None = None) -> tuple["DeltaTable", TableVersion]:
    """gold.interactions, pinned to one version (default: the newest)."""
    table = delta.require(settings.lake, INTERACTIONS.name, version)
    return table, TableVersion.of(settings.lake, INTERACTIONS.name, table)


def read(settings: Settings, version: int | None = None) -> tuple[Interactions, TableVersion]:
    """The pairs of settings.site; ids are sorted, so that the order of files changes nothing."""
    table, source = open_table(settings, version)
    options = ds.ParquetReadOptions(dictionary_columns=["person_id", "item_id"])
    dataset = table.to_pyarrow_dataset(parquet_read_options=options)
    pairs = dataset.to_table(columns=list(COLUMNS), filter=pc.field("site") == settings.site)
    return from_arrow(pairs), source


def changed_people(settings: Settings, cursor: int, table_id: str) -> tuple[pa.StringArray, TableVersion]:
    """Whose pairs changed after version `cursor`, by the table's change feed, and up to which version."""
    table, source = open_table(settings)
    if source.table_id != table_id or source.version < cursor:
        raise ModelError(f"{INTERACTIONS.name} was made anew since the last lists. Call `nextclick train`.")
    if source.version == cursor:
        return pa.array([], pa.string()), source
    try:
        changes = pa.table(table.load_cdf(cursor + 1, source.version, columns=["site", "person_id"]))
    except delta.errors() as error:
        raise ModelError(
            f"The changes of {INTERACTIONS.name} after version {cursor} cannot be read: {error}. Call `nextclick train`."
        ) from error
    site, people = changes["site"].cast(pa.string()), changes["person_id"].cast(pa.string())
    return pc.unique(people.filter(pc.equal(site, settings.site))).sort(), source


def from_arrow(pairs: pa.Table) -> Interactions:
    """Interactions from a table with COLUMNS; ids may be strings or dictionary-encoded."""
    for name in COLUMNS:
        if nulls := pairs[name].null_count:
            raise ModelError(
                f"{INTERACTIONS.name}.{name} is null in {nulls} rows. Mend it with `nextclick rebuild gold`."
            )
    person, people = _encode(pairs, "person_id")
    item, items = _encode(pairs, "item_id")
    first_at, last_at = (
        pairs[name].cast(pa.timestamp("us", "UTC")).cast(pa.int64()) for name in ("first_at", "last_at")
    )
    strength = pairs["strength"].to_numpy().astype(np.float32)
    return Interactions(people, items, person, item, strength, first_at.to_numpy(), last_at.to_numpy())


def from_ids(person_id: pa.Array, item_id: pa.Array) -> Interactions:
    """Interactions that are known without strengths and times: each pair counts once, and all are of one moment."""
    (person, people), (item, items) = (_encode(pa.table({"id": ids}), "id") for ids in (person_id, item_id))
    same = np.zeros(len(person), np.int64)
    return Interactions(people, items, person, item, np.ones(len(person), np.float32), same, same)


def _encode(pairs: pa.Table, column: str) -> tuple[Rows, IdMap]:
    """Rows and their sorted id map; values that only the dictionary of a file knows are left out."""
    values = pairs[column]
    if not pa.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    encoded = values.unify_dictionaries().combine_chunks()
    codes, ids = encoded.indices.to_numpy(), encoded.dictionary.cast(pa.string())
    used = np.flatnonzero(np.bincount(codes, minlength=len(ids)))
    ids = ids.take(pa.array(used))
    order = pc.sort_indices(ids)
    row_of = np.full(len(encoded.dictionary), -1, np.int32)
    row_of[used[order.to_numpy()]] = np.arange(len(ids), dtype=np.int32)
    return row_of[codes], IdMap(ids.take(order))

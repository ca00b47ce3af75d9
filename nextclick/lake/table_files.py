"""Publishing rows of gold: Parquet files first, then one commit that makes them the table.

Lists are millions of rows with few distinct ids. Arrow's dictionary arrays go into
Parquet as they are, without hashing one string, so the files are written here and
only committed through Delta. Files that no commit names are never read; VACUUM takes them.
"""

import json
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from nextclick.contracts import arrow
from nextclick.contracts.table import Table
from nextclick.lake import commits, delta, files, lists_manifest
from nextclick.lake.lists_manifest import ListsManifest
from nextclick.lake.paths import Lake

ROWS_A_FILE = 4_000_000
_YOUNG = 3600.0
"""Seconds for which files of a version that nobody keeps stay all the same."""
_PRUNED = ("site", "person_id", "generated_at")
"""Columns whose lowest and highest value is kept per row group, so that readers skip rows."""


class Files:
    """Writes tables as Parquet files into the folder of a Delta table, a row group a table."""

    def __init__(self, lake: Lake, table: Table) -> None:
        self.folder = lake.table(table.name)
        self.schema = arrow.schema(table)
        self.adds: list[AddAction] = []
        self.rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._name = ""
        self._bounds: dict[str, tuple[Any, Any]] = {}
        self._rows = 0

    def write(self, rows: pa.Table) -> None:
        """Add rows, in the contract's order of columns; strings may be dictionary-encoded."""
        if not len(rows):
            return
        if self._writer is None:
            self._name = f"part-{uuid.uuid4().hex}.parquet"
            self._writer = pq.ParquetWriter(
                self.path(self._name),
                _encoded(self.schema),
                filesystem=files.filesystem(self.folder),
                compression="zstd",
                use_dictionary=[name for name in self.schema.names if name != "score"],
                write_statistics=list(_PRUNED),  # those of items would cost half of the write
                store_schema=False,
            )
        self._writer.write_table(_as(rows, self._writer.schema), row_group_size=len(rows))
        for name in rows.column_names:  # of every column: deltalake takes a bound that is missing as "column >= null"
            self._bounds[name] = _wider(self._bounds.get(name), rows[name])
        self._rows += len(rows)
        if self._rows >= ROWS_A_FILE:
            self.close()

    def path(self, name: str) -> str:
        """Address of a file of the table."""
        return f"{self.folder}/{name}"

    def close(self) -> list[AddAction]:
        """Finish the open file; returns all actions so far."""
        if self._writer is None:
            return self.adds
        self._writer.close()
        lowest, highest = ({name: _json(pair[end]) for name, pair in self._bounds.items()} for end in (0, 1))
        stats = {"numRecords": self._rows, "minValues": lowest, "maxValues": highest}
        stats["nullCount"] = dict.fromkeys(self.schema.names, 0)
        size = files.size(self.path(self._name))
        self.adds.append(AddAction(self._name, size, {}, int(time.time() * 1000), True, json.dumps(stats)))
        self.rows += self._rows
        self._writer, self._bounds, self._rows = None, {}, 0
        return self.adds


def replace(lake: Lake, table: Table, rows: Iterable[pa.Table], manifest: ListsManifest | None = None) -> int:
    """Make `rows` the whole table in one commit; returns its version. Each part is written while the next is made."""
    commits.create(lake, table)
    fresh = Files(lake, table)
    with ThreadPoolExecutor(1) as writer:
        written: Future[None] | None = None
        for part in rows:
            if written:
                written.result()
            written = writer.submit(fresh.write, part)
        if written:
            written.result()
    return replace_by(lake, table, fresh.close(), manifest)


def replace_by(lake: Lake, table: Table, adds: Iterable[AddAction], manifest: ListsManifest | None = None) -> int:
    """Make files that `Files` wrote, wherever that was, the whole table in one commit; returns its version."""
    present = commits.create(lake, table)
    with commits.committing(lake, table.name, _facts(manifest)) as properties:
        present.create_write_transaction(list(adds), "overwrite", arrow.schema(table), commit_properties=properties)
    return delta_version(lake, table)


def adds_of(written: Iterable[tuple[str, int, str]]) -> list[AddAction]:
    """Files of `Files` that another process told of: path, bytes, statistics."""
    return [AddAction(path, size, {}, int(time.time() * 1000), True, stats) for path, size, stats in written]


def delta_version(lake: Lake, table: Table) -> int:
    return delta.require(lake, table.name).version()


def upsert(
    lake: Lake,
    table: Table,
    column: str,
    changed: pa.Array,
    rows: Iterable[pa.Table],
    manifest: ListsManifest | None = None,
) -> int:
    """Put `rows` in the place of all rows whose `column` is in `changed`, in one commit; returns its version."""
    present, fresh = commits.create(lake, table), Files(lake, table)
    actions: list[AddAction | RemoveAction] = []
    for add in _added(present):
        path = fresh.path(add["path"])
        if _holds(path, column, changed):
            actions.append(RemoveAction(add["path"], True, int(time.time() * 1000), add["size_bytes"], {}))
            for kept in _without(path, column, changed):
                fresh.write(kept)
            fresh.close()  # a file of old rows keeps its old generated_at, so that readers of changes skip it
    for part in rows:
        fresh.write(part)
    actions += fresh.close()
    with commits.committing(lake, table.name, _facts(manifest)) as properties:
        present.create_write_transaction(actions, "append", fresh.schema, commit_properties=properties)
    return delta_version(lake, table)


def sweep(lake: Lake, table: Table, versions: Iterable[int]) -> None:
    """Remove files that neither the newest version nor any of `versions` has; young ones may have readers or a writer."""
    folder = lake.table(table.name)
    kept = {add["path"] for version in (None, *versions) for add in _added(delta.require(lake, table.name, version))}
    for name in files.names(folder):
        file = f"{folder}/{name}"
        if name.endswith(".parquet") and name not in kept and time.time() - files.changed_at(file) / 1e9 > _YOUNG:
            files.remove(file)


def _facts(manifest: ListsManifest | None) -> dict[str, str] | None:
    return lists_manifest.encode(manifest) if manifest else None


def _added(table: DeltaTable) -> list[dict[str, Any]]:
    actions: list[dict[str, Any]] = delta.added(table).select(["path", "size_bytes"]).to_pylist()
    return actions


def _holds(path: str, column: str, values: pa.Array) -> bool:
    with pq.ParquetFile(path, read_dictionary=[column], filesystem=files.filesystem(path)) as file:
        return any(
            pc.any(pc.is_in(file.read_row_group(group, [column])[column].combine_chunks().dictionary, values)).as_py()
            for group in range(file.num_row_groups)
        )


def _without(path: str, column: str, values: pa.Array) -> Iterable[pa.Table]:
    source = files.filesystem(path)
    strings = [field.name for field in pq.read_schema(path, filesystem=source) if pa.types.is_string(field.type)]
    with pq.ParquetFile(path, read_dictionary=strings, filesystem=source) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group)
            yield rows.filter(pc.invert(pc.is_in(rows[column], values)))


def _encoded(schema: pa.Schema) -> pa.Schema:
    """The schema with dictionary-encoded strings, as it is written."""
    coded = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([field.with_type(coded) if pa.types.is_string(field.type) else field for field in schema])


def _as(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        column if column.type == field.type else column.dictionary_encode() if pa.types.is_string(column.type) else column.cast(field.type)
        for column, field in zip(rows.columns, schema, strict=True)
    ]  # fmt: skip
    return pa.table(columns, schema=schema)


def _wider(bounds: tuple[Any, Any] | None, column: pa.ChunkedArray) -> tuple[Any, Any]:
    if pa.types.is_dictionary(column.type):
        column = column.combine_chunks().dictionary
    extremes = pc.min_max(column).as_py()
    extent = (extremes["min"], extremes["max"])
    return (min(bounds[0], extent[0]), max(bounds[1], extent[1])) if bounds else extent


def _json(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value

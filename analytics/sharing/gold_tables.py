"""Tables of gold as they are shared: a part for each file of the log, which stays the same over versions."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from analytics.sharing.parts import Commit, Cut, SharedVersion, TablePart, no_version
from analytics.sharing.shares import SharedTable
from nextclick.contracts import catalog
from nextclick.errors import LakeError
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class GoldTables:
    """By their Delta versions; one that was never written is at version 0, without files."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def reads(self, shared: SharedTable) -> Sequence[str]:
        return ()

    def commits(self, shared: SharedTable) -> Iterator[Commit]:
        table = delta.open_table(self._lake, shared.table)
        if table is None:
            yield 0, 0
            return
        for commit in delta.history(self._lake, shared.table, table):
            yield commit["version"], commit.get("timestamp", 0)

    def at(self, database: "DuckDBPyConnection", shared: SharedTable, version: int) -> SharedVersion:
        contract, empty = catalog.table(shared.table), duck.source(self._lake, shared.table, None)
        docs = {column.name: column.doc for column in contract.columns}
        try:
            table = delta.open_table(self._lake, shared.table, version)
        except LakeError as error:
            raise no_version(f"{shared.table} has no version {version}.") from error
        if table is None:
            return SharedVersion(0, Cut(database, shared, empty, docs).schema, [], [], contract.doc)
        folders = [name for name in table.metadata().partition_columns if name in shared.columns]
        cut, identity = Cut(database, shared, empty, docs, folders), str(table.metadata().id)
        parts: list[TablePart] = []
        for file in delta.added(table).to_pylist():
            rows = duck.source(self._lake, shared.table, table, [file["path"]])
            values = {name: file[f"partition.{name}"] for name in folders}
            parts.append(cut.part(rows, values, identity, file["path"]))
        newest_first = sorted(parts, key=lambda part: [str(part.values[name]) for name in folders], reverse=True)
        return SharedVersion(version, cut.schema, folders, newest_first, contract.doc)

"""DuckDB over the lake's Delta tables: what counts rows across tables without a JVM.

A query opens the files that it needs, and no other: Delta's log names the files, the contract their columns, and of a table by days
the days that a query leaves out are left out by their folders' names.
"""

import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec

from nextclick.contracts import catalog
from nextclick.contracts.duckdb_types import duckdb_type
from nextclick.contracts.table import Column
from nextclick.errors import LakeError
from nextclick.lake import delta
from nextclick.lake.paths import Lake
from nextclick.object_store import bucket

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_COPIES: Final = "Arrow output on a DB-API result makes an extra copy"
warnings.filterwarnings("ignore", _COPIES)  # as `arrow` says


def database(lake: Lake, most_bytes: int | None = None) -> "DuckDBPyConnection":
    """A database in memory, in UTC; what does not fit there, or into `most_bytes` of it, spills into the lake's state folder."""
    import duckdb

    connection = duckdb.connect(
        config={
            **(_limited(most_bytes) if most_bytes else {}),
            "TimeZone": "UTC",
            "temp_directory": str(lake.state / "duckdb"),
            "autoinstall_known_extensions": "false",
            "python_enable_replacements": "false",
            "preserve_insertion_order": "false",
            "parquet_metadata_cache": "true",  # files never change, and many are opened again and again
            "asof_loop_join_threshold": "0",  # DuckDB takes a view of files for one row, and would look at each pair
        }
    )
    if bucket.holds(lake.data):
        connection.register_filesystem(bucket.filesystem(lake.data))
    return _quiet(connection)


def _limited(most_bytes: int) -> dict[str, str]:
    """Threads of the allocator give back what an answer took for a moment: else it stays until the next one takes it."""
    return {"memory_limit": f"{most_bytes}B", "allocator_background_threads": "true"}


_kept: dict[tuple[str, int], "DuckDBPyConnection"] = {}
"""By store and process: one that was forked has none of the threads of its parent's."""


def connect(lake: Lake) -> "DuckDBPyConnection":
    """A connection to the database that this process keeps for its answers; what is temporary there, no other connection sees.

    To start a database takes 25 ms of the processor, such a connection less than one. Of several lakes the first one's folder
    takes what does not fit into memory.
    """
    store = lake.data if bucket.holds(lake.data) else ""
    key = store, os.getpid()
    if key not in _kept:
        _kept[key] = database(lake)
    return _quiet(_kept[key].cursor())


def _quiet(connection: "DuckDBPyConnection") -> "DuckDBPyConnection":
    connection.execute("SET enable_progress_bar = false")  # it would stand in what is printed
    return connection


@contextmanager
def answering(lake: Lake, what: str) -> Iterator["DuckDBPyConnection"]:
    """A database for one answer of `what`, as `counting`."""
    with counting(what), connect(lake) as database:
        yield database


@contextmanager
def counting(what: str) -> Iterator[None]:
    """LakeError, which says that `what` cannot be counted, where a table cannot be read."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise LakeError(
            f"{what} cannot be counted: {error}. Tables are checked by `nextclick check`; see docs/jobs/recovery.md."
        ) from error


def arrow(database: "DuckDBPyConnection", query: str, params: Mapping[str, Any]) -> "pa.Table":
    """The rows of a query, where they are few: they are copied once more, but a relation would be planned twice, which costs 5 to 17 ms."""
    database.execute(query, params or None)
    rows: pa.Table = database.to_arrow_table()
    return rows


def files(table: "DeltaTable") -> frozenset[str]:
    """The data files of a table version, as its log names them."""
    return frozenset(delta.added(table)["path"].to_pylist())


def within(table: "DeltaTable", column: str, first: Any, last: Any) -> frozenset[str]:
    """The data files that may hold a `column` from `first` to `last`, both included, by the bounds that the log keeps of each file."""
    return overlapping(table, [(first, last)], column, column)


def overlapping(table: "DeltaTable", spans: Sequence[tuple[Any, Any]], start: str, end: str) -> frozenset[str]:
    """The data files that may hold a row whose `start` to `end` reaches into one of `spans`, their ends included, by the same bounds."""
    added = delta.added(table)
    bounds = (f"min.{start}", f"max.{end}")
    if not {*bounds} <= {*added.column_names}:  # no file says
        return files(table)

    def may(low: Any, high: Any) -> bool:
        return any((low is None or low <= last) and (high is None or high >= first) for first, last in spans)

    rows = zip(*(added[name].to_pylist() for name in ("path", *bounds)), strict=True)
    return frozenset(path for path, low, high in rows if may(low, high))


def least(table: "DeltaTable", column: str, some: Collection[str]) -> Any:
    """What no row of `some` of its data files is below in `column`, a time, by the same bounds: the least of all times where one does not
    say; None of no files.
    """
    if not some:
        return None
    added, bound = delta.added(table), f"min.{column}"
    low = (
        dict(zip(added["path"].to_pylist(), added[bound].to_pylist(), strict=True))
        if bound in added.column_names
        else {}
    )
    return min((low.get(path) or _FIRST) for path in some)


def paths(lake: Lake, name: str, named: Iterable[str]) -> list[str]:
    """Files of table `name`, as its log names them, in full."""
    folder = lake.table(name)
    return [f"{folder}/{unquote(file)}" for file in sorted(named)]


def source(lake: Lake, name: str, table: "DeltaTable | None", some: Iterable[str] | None = None) -> str:
    """A version of table `name`, or `some` of its files, as a query with the contract's columns; never written, it has no rows.

    The reader is told the columns, so it opens no file to learn them, and one that is older than a column has nulls there, as in Delta.
    DuckDB's own reader of Parquet takes a third of the time that it takes over Arrow; rule 6 of docs/design.md keeps tables free of
    what only a Delta reader understands.
    """
    contract = catalog.table(name)
    located = paths(lake, name, files(table) if table and some is None else some or ())
    if table is None or not located:
        nothing = (f'NULL::{duckdb_type(column.type)} AS "{column.name}"' for column in contract.columns)
        return f"SELECT {', '.join(nothing)} WHERE false"
    listed = ", ".join(text(path.replace("?", "[?]").replace("*", "[*]")) for path in located)  # no patterns
    folders = table.metadata().partition_columns
    columns = ", ".join(
        _in_a_folder(column) if column.name in folders else f'"{column.name}"' for column in contract.columns
    )
    schema = _schema(column for column in contract.columns if column.name not in folders)
    return f"SELECT {columns} FROM read_parquet([{listed}], schema = {schema}, filename = 'file_name')"


def show(
    duck: "DuckDBPyConnection",
    view: str,
    lake: Lake,
    name: str,
    table: "DeltaTable | None",
    some: Iterable[str] | None = None,
) -> None:
    """Make a version of table `name`, or `some` of its files, the view `view`; never written, it has no rows."""
    import duckdb

    try:
        duck.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {source(lake, name, table, some)}")
    except duckdb.Error as error:
        raise LakeError(f"A data file of {name} cannot be read: {error}. See docs/jobs/recovery.md.") from error


def _schema(columns: Iterable[Column]) -> str:
    """The columns that files hold, as `schema` of read_parquet; those of the partitioning are in the folders' names alone.

    It is one text that is cast: DuckDB binds a MAP of as many expressions anew for each query that names the view, for twice the time.
    """
    entry = '"{0}"={{name: "{0}", type: {1}, default_value: NULL}}'.format
    said = ", ".join(entry(column.name, msgspec.json.encode(duckdb_type(column.type)).decode()) for column in columns)
    return f"{text(f'{{{said}}}')}::MAP(VARCHAR, STRUCT(name VARCHAR, type VARCHAR, default_value VARCHAR))"


def _in_a_folder(column: Column) -> str:
    """DuckDB folds what hangs on the file's name alone into a constant a file, and skips the files that a filter excludes by it."""
    value = f"""url_decode(regexp_extract(file_name, '/{column.name}=([^/]*)/[^/]*$', 1))"""
    return f'{value}::{duckdb_type(column.type)} AS "{column.name}"'


def text(value: str) -> str:
    """A value as a text of SQL."""
    return "'" + value.replace("'", "''") + "'"

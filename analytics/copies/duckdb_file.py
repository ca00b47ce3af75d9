"""A copy as one DuckDB file, which notebooks and BI tools open without a server."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from analytics.copies.contents import SHARED, Copied, PinnedLake, Written, pinned
from nextclick.contracts.duckdb_types import duckdb_type
from nextclick.contracts.table import Layer
from nextclick.errors import LakeError, UsageError
from nextclick.lake import duck, files
from nextclick.settings import Settings

_STORAGE: Final = "v1.0.0"
"""Every DuckDB since 1.0 reads it."""
_TAKEN: Final = (*Layer, "report", "main", "temp", "system", "memory")
"""A file's name is that of its database: DuckDB would not know whether gold.visits means a schema or this."""


def write(
    settings: Settings, file: Path, patterns: Sequence[str], progress: Callable[[int, int], None]
) -> list[Written]:
    """Write the tables that are like the patterns; who has the old file open keeps it, and a new reader sees the new one.

    UsageError where the file cannot be such a copy, LakeError where it or a table cannot be read or written.
    """
    _refuse(file)
    try:
        files.sweep(str(file))
        with files.new_file(str(file)) as draft, pinned(settings) as lake:
            return _fill(lake, draft, lake.like(patterns), progress)
    except OSError as error:
        raise LakeError(
            f"{file} cannot be written: {error.strerror}. Choose another place; what was there before is there still."
        ) from error


def _fill(
    lake: PinnedLake, draft: Path, tables: Sequence[Copied], progress: Callable[[int, int], None]
) -> list[Written]:
    database, written = lake.database, list[Written]()
    lake.show_whole()
    database.execute(f"ATTACH {duck.text(str(draft))} AS copied (STORAGE_VERSION '{_STORAGE}')")
    database.begin()  # else each statement waits for the disk
    for schema in (Layer.GOLD, "report"):
        database.execute(f"CREATE SCHEMA copied.{schema}")
    names = {table.name for table in tables}
    for number, table in enumerate(tables):
        progress(number, len(tables))
        is_view = table.name not in table.reads and names.issuperset(table.reads)
        written.append(_view(lake, table) if is_view else _copy(lake, table))
    _say(lake, tables)
    database.commit()
    database.execute("DETACH copied")
    progress(len(tables), len(tables))
    return written


def _refuse(file: Path) -> None:
    if file.stem.lower() in _TAKEN:
        raise UsageError(
            f"A file called {file.name} clashes with the schemas in it: call it otherwise, such as shop.duckdb."
        )
    if not file.absolute().parent.is_dir():
        raise UsageError(
            f"There is no folder {file.absolute().parent} to write {file.name} into: make it, or name another."
        )
    if file.exists() and not _is_duckdb(file):
        raise UsageError(f"{file} is there, and no DuckDB file: it is not overwritten. Name another, or remove it.")


def _is_duckdb(file: Path) -> bool:
    """Bytes 8 to 11 of such a file say so."""
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return content.read(12)[8:] == b"DUCK"


def _copy(lake: PinnedLake, table: Copied) -> Written:
    [(rows,)] = lake.database.execute(f"CREATE TABLE copied.{table.name} AS {_typed(table)}").fetchall()
    _comment(lake, "TABLE", table)
    return Written(table.name, lake.version(table), rows)


def _view(lake: PinnedLake, table: Copied) -> Written:
    """A report that needs nothing but what is in the file is made when it is asked."""
    lake.database.execute("USE copied")
    lake.database.execute(f"CREATE VIEW {table.name} AS {_typed(table)}")
    lake.database.execute("USE memory")
    _comment(lake, "VIEW", table)
    return Written(table.name, None, None)


def _typed(table: Copied) -> str:
    """Its rows by the types of its columns: few tools know DuckDB's HUGEINT, which sums of numbers are."""
    columns = (f'"{column.name}"::{duckdb_type(column.type)} AS "{column.name}"' for column in table.columns)
    return f"SELECT {', '.join(columns)} FROM ({table.query})"


def _comment(lake: PinnedLake, kind: str, table: Copied) -> None:
    lake.database.execute(f"COMMENT ON {kind} copied.{table.name} IS {duck.text(table.doc)}")
    for column in table.columns:
        lake.database.execute(f'COMMENT ON COLUMN copied.{table.name}."{column.name}" IS {duck.text(column.doc)}')


def _say(lake: PinnedLake, tables: Sequence[Copied]) -> None:
    """Which versions these are."""
    columns = ", ".join(f'"{column.name}" {duckdb_type(column.type)}' for column in SHARED.columns)
    lake.database.execute(f"CREATE TABLE copied.{SHARED.name} ({columns})")
    rows = [[*lake.shared(table, lake.origin(table)).values()] for table in tables]
    lake.database.executemany(f"INSERT INTO copied.{SHARED.name} VALUES ($1, $2, $3, $4)", rows)

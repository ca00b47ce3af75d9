"""DuckDB over the lake's Delta tables: what counts rows across tables without a JVM."""

from pathlib import Path
from typing import TYPE_CHECKING

from nextclick.errors import LakeError
from nextclick.lake import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection


def connect(lake: Lake) -> "DuckDBPyConnection":
    """A database in memory; what does not fit there spills into the lake's state folder."""
    import duckdb

    return duckdb.connect(
        config={
            "TimeZone": "UTC",
            "temp_directory": str(lake.state / "duckdb"),
            "autoinstall_known_extensions": "false",
            "python_enable_replacements": "false",
            "preserve_insertion_order": "false",
        }
    )


def open_table(lake: Lake, name: str, version: int | None = None) -> "DeltaTable | None":
    """The Delta table at `version` (default: the newest); None if it was never written."""
    from deltalake import DeltaTable

    path: Path = lake.table(name)
    if not (path / "_delta_log").is_dir():
        return None
    try:
        return DeltaTable(path, version=version)
    except Exception as error:  # deltalake raises its own kinds, and OSError
        raise LakeError(
            f"The Delta log of {name} in {path} cannot be read: {error}. See docs/jobs/recovery.md."
        ) from error

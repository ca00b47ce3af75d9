"""DuckDB over the lake's Delta tables: what counts rows across tables without a JVM."""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from nextclick.contracts import catalog
from nextclick.errors import LakeError
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection


def connect(lake: Lake) -> "DuckDBPyConnection":
    """A database in memory, in UTC; what does not fit there spills into the lake's state folder."""
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


def files(table: "DeltaTable") -> frozenset[str]:
    """The data files of a table version, as its log names them."""
    import pyarrow as pa

    return frozenset(pa.table(table.get_add_actions(flatten=True))["path"].to_pylist())


def paths(lake: Lake, name: str, named: Iterable[str]) -> list[str]:
    """Files of table `name`, as its log names them, in full."""
    return [f"{lake.table(name)}/{unquote(file)}" for file in sorted(named)]


def show(
    duck: "DuckDBPyConnection", view: str, lake: Lake, name: str, table: "DeltaTable", some: Iterable[str] | None = None
) -> None:
    """Make a version of table `name`, or `some` of its files, the view `view`.

    DuckDB's own reader of Parquet takes a third of the time that it takes over Arrow;
    rule 6 of docs/design.md keeps tables free of what only a Delta reader understands.
    """
    import duckdb

    located = paths(lake, name, files(table) if some is None else some)
    if not located:
        duck.register(view, table.to_pyarrow_dataset().schema.empty_table())
        return
    listed = ", ".join(
        "'" + path.replace("'", "''").replace("?", "[?]").replace("*", "[*]") + "'" for path in located
    )  # no patterns
    hive = bool(catalog.table(name).partitioned_by)
    source = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = {hive})"
    try:
        duck.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS FROM {source}")
    except duckdb.Error as error:
        raise LakeError(f"A data file of {name} cannot be read: {error}. See docs/jobs/recovery.md.") from error

"""The lake's Delta tables without Spark: the one place that opens them; `commits` writes them. Spark's is spark_jobs/tables.py.

`deltalake` is imported where a table is touched: a program that needs the names alone starts faster.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

import msgspec

from nextclick import formats
from nextclick.contracts import catalog
from nextclick.contracts.table import Column, Table
from nextclick.errors import LakeError, TableMissing
from nextclick.lake import files
from nextclick.lake.paths import Lake
from nextclick.object_store import bucket

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

FEW_COMMITS: Final = 20
_MERGED: Final = ("numtargetrowsinserted", "numtargetrowsupdated", "numtargetrowsdeleted")


def errors() -> tuple[type[Exception], ...]:
    """What reading or writing a table raises: `except delta.errors() as error`."""
    from deltalake.exceptions import DeltaError

    return DeltaError, OSError


def exists(lake: Lake, name: str) -> bool:
    """Whether the table was ever written."""
    from deltalake import DeltaTable

    try:
        return bool(DeltaTable.is_deltatable(lake.table(name), bucket.options(lake.data)))
    except errors() as error:
        raise LakeError(f"Whether {lake.table(name)} is there cannot be seen: {error}.") from error


def open_table(lake: Lake, name: str, version: int | None = None) -> "DeltaTable | None":
    """The table at `version` (default: the newest); None if it was never written, LakeError if it cannot be read."""
    from deltalake import DeltaTable

    if not exists(lake, name):
        return None
    try:
        table = DeltaTable(lake.table(name), version=version, storage_options=bucket.options(lake.data))
        formats.refuse_newer_table(catalog.table(name), table.metadata().configuration)
        return table
    except errors() as error:
        raise LakeError(
            f"The Delta log of {name} in {lake.table(name)} cannot be read: {error}. See docs/jobs/recovery.md."
        ) from error


def require(lake: Lake, name: str, version: int | None = None) -> "DeltaTable":
    """As `open_table`; TableMissing, which names the job, where that gives None."""
    table = open_table(lake, name, version)
    if table is None:
        raise TableMissing(
            f"{name} was never written in {lake.table(name)}. Call `nextclick run` (job {catalog.table(name).job})."
        )
    return table


def commit(lake: Lake, name: str, version: int) -> dict[str, Any] | None:
    """What a commit says of itself; None where the log does not reach back to it.

    deltalake's own history finds no commit below a folder with # in its name.
    """
    address = f"{lake.table(name)}/_delta_log/{version:020}.json"
    if (log := files.read(address)) is None:
        return None
    try:
        said = [msgspec.json.decode(line) for line in log.splitlines() if line.startswith(b'{"commitInfo"')]
    except msgspec.DecodeError as error:
        raise LakeError(
            f"The Delta log of {name} cannot be read: {address}: {error}. See docs/jobs/recovery.md."
        ) from error
    return {**(said[0]["commitInfo"] if said else {}), "version": version}


def only_grew(lake: Lake, name: str) -> bool:
    """Whether the table is what its few commits added, from the first on, which said its columns for good.

    Of many commits nobody looks: what is asked is whether their log is quicker read than a snapshot.
    """
    folder = f"{lake.table(name)}/_delta_log"
    logs = [file for file in files.names(folder) if file.endswith(".json") and file[:-5].isdigit()]
    if logs != [f"{version:020}.json" for version in range(len(logs))] or not 0 < len(logs) <= FEW_COMMITS:
        return False
    for log in reversed(logs):  # where rows are taken away at all, the newest commit mostly says so
        said = files.read(f"{folder}/{log}")
        others = (b'{"remove"', *(() if log == logs[0] else (b'{"metaData"', b'{"protocol"')))
        if not said or any(line.startswith(others) for line in said.splitlines()):
            return False
    return True


def history(lake: Lake, name: str, table: "DeltaTable") -> Iterator[dict[str, Any]]:
    """What each commit up to the version of `table` says of itself, newest first, as far back as the log goes."""
    for version in range(table.version(), -1, -1):
        if (said := commit(lake, name, version)) is None:
            return
        yield said


def rows_changed(lake: Lake, name: str, since: int) -> int:
    """Rows that commits after version `since` inserted, updated or deleted, by their operation metrics."""
    table = open_table(lake, name)
    newer = takewhile(lambda commit: commit["version"] > since, history(lake, name, table) if table else ())
    return sum(_rows_of(commit.get("operationMetrics", {})) for commit in newer)


def _rows_of(metrics: dict[str, Any]) -> int:
    """Of one commit, in Spark's words or in deltalake's, which have a `_` for each capital."""
    said = {name.replace("_", "").lower(): int(value) for name, value in metrics.items() if str(value).isdigit()}
    merged = [said[name] for name in _MERGED if name in said]
    return sum(merged) if merged else said.get("numoutputrows", said.get("numaddedrows", 0))


def log_stamp(lake: Lake, name: str) -> tuple[str, int]:
    """Another one for each version of a table, also where it was made anew, without opening it; of none there is one, too."""
    folder = f"{lake.table(name)}/_delta_log"
    newest = max((file for file in files.names(folder) if file.endswith(".json")), default="")
    return newest, files.changed_at(f"{folder}/{newest}")


def newest_fact(lake: Lake, name: str, fact: str) -> str | None:
    """What the newest commit that says such a fact says; None where none does, or the table was never written."""
    table = open_table(lake, name)
    return next((commit[fact] for commit in (history(lake, name, table) if table else ()) if fact in commit), None)


def committed_ms(lake: Lake, name: str, table: "DeltaTable") -> int | None:
    """Time of the commit of this version, in milliseconds since 1970-01-01 UTC; None where the log does not say."""
    return next(history(lake, name, table), {}).get("timestamp")


def absent_columns(present: "DeltaTable", table: Table) -> list[Column]:
    """Columns of the contract that the table does not have yet."""
    names = {field.name for field in present.schema().fields}
    return [column for column in table.columns if column.name not in names]


def schema_json(schema: "pa.Schema", docs: Mapping[str, str]) -> str:
    """Arrow's columns as Delta's log says them, with what each means in its comment."""
    from deltalake import Schema

    said = msgspec.json.decode(Schema.from_arrow(schema).to_json())
    for field in said["fields"]:
        field["metadata"] = {"comment": docs[field["name"]]} if field["name"] in docs else {}
    return msgspec.json.encode(said).decode()


def rows_of_days(lake: Lake, table: Table, days: Collection[date]) -> list[dict[str, Any]]:
    """The rows that have these days in `date`; none of a table that was never written."""
    present = open_table(lake, table.name)
    if present is None or not days:
        return []
    rows: list[dict[str, Any]] = present.to_pyarrow_table(filters=[("date", "in", [*days])]).to_pylist()
    return rows


def added(table: "DeltaTable") -> "pa.Table":
    """A row for each data file of a table version: its path, size, rows, folder and bounds, as the log says them."""
    import pyarrow as pa

    return pa.table(table.get_add_actions(flatten=True))


def rows_on(table: "DeltaTable", days: Collection[date]) -> int:
    """Rows that have these days in `date`, as the log counts them; of a table that lost its folders all rows."""
    files = added(table).to_pylist()
    return sum(file.get("num_records") or 0 for file in files if file.get("partition.date") in (None, *days))


def rows(table: "DeltaTable") -> int | None:
    """Rows of a table version, as the log counts them; None where it does not say."""
    counts = [file.get("num_records") for file in added(table).to_pylist()]
    return None if None in counts else sum(counts)


def size(table: "DeltaTable") -> int:
    """Bytes of the data files of a table version."""
    return sum(added(table)["size_bytes"].to_pylist())

"""Commits to the lake's Delta tables without Spark: rows of one step, or few rows beside Spark's. Who writes a table holds its lock.

`deltalake` is imported where a table is touched, as in `delta`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

from nextclick import formats
from nextclick.contracts.table import Table
from nextclick.errors import LakeError
from nextclick.lake.delta import errors, open_table, require
from nextclick.lake.paths import Lake
from nextclick.object_store import bucket

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import CommitProperties, DeltaTable, WriterProperties

_BETWEEN: Final = "\x1f"
"""Stands between the columns of a key that are compared as one text; no id holds it."""
MOST_MERGED: Final = 10_000
"""Rows of one merge. deltalake 1.6.6 walks its list of keys deeper than a stack is: at 22,000 the process is gone, without a word."""
_SMALL_FILE: Final = 16 << 20
"""Bytes; files of as much stay as they are, however often others are joined."""
_CHECKPOINT_EVERY: Final = 10
"""Versions; whoever opens the table reads no more commits than these one by one."""


def create(
    lake: Lake, table: Table, schema: str | None = None, properties: Mapping[str, str] | None = None
) -> "DeltaTable":
    """The table of a contract, made if it is not there.

    `schema`: its columns as Delta's log has them, where Arrow's of the contract (contracts/arrow.py) does not know their types;
    `properties`: what it says of itself, where that is more than its format.
    """
    from deltalake import DeltaTable, Schema

    from nextclick.contracts import arrow

    if (present := open_table(lake, table.name)) is not None:
        return present
    try:
        return DeltaTable.create(
            lake.table(table.name),
            Schema.from_json(schema) if schema else arrow.schema(table),
            mode="ignore",
            partition_by=list(table.partitioned_by),
            description=table.doc,
            configuration={
                **(properties or {formats.FORMAT_PROPERTY: str(table.format)}),
                "delta.enableChangeDataFeed": str(table.change_feed).lower(),
            },
            raise_if_key_not_exists=False,
            storage_options=bucket.options(lake.data),
        )
    except errors():  # another made it at the same time; or this one did, and the store's reply was lost
        if (present := open_table(lake, table.name)) is None:
            raise
        return present


def write(
    lake: Lake,
    table: Table,
    rows: Any,
    mode: Literal["append", "overwrite"],
    facts: Mapping[str, str] | None = None,
) -> None:
    """Append Arrow rows, or overwrite the table with them, in one commit, which says the `facts`."""
    from deltalake import write_deltalake

    present = create(lake, table)
    with committing(lake, table.name, facts) as properties:
        write_deltalake(present, rows, mode=mode, commit_properties=properties)


def write_folder(address: str, batches: Any) -> None:
    """Make the rows of a RecordBatchReader a table of no contract at `address`: what one step hands to the executors of the next."""
    from deltalake import write_deltalake

    write_deltalake(address, batches, mode="overwrite", storage_options=bucket.options(address))


def append(lake: Lake, table: Table, rows: Any, transaction: tuple[str, int]) -> None:
    """Append Arrow rows; a `transaction` and the table's lock are as in `replace_days`."""
    _write_once(lake, table, rows, "append", transaction)


def replace(lake: Lake, table: Table, rows: Any, transaction: tuple[str, int]) -> None:
    """Arrow rows in the place of all that are there, in one commit; a `transaction` and the table's lock are as in `replace_days`."""
    _write_once(lake, table, rows, "overwrite", transaction)


def _write_once(
    lake: Lake, table: Table, rows: Any, mode: Literal["append", "overwrite"], transaction: tuple[str, int]
) -> None:
    from deltalake import write_deltalake

    def write(present: "DeltaTable", said: "CommitProperties") -> None:
        write_deltalake(present, rows, mode=mode, commit_properties=said, writer_properties=_zstd())

    _once(lake, table, transaction, write)


def replace_days(
    lake: Lake,
    table: Table,
    rows: Any,
    days: Collection[date],
    facts: Mapping[str, str] | None = None,
    transaction: tuple[str, int] | None = None,
) -> None:
    """`rows` (Arrow's, or dicts) in the place of all that have these days in `date`, in one commit; the caller holds the table's lock.

    A `transaction` (application id, version) that the table knows is one that was done: nothing is written then.
    """
    import pyarrow as pa
    from deltalake import write_deltalake

    from nextclick.contracts import arrow

    content = pa.Table.from_pylist(rows, arrow.schema(table)) if isinstance(rows, list) else rows
    listed = ", ".join(f"'{day}'" for day in sorted(days))

    def write(present: "DeltaTable", said: "CommitProperties") -> None:
        write_deltalake(present, content, mode="overwrite", predicate=f"date IN ({listed})", commit_properties=said)

    _once(lake, table, transaction, write, facts)


def merge(
    lake: Lake,
    table: Table,
    rows: "pa.Table",
    transaction: tuple[str, int] | None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Upsert Arrow rows, MOST_MERGED or fewer, by the table's key, which is text; one whose `_delete` is true removes its key's row.

    The commit says the `facts`. The change feed says of a changed row that it went and came. A `transaction` and the table's lock
    are as in `replace_days`.
    """
    import pyarrow.compute as pc
    from deltalake import write_deltalake

    if rows.num_rows > MOST_MERGED:
        raise ValueError(f"{rows.num_rows} rows are more than one merge takes ({MOST_MERGED})")
    keys = pc.binary_join_element_wise(*(rows[key] for key in table.key), _BETWEEN).to_pylist()
    listed = ", ".join("'" + key.replace("'", "''") + "'" for key in keys)
    columns = f", chr({ord(_BETWEEN)}), ".join(f'"{key}"' for key in table.key)
    kept = rows.filter(pc.invert(rows["_delete"])).drop_columns("_delete") if "_delete" in rows.column_names else rows

    def write(present: "DeltaTable", said: "CommitProperties") -> None:
        # Not by deltalake's own merge: its files say that texts are views, and Arrow's readers cannot filter those.
        write_deltalake(
            present,
            kept,
            mode="overwrite",
            predicate=f"concat({columns}) IN ({listed})",
            commit_properties=said,
            writer_properties=_zstd(),
        )

    _once(lake, table, transaction, write, facts)


def compact(lake: Lake, table: Table) -> None:
    """Join the table's small files, in their order: rows stay as they are, and no stream reads them again. The caller holds its lock."""

    def write(present: "DeltaTable", said: "CommitProperties") -> None:
        present.optimize.compact(target_size=_SMALL_FILE, commit_properties=said, writer_properties=_zstd())

    _once(lake, table, None, write)


def differing(lake: Lake, table: Table, rows: "pa.Table") -> "pa.Table":
    """Those of the Arrow rows, one a key, that the table does not have as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    name = table.key[-1]
    near = require(lake, table.name).to_pyarrow_dataset().to_table(filter=pc.field(name).isin(rows[name].unique()))
    there = {tuple(row[key] for key in table.key): row for row in near.to_pylist()}
    came = rows.select(table.column_names).to_pylist()
    return rows.filter(pa.array([there.get(tuple(row[key] for key in table.key)) != row for row in came], pa.bool_()))


def _once(
    lake: Lake,
    table: Table,
    transaction: tuple[str, int] | None,
    write: Callable[["DeltaTable", "CommitProperties"], None],
    facts: Mapping[str, str] | None = None,
) -> None:
    """`write` into the table, but for a `transaction` that it knows. Every tenth version leaves a checkpoint, as Spark's do."""
    present = create(lake, table)
    if transaction and _is_done(present, transaction):
        return
    try:
        with committing(lake, table.name, facts, transaction) as said:
            write(present, said)
    except errors() as error:
        raise LakeError(
            f"{table.name} in {lake.table(table.name)} cannot be written: {error}. Nothing of it was changed; "
            "free space or mend permissions, then call again."
        ) from error
    if present.version() % _CHECKPOINT_EVERY == 0:
        with suppress(*errors()):  # readers go on without it
            present.create_checkpoint()


@contextmanager
def committing(
    lake: Lake, name: str, facts: Mapping[str, str] | None = None, transaction: tuple[str, int] | None = None
) -> Iterator["CommitProperties"]:
    """Around one commit of a table. A store does what its reply, if that is lost, does not say: then the table says it.

    deltalake would take its own commit for another's, and append its rows a second time; a transaction of its own tells the two apart.
    """
    mine = transaction or ((uuid4().hex, 1) if lake.address else None)
    try:
        yield commit_properties(facts, mine)
    except errors():
        if mine is None or not _is_done(require(lake, name), mine):
            raise


def _is_done(table: "DeltaTable", transaction: tuple[str, int]) -> bool:
    done = table.transaction_version(transaction[0])
    return done is not None and done >= transaction[1]


def commit_properties(
    facts: Mapping[str, str] | None = None, transaction: tuple[str, int] | None = None
) -> "CommitProperties":
    """What a commit says beside its rows."""
    from deltalake import CommitProperties, Transaction

    done = [Transaction(*transaction)] if transaction else None
    return CommitProperties(custom_metadata=dict(facts) if facts else None, app_transactions=done)


def _zstd() -> "WriterProperties":
    """As Spark writes (conf/spark.conf)."""
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD")

"""Delta tables by their contracts: create, read, stream, append, merge, replace.

A contract (nextclick/contracts) decides names, types and properties; nothing here knows
what a column means. Every write carries (application id, version), so that a commit
whose reply was lost, or a batch that is run again after a crash, is committed once.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import NamedTuple, cast

import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql.types import StructType

from nextclick import formats
from nextclick.contracts.gold_anomalies import SUSPECTS, TIMES
from nextclick.contracts.table import Table
from nextclick.errors import LakeError, TableMissing
from nextclick.lake import commits, delta, lookup
from nextclick.lake.lookup import Reach
from nextclick.lake.paths import Lake
from nextclick.settings import Settings
from spark_jobs.plans import held
from spark_jobs.session import configured
from spark_jobs.transforms.gold.bots import without_suspects
from spark_jobs.transforms.time_ranges import among

_FEED = "delta.enableChangeDataFeed"
_TXN = "spark.databricks.delta.write.{}"
_FEW = 50_000
"""Rows that this process holds without a thought."""
_FEW_BYTES = 16 << 20
"""Bytes of files with about so many rows."""
_HELD_ROWS, _HELD_BYTES = 10_000, 16 << 20
"""Rows of a table, and bytes of them in memory, that are read whole, sooner than Spark plans to read any."""
MOST_EXCHANGED = 10_000
"""Rows that `exchange` takes out at most: they are named one by one, so that files are filtered, not joined."""
_SMALL = 32 << 20
"""Bytes of a table that is gone through sooner than Spark plans to."""


class WriteIdentity(NamedTuple):
    """The identity of one write: Delta skips a second write under the same one."""

    app_id: str
    version: int


def schema(table: Table) -> StructType:
    return cast(StructType, StructType.fromDDL(table.ddl))


def ensure(spark: SparkSession, settings: Settings, table: Table) -> None:
    """Create the table, empty, if it is not there yet, and add the nullable columns that its contract has gained.

    LakeError where a newer nextclick made it.
    """
    lake = settings.lake
    if (present := delta.open_table(lake, table.name)) is not None:
        absent = delta.absent_columns(present, table)
        if any(column.nullable for column in absent):
            made_anew = [column.name for column in absent if not column.nullable]
            nothing = spark.createDataFrame([], schema(table)).drop(*made_anew)
            nothing.write.format("delta").mode("append").option("mergeSchema", True).save(lake.table(table.name))
        if table.change_feed and present.metadata().configuration.get(_FEED) != "true":  # it is read from here on
            present.alter.set_table_properties({_FEED: "true"})
        return
    columns = schema(table).json()  # Delta's own form is Spark's
    commits.create(lake, table, columns, formats.properties(settings, table))


def claim(settings: Settings, table: Table, replaces: bool) -> None:
    """Before a job writes: LakeError where its rows would mix with others; a job that replaces them says what they are made with.

    docs/jobs/recovery.md tells of rebuilds. The caller holds the table's lock.
    """
    present, wanted = delta.require(settings.lake, table.name), formats.properties(settings, table)
    properties = present.metadata().configuration
    if not replaces:
        formats.refuse_mixture(table, properties, wanted)
        if absent := [column.name for column in delta.absent_columns(present, table)]:
            raise LakeError(
                f"{table.name} has no column {', '.join(absent)} yet, and each row needs a value there. "
                f"Call `nextclick rebuild {table.layer}`: it makes the table anew from the layer below, and nothing is lost."
            )
    elif any(properties.get(name) != value for name, value in wanted.items()):
        present.alter.set_table_properties(wanted, raise_if_not_exists=False)


def read(spark: SparkSession, lake: Lake, table: Table) -> DataFrame:
    """The rows of a table as it is now. Few are held by the plan itself: Spark's of Delta's files asks the log, and each file, by jobs."""
    if (present := delta.open_table(lake, table.name)) is None:
        raise TableMissing(f"{table.name} was never written. Run `nextclick run`, or the job {table.job}, first.")
    rows = lookup.whole(lake, table.name, present, _HELD_ROWS)
    if rows is not None and rows.nbytes <= _HELD_BYTES:
        return local(spark, table, rows)
    held.expect(spark, few=False)
    return spark.read.format("delta").load(lake.table(table.name))


def read_counted(spark: SparkSession, settings: Settings, table: Table) -> DataFrame:
    """The rows of a silver table that gold may count: without those of suspects, where the settings leave them out."""
    rows = read(spark, settings.lake, table)
    if settings.anomalies.leave_out_suspects and delta.exists(settings.lake, SUSPECTS.name):
        return rows.transform(without_suspects(read(spark, settings.lake, SUSPECTS), TIMES[table.name]))
    return rows


def local(spark: SparkSession, table: Table, rows: pa.Table) -> DataFrame:
    """Rows of a table that this process holds, of some of its columns, as a frame."""
    types = schema(table)
    return held.local(spark.createDataFrame(rows, StructType([types[name] for name in rows.column_names])))


def alike(
    rows: DataFrame, lake: Lake, table: Table, columns: Sequence[str], few: bool, reach: Reach | None = None
) -> DataFrame:
    """The rows of a table that are as one of `rows` in `columns`, which are never null; of `few`, looked up, within `reach`."""
    if not few:
        return read(rows.sparkSession, lake, table).join(rows.select(*columns), list(columns), "left_semi")
    wanted = rows.select(*columns).toArrow()
    return local(rows.sparkSession, table, lookup.matching(lake, table.name, wanted, table.column_names, reach))


def stream(spark: SparkSession, lake: Lake, table: Table) -> DataFrame:
    """Rows as they are appended. Everything there is makes one batch, so a version is never cut."""
    return _follow(spark, lake, table, "skipChangeCommits")


def stream_changes(spark: SparkSession, lake: Lake, table: Table) -> DataFrame:
    """Rows inserted, updated (before and after) and deleted, from the change data feed."""
    return _follow(spark, lake, table, "readChangeFeed")


def _follow(spark: SparkSession, lake: Lake, table: Table, how: str) -> DataFrame:
    """Where each commit only added rows, the log says them all from its beginning: a stream that starts reads it, and needs no
    snapshot of the table, whose files Spark would list and sort in jobs of their own."""
    reader = spark.readStream.format("delta").option(how, True).option("maxFilesPerTrigger", 2**31 - 1)
    if delta.only_grew(lake, table.name):
        reader = reader.option("startingVersion", 0)
    return reader.load(lake.table(table.name))


def most_of(source: DataFrame) -> int | None:
    """How many rows a batch has at most whose source is a few megabytes of files; None where nobody knows before it is read."""
    return _FEW if held.source_bytes(source) <= _FEW_BYTES else None


def version(lake: Lake, table: Table) -> int:
    """The newest Delta version; -1 for a table that was never written."""
    present = delta.open_table(lake, table.name)
    return present.version() if present else -1


def is_empty(lake: Lake, table: Table) -> bool:
    """Whether a table that is there has no file, so no row; said by its log."""
    return not delta.require(lake, table.name).file_uris()


def append(rows: DataFrame, lake: Lake, table: Table, commit: WriteIdentity, at_most: int | None = None) -> None:
    """Append rows. `at_most` so many: few are written by this process, in a fraction of the time of Spark's plans."""
    if at_most is not None and at_most <= _FEW:
        if (came := _arrow(rows, table)).num_rows:
            commits.append(lake, table, came, commit)
    else:
        _write(rows, lake, table, commit, "append")


def replace(
    rows: DataFrame, lake: Lake, table: Table, commit: WriteIdentity, where: str | None = None, few: bool = False
) -> None:
    """Replace all rows, or those that `where` selects, in one commit: readers see the old ones or the new.

    `few`, of all, are written by this process, sooner than Spark plans to, where the table has the contract's columns.
    """
    if few and not where and not delta.absent_columns(delta.require(lake, table.name), table):
        commits.replace(lake, table, _arrow(rows, table), commit)
        return
    if table.partitioned_by and not where:  # a day by one task, so that it is one file
        rows = rows.repartition(*table.partitioned_by)
    _write(rows, lake, table, commit, "overwrite", where)


def replace_days(
    rows: DataFrame, lake: Lake, table: Table, commit: WriteIdentity, days: Collection[date], at_most: int
) -> None:
    """`replace` of whole days by `at_most` so many rows: few are written by this process, in a fraction of the time of Spark's plans."""
    if at_most <= _FEW:
        commits.replace_days(lake, table, _arrow(rows, table), days, transaction=commit)
    else:  # a day by one task, so that it is one file
        replace(rows.repartition("date"), lake, table, commit, among(days, "date"))


def have_few(lake: Lake, *some: Table) -> bool:
    """Whether these tables have few rows together, by their logs."""
    counts = [delta.rows(delta.require(lake, table.name)) for table in some]
    return None not in counts and sum(filter(None, counts)) <= _FEW


def rows_on(lake: Lake, table: Table, days: Collection[date]) -> int:
    """Rows of these days, as the log counts them."""
    return delta.rows_on(delta.require(lake, table.name), days)


def exchange(
    rows: DataFrame, lake: Lake, table: Table, commit: WriteIdentity, gone: Sequence[str], at_most: int
) -> None:
    """`rows`, `at_most` so many, in the place of those whose key is in `gone`, in one commit: files are filtered, where a merge joins them.

    `gone` are ids of letters and digits, MOST_EXCHANGED or fewer.
    """
    [key] = table.key
    if _is_merged_here(lake, table, at_most + len(gone)):
        came = _arrow(rows, table)
        left = [{key: each, "_delete": True} for each in sorted({*gone}.difference(came[key].to_pylist()))]
        came = came.append_column("_delete", pa.repeat(False, came.num_rows))
        nullable = pa.schema(field.with_nullable(True) for field in came.schema)
        commits.merge(
            lake, table, pa.concat_tables([came.cast(nullable), pa.Table.from_pylist(left, nullable)]), commit
        )
        return
    names = ", ".join(f"'{each}'" for each in gone)
    with configured(rows.sparkSession, {"spark.databricks.delta.replaceWhere.constraintCheck.enabled": "false"}):
        _write(rows, lake, table, commit, "overwrite", f"{key} IN ({names})")


def _arrow(rows: DataFrame, table: Table, *more: str) -> pa.Table:
    """The columns of the table, and `more`, in this process."""
    return rows.select(*table.column_names, *more).toArrow()


def _is_merged_here(lake: Lake, table: Table, rows: int) -> bool:
    """Whether this process merges so many into it, sooner than Spark plans to."""
    return rows <= min(_FEW, commits.MOST_MERGED) and delta.size(delta.require(lake, table.name)) <= _SMALL


def _write(
    rows: DataFrame, lake: Lake, table: Table, commit: WriteIdentity, mode: str, where: str | None = None
) -> None:
    writer = rows.select(*table.column_names).write.format("delta").mode(mode)
    if where:
        writer = writer.option("replaceWhere", where)
    elif mode == "overwrite":
        # So that a rebuild brings a table to a contract that has grown; its folders are said again, or lost.
        writer = writer.option("overwriteSchema", True).partitionBy(*table.partitioned_by)
    writer.option("txnAppId", commit.app_id).option("txnVersion", commit.version).save(lake.table(table.name))


def merge(
    rows: DataFrame,
    lake: Lake,
    table: Table,
    commit: WriteIdentity,
    prune: str = "true",
    only_changed: bool = False,
    at_most: int | None = None,
) -> None:
    """Upsert by key; a row whose `_delete` is true removes its key instead.

    `prune` bounds the target scan (over alias t); with `only_changed`, matched rows that are as they were stay out of the change
    feed. `at_most` so many rows: few go into a small table by this process, in a fraction of the time of Spark's plans.
    """
    deletes = ["_delete"] if "_delete" in rows.columns else []
    if at_most is not None and _is_merged_here(lake, table, at_most):
        came = _arrow(rows, table, *deletes)
        came = commits.differing(lake, table, came) if only_changed else came
        if came.num_rows:
            commits.merge(lake, table, came, commit)
        return
    keys = " AND ".join(f"t.`{key}` = s.`{key}`" for key in table.key)
    values: dict[str, str | Column] = {f"`{name}`": f"s.`{name}`" for name in table.column_names}
    target = DeltaTable.forPath(rows.sparkSession, lake.table(table.name)).alias("t")
    merger = target.merge(rows.alias("s"), f"{keys} AND ({prune})")
    if deletes:
        merger = merger.whenMatchedDelete("s._delete")
    kept = "NOT s._delete" if deletes else "true"
    merger = merger.whenMatchedUpdate(_differ(table) if only_changed else "true", values)
    merger = merger.whenNotMatchedInsert(kept, values)
    with _transaction(rows.sparkSession, commit):
        merger.execute()


def _differ(table: Table) -> str:
    """SQL over s and t: a column outside the key differs. Maps cannot be compared, so their texts are."""
    terms = []
    for column in table.columns:
        if column.name in table.key:
            continue
        form = "to_json({0}.`{1}`)" if "map<" in column.type else "{0}.`{1}`"
        terms.append(f"NOT ({form.format('s', column.name)} <=> {form.format('t', column.name)})")
    return " OR ".join(terms)


def _transaction(spark: SparkSession, commit: WriteIdentity) -> AbstractContextManager[None]:
    """MERGE takes its (appId, version) from the session."""
    return configured(spark, {_TXN.format("txnAppId"): commit.app_id, _TXN.format("txnVersion"): str(commit.version)})

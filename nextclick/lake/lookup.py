"""Rows of a table that are asked for by some of their columns: read by DuckDB, in a fraction of the time of Spark's plans."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

import pyarrow as pa

from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake


def overlapping(
    lake: Lake, name: str, spans: Iterable[tuple[int, int]], start: str, end: str | None = None
) -> frozenset[str]:
    """The data files that may hold rows from `start` to `end`, columns of times, that reach into one of `spans`, in seconds since 1970."""
    if not (table := delta.open_table(lake, name)):
        return frozenset()
    times = (tuple(datetime.fromtimestamp(second, UTC) for second in span) for span in spans)
    ever = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    some = (
        duck.within(table, end or start, low, ever[1]) & duck.within(table, start, ever[0], high) for low, high in times
    )
    return frozenset().union(*some)


def matching(
    lake: Lake, name: str, wanted: pa.Table, columns: Collection[str], some: Collection[str] | None = None
) -> pa.Table:
    """`columns` of the rows of table `name`, or of `some` of its files, that are as one of `wanted` in all its columns; null is as null."""
    with duck.answering(lake, name) as database:
        duck.show(database, "present", lake, name, delta.open_table(lake, name), some)
        database.register("wanted", wanted)
        same = " AND ".join(f"present.{each} IS NOT DISTINCT FROM wanted.{each}" for each in wanted.column_names)
        listed = ", ".join(f"present.{each}" for each in columns)
        rows: pa.Table = database.sql(f"SELECT {listed} FROM present SEMI JOIN wanted ON {same}").to_arrow_table()
    return rows if rows.num_rows else rows.schema.empty_table()  # of no chunk at all, others cannot know the type


def repeat(rows: pa.Table) -> bool:
    """Whether two of `rows` are alike."""
    return bool(rows.group_by(rows.column_names).aggregate([]).num_rows < rows.num_rows)

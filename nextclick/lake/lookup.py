"""Rows of a table that are asked for by some of their columns: read by DuckDB, in a fraction of the time of Spark's plans."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable


class Reach(NamedTuple):
    """Rows from `start` to `end`, columns of times, that reach into one of `spans`, in seconds since 1970; of moments both are one."""

    spans: Sequence[tuple[int, int]]
    start: str
    end: str

    def files(self, table: "DeltaTable") -> frozenset[str]:
        """Those of a table that may hold such rows."""
        spans = [(datetime.fromtimestamp(low, UTC), datetime.fromtimestamp(high, UTC)) for low, high in self.spans]
        return duck.overlapping(table, spans, self.start, self.end)


def matching(lake: Lake, name: str, wanted: pa.Table, columns: Collection[str], reach: Reach | None = None) -> pa.Table:
    """`columns` of the rows of table `name` that are as one of `wanted` in all its columns; null is as null.

    Of a `reach` only files are opened that may hold its rows, which are all that are wanted.
    """
    table = delta.open_table(lake, name)
    with duck.answering(lake, name) as database:
        duck.show(database, "present", lake, name, table, reach.files(table) if table and reach else None)
        database.register("wanted", wanted)
        same = " AND ".join(f"present.{each} IS NOT DISTINCT FROM wanted.{each}" for each in wanted.column_names)
        listed = ", ".join(f"present.{each}" for each in columns)
        rows: pa.Table = database.sql(f"SELECT {listed} FROM present SEMI JOIN wanted ON {same}").to_arrow_table()
    return _typed(rows)


def whole(lake: Lake, name: str, table: "DeltaTable", most: int) -> pa.Table | None:
    """All rows of a version of table `name`; None where they are more than `most`, or the log does not say how many they are."""
    count = delta.rows(table)
    if count is None or count > most:
        return None
    with duck.answering(lake, name) as database:
        rows: pa.Table = database.sql(duck.source(lake, name, table)).to_arrow_table()
    return _typed(rows)


def _typed(rows: pa.Table) -> pa.Table:
    """`rows`, with a chunk where there are none: of no chunk at all, others cannot know the type."""
    return rows if rows.num_rows else rows.schema.empty_table()


def repeat(rows: pa.Table) -> bool:
    """Whether two of `rows` are alike."""
    return bool(rows.group_by(rows.column_names).aggregate([]).num_rows < rows.num_rows)

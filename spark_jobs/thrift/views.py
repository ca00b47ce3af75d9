"""What the server shows: each table and report as a view in Spark's catalog, with the columns and the words of its contract.

Views, since of a Delta table itself Hive's protocol lists no column (delta-io/delta#662). A view reads the newest version each time.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyspark.sql import SparkSession

from nextclick.contracts import catalog
from nextclick.lake import delta
from nextclick.lake.paths import Lake
from nextclick.lake.sql import View


def create(spark: SparkSession, lake: Lake, tables: Sequence[str], reports: Sequence[View]) -> list[str]:
    """Make a view of each of the tables, and of each report, whose query is in Spark's SQL; the schemas in which they are."""
    schemas = list(dict.fromkeys(name.partition(".")[0] for name in (*tables, *(report.name for report in reports))))
    for schema in schemas:
        spark.sql(f"CREATE DATABASE {schema}")
    for name in tables:
        table = catalog.table(name)
        comments = {column.name: column.doc for column in table.columns}
        _create(spark, View(name, _source(lake, name), (), comments, table.doc, table.column_names))
    hidden = {name: _source(lake, name) for report in reports for name in report.reads if name not in tables}
    for report in reports:
        _create(spark, replace(report, query=_filled(report.query, hidden)))
    return schemas


def _source(lake: Lake, name: str) -> str:
    """A table as a query with all columns of its contract: never written, it has no rows; older than a column, nulls there."""
    table, columns = delta.open_table(lake, name), catalog.table(name).columns
    absent = columns if table is None else delta.absent_columns(table, catalog.table(name))
    selected = ", ".join(
        f"CAST(NULL AS {column.type}) AS `{column.name}`" if column in absent else f"`{column.name}`"
        for column in columns
    )
    origin = "(SELECT 1) WHERE false" if table is None else f"delta.{_quoted(lake.table(name))}"
    return f"SELECT {selected} FROM {origin}"


def _filled(query: str, sources: Mapping[str, str]) -> str:
    """The query with tables that are not shown by what they are."""
    for name, source in sources.items():
        query = re.sub(rf"\b{re.escape(name)}\b", f"({source})".replace("\\", r"\\"), query)
    return query


def _create(spark: SparkSession, view: View) -> None:
    columns = (f"{_quoted(name)} COMMENT {_text(view.comments.get(name, ''))}" for name in view.columns)
    spark.sql(f"CREATE VIEW {view.name} ({', '.join(columns)}) COMMENT {_text(view.doc)} AS {view.query}")


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

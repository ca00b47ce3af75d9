"""DuckDB on the Delta tables, read-only, by their catalog names: what `nextclick sql` asks."""

import base64
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb

from nextclick.contracts import catalog
from nextclick.contracts.duckdb_types import duckdb_type
from nextclick.contracts.table import Layer
from nextclick.errors import QueryError
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake

_SHUT = """
SET TimeZone = 'UTC';
SET python_enable_replacements = false;
SET autoinstall_known_extensions = false;
SET autoload_known_extensions = false;
SET enable_external_access = false;
SET lock_configuration = true;
"""
"""No file, no network, no Python variable: a query sees the lake's tables and nothing else."""


@dataclass(frozen=True)
class View:
    """A query that stands for a table, such as report.traffic."""

    name: str
    query: str
    reads: tuple[str, ...]
    comments: Mapping[str, str]
    """What its columns mean."""
    doc: str = ""
    """What a row of it is, or what it answers."""
    columns: tuple[str, ...] = ()


def connect(lake: Lake, query: str, views: Sequence[View] = ()) -> duckdb.DuckDBPyConnection:
    """A database in memory with a view for each table, and each of `views`, that the query names (for all, if it names none)."""
    connection = duckdb.connect()
    for schema in dict.fromkeys((*Layer, *(view.name.partition(".")[0] for view in views))):
        connection.execute(f"CREATE SCHEMA {schema}")
    tables = dict.fromkeys(
        [*(table.name for table in catalog.TABLES), *(name for view in views for name in view.reads)]
    )
    named = [view for view in views if _names(query, view.name)]
    read = {name for view in named for name in view.reads}
    wanted = [name for name in tables if name in read or _names(query, name)]
    for name in wanted if wanted or named else tables:
        _show(connection, lake, name)
    for view in named if wanted or named else views:
        connection.execute(f"CREATE VIEW {view.name} AS {view.query}")
        for column, meaning in view.comments.items():
            connection.execute(f'COMMENT ON COLUMN {view.name}."{column}" IS {duck.text(meaning)}')
    connection.execute(_SHUT)
    return connection


def _show(connection: duckdb.DuckDBPyConnection, lake: Lake, name: str) -> None:
    """A table as a view with all columns of its contract: one that was never written has no rows, one that is older nulls.

    Arrow opens its files, the ones that the log and the query leave, and for reading alone. DuckDB's own reader would want their
    paths in `allowed_paths`, and what it may read there, a query could overwrite: `with a as (copy … to …) …` is a query, too.
    """
    table = delta.open_table(lake, name)
    if table is None:
        connection.execute(f"CREATE VIEW {name} AS {duck.source(lake, name, None)}")
        return
    dataset = name.replace(".", "__")
    connection.register(dataset, table.to_pyarrow_dataset())
    absent = delta.absent_columns(table, catalog.table(name))
    newer = "".join(f', NULL::{duckdb_type(column.type)} AS "{column.name}"' for column in absent)
    connection.execute(f"CREATE VIEW {name} AS SELECT *{newer} FROM {dataset}")


def _names(query: str, table: str) -> bool:
    """Whether the query may name the table; one that it names in a string alone is opened in vain, which is harmless."""
    return re.search(r'\b"?{}"?\s*\.\s*"?{}\b'.format(*table.split(".")), query, re.IGNORECASE) is not None


def ask(lake: Lake, query: str, views: Sequence[View] = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names, each once, and rows; raises QueryError with DuckDB's own words."""
    with connect(lake, query, views) as connection:
        try:
            answer = connection.execute(query)
            return list(_distinct([column[0] for column in answer.description or ()])), answer.fetchall()
        except duckdb.CatalogException as error:
            there = ", ".join([*(table.name for table in catalog.TABLES), *(view.name for view in views)])
            raise QueryError(
                f"{error}\nThe tables are: {there}; one has rows when its job ran first (`nextclick run`)."
            ) from error
        except duckdb.Error as error:
            raise QueryError(f"{error}\nOnly the lake's tables can be read; see `nextclick sql --help`.") from error


def _distinct(names: list[str]) -> Iterator[str]:
    """a, a → a, a_1: a row object has one value a name."""
    taken: set[str] = set()
    for name in names:
        unique, number = name, 0
        while unique in taken:
            number += 1
            unique = f"{name}_{number}"
        taken.add(unique)
        yield unique


def plain(value: Any) -> Any:
    """A value as JSON holds it: money as text, times in ISO 8601, maps as objects, what is not finite as null."""
    match value:
        case float() if not math.isfinite(value):
            return None
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal() | UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return value

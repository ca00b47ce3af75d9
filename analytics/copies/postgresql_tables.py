"""Tables of PostgreSQL by contracts: their types, their creation, and rows by COPY from Arrow (https://arrow.apache.org/adbc)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from nextclick.contracts.duckdb_types import duckdb_type
from nextclick.contracts.table import Column
from nextclick.errors import NextclickError
from nextclick.lake.duck import text

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

SCHEMAS: Final = ("gold", "report")
_TYPES: Final = {
    "string": "text",
    "bigint": "bigint",
    "int": "integer",
    "double": "double precision",
    "float": "real",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp with time zone",
}
"""As format_type of PostgreSQL spells them."""


def postgresql_type(kind: str) -> str:
    """Of a contract's type. What is nested is text, as JSON: no BI tool looks into arrays and composites.

    >>> [postgresql_type(kind) for kind in ("bigint", "decimal(38,4)", "map<string,decimal(38,4)>")]
    ['bigint', 'numeric(38,4)', 'text']
    """
    return _TYPES.get(kind) or (kind.replace("decimal", "numeric") if kind.startswith("decimal") else "text")


def value(column: Column) -> str:
    """A column in DuckDB's SQL, as PostgreSQL holds it, which has no character NUL."""
    name = f'"{column.name}"'
    if column.type == "string":
        return f"replace({name}::VARCHAR, chr(0), chr(65533)) AS {name}"
    if postgresql_type(column.type) == "text":
        return f"to_json({name})::VARCHAR AS {name}"
    return f"{name}::{duckdb_type(column.type)} AS {name}"


def create_schemas(cursor: "Cursor") -> None:
    """Those that are not there: who may not create any can have them made before."""
    cursor.execute("SELECT nspname::text FROM pg_namespace")
    present = {name for (name,) in cursor.fetchall()}
    for schema in SCHEMAS:
        if schema not in present:
            cursor.execute(f"CREATE SCHEMA {schema}")


def present(cursor: "Cursor") -> set[str]:
    """The tables and views that are in the schemas."""
    schemas = ", ".join(map(text, SCHEMAS))
    cursor.execute(
        "SELECT nspname || '.' || relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
        f"WHERE nspname IN ({schemas}) AND relkind IN ('r', 'p', 'v', 'm', 'f')"
    )
    return {name for (name,) in cursor.fetchall()}


def create(cursor: "Cursor", name: str, doc: str, columns: Sequence[Column]) -> None:
    """An empty table with its comments."""
    if name in present(cursor):
        raise NextclickError(
            f"{name} is in the database, and `nextclick share` did not write it. Nothing was changed: share into a database of "
            f"its own, or move that table away (ALTER TABLE {name} RENAME TO …)."
        )
    listed = ", ".join(f'"{column.name}" {postgresql_type(column.type)}' for column in columns)
    cursor.execute(f"CREATE TABLE {name} ({listed})")
    cursor.execute(f"COMMENT ON TABLE {name} IS {text(doc)}")
    for column in columns:
        _comment(cursor, name, column)


def adapt(cursor: "Cursor", name: str, columns: Sequence[Column]) -> None:
    """Add the columns that a table has gained; those that it lost stay, empty. NextclickError where one has another type."""
    cursor.execute(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
        f"WHERE attrelid = {text(name)}::regclass AND attnum > 0 AND NOT attisdropped"
    )
    kinds = dict(cursor.fetchall())
    for column in columns:
        wanted = postgresql_type(column.type)
        if column.name not in kinds:
            cursor.execute(f'ALTER TABLE {name} ADD COLUMN "{column.name}" {wanted}')
            _comment(cursor, name, column)
        elif kinds[column.name] != wanted:
            raise NextclickError(
                f"Column {column.name} of {name} is {kinds[column.name]} in the database, and {wanted} now. Nothing was changed: "
                f"DROP TABLE {name} (with what was built upon it), then share again."
            )


def append(cursor: "Cursor", name: str, rows: Any) -> int:
    """Append Arrow rows; how many there were."""
    schema, _, table = name.partition(".")
    return int(cursor.adbc_ingest(table, rows, mode="append", db_schema_name=schema))


def index(cursor: "Cursor", name: str, column: str) -> None:
    """An index of one column: behind the rows it takes a fifth of the time that it takes before them."""
    cursor.execute(f'CREATE INDEX ON {name} ("{column}")')


def _comment(cursor: "Cursor", name: str, column: Column) -> None:
    cursor.execute(f'COMMENT ON COLUMN {name}."{column.name}" IS {text(column.doc)}')

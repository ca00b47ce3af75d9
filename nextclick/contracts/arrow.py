"""Contracts as Arrow schemas, for tables that are written without a JVM."""

import pyarrow as pa

from nextclick.contracts.silver import AMOUNT
from nextclick.contracts.table import Table

_TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "float": pa.float32(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "array<float>": pa.list_(pa.float32()),
    "array<string>": pa.list_(pa.string()),
    "map<string,double>": pa.map_(pa.string(), pa.float64()),
    AMOUNT: pa.decimal128(38, 4),
}


def schema(table: Table) -> pa.Schema:
    """The table's columns as an Arrow schema; the types that tables without maps and structs have."""
    return pa.schema([pa.field(column.name, _TYPES[column.type], column.nullable) for column in table.columns])

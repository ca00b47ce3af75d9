"""Tables by their contracts, written without a JVM: rows name what matters to a test, the rest is filled in."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from nextclick.contracts import catalog
from nextclick.contracts.table import Column
from nextclick.lake.paths import Lake
from nextclick.object_store import bucket

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

_PLAIN: Mapping[str, tuple[pa.DataType, Any]] = {
    "string": (pa.string(), "x"),
    "bigint": (pa.int64(), 1),
    "int": (pa.int32(), 1),
    "double": (pa.float64(), 1.0),
    "float": (pa.float32(), 1.0),
    "boolean": (pa.bool_(), True),
    "date": (pa.date32(), date(2026, 1, 1)),
    "timestamp": (pa.timestamp("us", "UTC"), NOON),
}


def write(lake: Lake, name: str, rows: Iterable[Mapping[str, Any]], **options: Any) -> int:
    """Append rows to a table (`options` go to write_deltalake); returns its version. Nulls are let through: that is what checks are for."""
    table, filled, place = catalog.table(name), arrow(name, rows), lake.table(name)
    store = bucket.options(lake.data)
    options = {"mode": "append", "partition_by": list(table.partitioned_by) or None, "storage_options": store} | options
    there = DeltaTable(place, storage_options=store) if DeltaTable.is_deltatable(place, store) else None
    write_deltalake(there or place, filled, **options)
    return int(there.version()) if there else 0


def arrow(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows of a table that lies nowhere."""
    table, listed = catalog.table(name), [*rows]
    said = set[str]().union(*listed)
    assert said <= {*table.column_names}, f"{table.name} has no column {said - {*table.column_names}}"
    arrays = [_column(column, listed if column.name in said else [], len(listed)) for column in table.columns]
    return pa.Table.from_arrays(arrays, names=table.column_names)


def _column(column: Column, rows: list[Mapping[str, Any]], count: int) -> pa.Array:
    """What the rows say; no rows: none says it."""
    kind, value = arrow_type(column.type), _value(column)
    if not rows:
        return pa.nulls(count, kind) if value is None else pa.array([value] * count, kind)
    return pa.array([row.get(column.name, value) for row in rows], kind)


def seq(position: int, segment: str = "s", batch: int = 0) -> dict[str, Any]:
    return {"batch": batch, "segment": segment, "position": position}


def _value(column: Column) -> Any:
    if column.nullable:
        return None
    if column.one_of:
        return column.one_of[0]
    if column.name == "seq":
        return seq(0)
    return (
        _PLAIN[column.type][1]
        if column.type in _PLAIN
        else []
        if column.type.startswith(("map", "array"))
        else Decimal(1)
    )


@cache
def arrow_type(kind: str) -> pa.DataType:
    """A contract's type, nested ones too, as Arrow's."""
    if kind in _PLAIN:
        return _PLAIN[kind][0]
    outer, _, inner = kind.removesuffix(">").removesuffix(")").replace("(", "<", 1).partition("<")
    parts = list(_split(inner))
    if outer == "decimal":
        return pa.decimal128(*map(int, parts))
    if outer == "array":
        return pa.list_(arrow_type(inner))
    if outer == "map":
        return pa.map_(*map(arrow_type, parts))
    return pa.struct([(name, arrow_type(of)) for name, _, of in (part.partition(":") for part in parts)])


def _split(text: str) -> Iterator[str]:
    """At the commas that are in no bracket."""
    depth = start = 0
    for at, character in enumerate(text):
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            yield text[start:at]
            start = at + 1
    yield text[start:]

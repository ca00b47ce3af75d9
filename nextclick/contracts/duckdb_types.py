"""Types of contracts as DuckDB writes them."""

import re
from collections.abc import Iterator

_PLAIN = {"string": "VARCHAR", "timestamp": "TIMESTAMPTZ"}
"""Others have one name in both."""


def duckdb_type(kind: str) -> str:
    """`map<string,bigint>` → `MAP(VARCHAR, bigint)`."""
    outer, _, inner = kind.removesuffix(">").partition("<")
    if not inner:
        return _PLAIN.get(kind, kind)
    if outer == "array":
        return f"{duckdb_type(inner)}[]"
    parts = list(_parts(inner))
    if outer == "map":
        return f"MAP({', '.join(map(duckdb_type, parts))})"
    fields = (f'"{name}" {duckdb_type(of)}' for name, _, of in (part.partition(":") for part in parts))
    return f"STRUCT({', '.join(fields)})"


def _parts(text: str) -> Iterator[str]:
    """At the commas that are in no bracket."""
    depth, part = 0, ""
    for piece in re.split(r"([<>(),])", text):
        depth += (piece in ("<", "(")) - (piece in (">", ")"))
        if piece == "," and not depth:
            yield part
            part = ""
        else:
            part += piece
    yield part

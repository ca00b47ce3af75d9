"""A Delta table's columns against its contract."""

import json
from typing import Any, Final

from nextclick.contracts.table import Table

_WORDS: Final = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}
"""Delta's names of types that SQL calls otherwise."""


def differences(table: Table, schema: str) -> list[str]:
    """What differs between the contract and `schema`, Delta's own JSON; nullability is judged by the rows."""
    actual = {field["name"]: words(field["type"]) for field in json.loads(schema)["fields"]}
    promised = {column.name: column.type for column in table.columns}
    absent = [f"{name} is not there" for name in promised if name not in actual]
    strange = [f"{name} ({actual[name]}) is not in the contract" for name in actual if name not in promised]
    other = [
        f"{name} is {actual[name]}, not {kind}" for name, kind in promised.items() if actual.get(name, kind) != kind
    ]
    return absent + strange + other


def words(kind: Any) -> str:
    """A type of Delta's schema as contracts write it.

    >>> words({"type": "map", "keyType": "string", "valueType": "long"})
    'map<string,bigint>'
    """
    if isinstance(kind, str):
        return _WORDS.get(kind, kind)
    match kind["type"]:
        case "struct":
            fields = ",".join(f"{field['name']}:{words(field['type'])}" for field in kind["fields"])
            return f"struct<{fields}>"
        case "map":
            return f"map<{words(kind['keyType'])},{words(kind['valueType'])}>"
        case _:
            return f"array<{words(kind['elementType'])}>"

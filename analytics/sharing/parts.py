"""What a shared table at a version consists of: parts, each a query that gives only what may be seen."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from analytics.sharing.shares import SharedTable
from nextclick.lake import delta, duck
from nextclick.web.answers import Refused

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FORM: Final = 1
"""Of the files that are made; those of another form have other ids."""
_NARROWED: Final = {"HUGEINT": "BIGINT"}
"""What sums are in DuckDB, and nowhere else."""
Commit = tuple[int, int]
"""A version, and its time in milliseconds since 1970-01-01 UTC."""


@dataclass(frozen=True)
class TablePart:
    """What becomes one file."""

    id: str
    """The same for the same rows and columns, whichever version, share or recipient asks."""
    values: Mapping[str, Any]
    """Of the columns of the partitioning, which its file lacks."""
    query: str


@dataclass(frozen=True)
class SharedVersion:
    """A version of a shared table."""

    version: int
    schema: str
    """As Delta writes it in JSON, with what each column means."""
    folders: Sequence[str]
    """The columns of the partitioning."""
    parts: Sequence[TablePart]
    doc: str


class TableKind(Protocol):
    """How tables of gold, or reports, are read."""

    def reads(self, shared: SharedTable) -> Sequence[str]:
        """Tables that its parts' queries name."""
        ...

    def commits(self, shared: SharedTable) -> Iterator[Commit]:
        """Its versions, newest first; at least one."""
        ...

    def at(self, database: "DuckDBPyConnection", shared: SharedTable, version: int) -> SharedVersion:
        """Refused 400 for a version that is no longer there."""
        ...


def no_version(message: str) -> Refused:
    return Refused(400, "NO_SUCH_VERSION", message)


class Cut:
    """How the rows of a table become those that a share shows: its columns, and its sites."""

    def __init__(
        self,
        database: "DuckDBPyConnection",
        shared: SharedTable,
        rows: str,
        docs: Mapping[str, str],
        folders: Sequence[str] = (),
    ) -> None:
        """`rows` is a query with all columns; those of `folders` are left out of files."""
        self._sites = shared.sites
        types = {name: kind for name, kind, *_ in database.execute(f"DESCRIBE {rows}").fetchall()}
        self._columns = {name: _column(name, str(types[name])) for name in shared.columns if name not in folders}
        everything = ", ".join(_column(name, str(types[name])) for name in shared.columns)
        fields = database.sql(f"SELECT {everything} FROM ({rows}) LIMIT 0").to_arrow_table().schema
        self.schema = delta.schema_json(fields, docs)

    def part(self, rows: str, values: Mapping[str, Any], *source: str) -> TablePart:
        """The part of the rows that `rows` gives; `source` names their content."""
        named = msgspec.json.encode((_FORM, source, self.schema, [*self._columns], self._sites))
        sites = f" WHERE site IN ({', '.join(map(duck.text, self._sites))})" if self._sites else ""
        columns = ", ".join(self._columns.values()) or "1"
        return TablePart(hashlib.sha256(named).hexdigest(), values, f"SELECT {columns} FROM ({rows}){sites}")


def _column(name: str, kind: str) -> str:
    return f'CAST("{name}" AS {_NARROWED[kind]}) AS "{name}"' if kind in _NARROWED else f'"{name}"'

"""What is shared with whom: conf/shares.toml."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from analytics import views
from analytics.sharing.recipients import NAME
from nextclick.conf_files import Form
from nextclick.contracts import catalog
from nextclick.contracts.table import Layer
from nextclick.errors import SettingsError

REPORT: Final = "report"
_FORM: Final = Form("", "docs/sharing.md", SettingsError)
_Name = Annotated[str, Meta(pattern=NAME)]
_Word = Annotated[str, Meta(min_length=1, max_length=256)]


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One share of conf/shares.toml."""

    recipients: Annotated[tuple[_Name, ...], Meta(min_length=1)]
    """Who may read it, as `nextclick share recipient` knows them."""
    tables: dict[_Word, Annotated[tuple[_Word, ...], Meta(min_length=1)]]
    """gold.NAME or report.NAME → the columns that leave."""
    sites: tuple[_Word, ...] = ()
    """Rows of these sites alone; none named: of all."""
    history: bool = False
    """Older versions of gold's tables may be read, too."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    shares: dict[_Name, Share] = {}


@dataclass(frozen=True)
class SharedTable:
    """A table as one share shows it."""

    share: str
    table: str
    """`gold.visits`, `report.traffic`."""
    columns: tuple[str, ...]
    sites: tuple[str, ...]
    history: bool

    @property
    def schema(self) -> str:
        return self.table.partition(".")[0]

    @property
    def name(self) -> str:
        return self.table.partition(".")[2]


class Shares:
    """The shares of conf/shares.toml."""

    def __init__(self, shares: Mapping[str, Share]) -> None:
        self._shares = shares

    def of(self, recipient: str) -> Mapping[str, list[SharedTable]]:
        """The recipient's shares by name, with their tables in order."""
        return {name: [*_tables(name, share)] for name, share in self._shares.items() if recipient in share.recipients}

    @property
    def recipients(self) -> frozenset[str]:
        """Who is named in any."""
        return frozenset(name for share in self._shares.values() for name in share.recipients)


def load(file: Path) -> Shares:
    """conf/shares.toml; no share where it is not there. SettingsError says what is wrong in it."""
    shares = _FORM.file(file, _File).shares
    for name, share in shares.items():
        for table, columns in share.tables.items():
            if problem := _problem(table, columns, share.sites):
                raise SettingsError(f"{file}: the share {name} cannot have {table}: {problem}")
    return Shares(shares)


def _tables(name: str, share: Share) -> Iterator[SharedTable]:
    for table, columns in sorted(share.tables.items()):
        yield SharedTable(name, table, columns, share.sites, share.history)


def _problem(table: str, columns: tuple[str, ...], sites: tuple[str, ...]) -> str:
    """What is wrong, and what may be named; empty where nothing is."""
    there = shareable()
    if table not in there:
        return f"no such table is shared. These may be: {', '.join(there)}."
    if unknown := [name for name in columns if name not in there[table]]:
        return f"it has no column {unknown[0]}. It has {', '.join(there[table])}."
    if len(set(columns)) < len(columns):
        return "it names a column twice."
    if sites and "site" not in there[table]:
        return "its rows are of no site, so `sites` cannot be held there. Put it into a share without `sites`."
    return ""


def shareable() -> dict[str, tuple[str, ...]]:
    """Tables that may be shared, and all their columns. Silver and bronze hold what visitors sent: they never leave."""
    gold = {table.name: table.column_names for table in catalog.TABLES if table.layer is Layer.GOLD}
    reports = {
        f"{REPORT}.{each.name}": (*each.dimensions, *(metric.name for metric in views.columns(each)))
        for each in views.views()
    }
    return gold | reports

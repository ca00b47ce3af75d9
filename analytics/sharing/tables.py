"""The shared tables of a lake, each at the version that is asked for."""

from contextlib import closing
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from analytics.sharing.gold_tables import GoldTables
from analytics.sharing.parts import SharedVersion, TableKind, no_version
from analytics.sharing.report_tables import ReportTables
from analytics.sharing.shares import REPORT, SharedTable
from nextclick.lake.memory import TableMemory
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class SharedTables:
    """The shared tables of a lake. Several threads may ask."""

    def __init__(self, settings: Settings) -> None:
        self._memory = TableMemory(settings.lake, most_bytes=0)
        self._gold: TableKind = GoldTables(settings.lake)
        self._reports: TableKind = ReportTables(settings, self._memory)

    def connection(self, shared: SharedTable) -> closing["DuckDBPyConnection"]:
        """Where its parts' queries are asked."""
        return closing(self._memory.connection(self._kind(shared).reads(shared)))

    def version(self, shared: SharedTable, since: datetime | None = None) -> int:
        """The newest version, or the first that is as new as `since`. Refused 400 where none is."""
        commits = self._kind(shared).commits(shared)
        if since is None:
            return next(commits)[0]
        newer = [*takewhile(lambda commit: commit[1] >= since.timestamp() * 1000, commits)]
        if not newer:
            raise no_version(f"{shared.table} has no version since {since.isoformat()}.")
        return newer[-1][0]

    def at(
        self, database: "DuckDBPyConnection", shared: SharedTable, version: int | None, when: datetime | None
    ) -> SharedVersion:
        """The table at a version, or as it was at a time; without both the newest. Refused 400 for one that is not shared."""
        kind = self._kind(shared)
        newest = next(kind.commits(shared))[0]
        if version is None:
            version = newest if when is None else self._version_at(shared, when)
        if version != newest and not shared.history:
            raise no_version(f"{shared.table} is shared at its newest version alone, which is {newest}.")
        return kind.at(database, shared, version)

    def _version_at(self, shared: SharedTable, when: datetime) -> int:
        commits = self._kind(shared).commits(shared)
        version = next((version for version, at in commits if at <= when.timestamp() * 1000), None)
        if version is None:
            raise no_version(f"{shared.table} has no version of {when.isoformat()} or before.")
        return version

    def _kind(self, shared: SharedTable) -> TableKind:
        return self._reports if shared.schema == REPORT else self._gold

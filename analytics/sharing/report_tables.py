"""Reports as they are shared: the rows of `report.NAME`, one part.

Its version is the time of the newest commit that it was made from, or of the day that it is, in milliseconds; there is no older one.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from analytics import views
from analytics.catalog import report as named
from analytics.report import earliest_today
from analytics.sharing.parts import Commit, Cut, SharedVersion
from analytics.sharing.shares import SharedTable
from nextclick.lake import delta
from nextclick.lake.memory import TableMemory
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class ReportTables:
    """By what their tables hold now."""

    def __init__(self, settings: Settings, memory: TableMemory) -> None:
        self._settings, self._memory = settings, memory

    def reads(self, shared: SharedTable) -> Sequence[str]:
        return named(shared.name).reads

    def commits(self, shared: SharedTable) -> Iterator[Commit]:
        lake, times = self._settings.lake, [0]
        for name in self.reads(shared):
            if table := delta.open_table(lake, name):
                today = datetime.combine(self._today, time(), UTC)
                times += [delta.committed_ms(lake, name, table) or 0, int(today.timestamp() * 1000)]
        yield max(times), max(times)

    def at(self, database: "DuckDBPyConnection", shared: SharedTable, version: int) -> SharedVersion:
        report = named(shared.name)
        rows = views.query(report, views.view_values(self._settings.analytics, report, self._today))
        cut = Cut(database, shared, rows, views.comments(report))
        stamps = (str(self._memory.stamp(name)) for name in report.reads)
        return SharedVersion(version, cut.schema, [], [cut.part(rows, {}, rows, *stamps)], report.doc)

    @property
    def _today(self) -> date:
        return earliest_today(self._settings.analytics, datetime.now(UTC))

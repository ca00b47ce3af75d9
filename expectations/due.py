"""Which rows of which tables are to be checked now.

Rows that are new since the last checked version are those in files that it did not
have: Delta's files are immutable, so every row of the others was checked when its file
was new. That holds alike for appends, merges, replaced days and rebuilds, needs no change
feed, and looks at rows as the table holds them now, not at what they were in between.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expectations.measures.arrivals import hours_since_arrival
from expectations.results import TableStatus, latest_results
from expectations.suites.expectation import Expectation
from expectations.suites.suite import CHECKED, suite
from nextclick.contracts import catalog
from nextclick.contracts.bronze import EVENTS as BRONZE
from nextclick.contracts.silver import EVENTS
from nextclick.contracts.table import Table
from nextclick.errors import LakeError
from nextclick.lake.delta import added, committed_ms, open_table
from nextclick.lake.duck import files
from nextclick.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable


@dataclass(frozen=True)
class CheckTask:
    """One table version, its expectations, and the files whose rows are looked at."""

    table: Table
    delta: "DeltaTable"
    suite: tuple[Expectation, ...]
    files: tuple[str, ...]
    """Paths of data files below the table's folder."""
    whole: bool
    """They are all that the version has."""

    @property
    def version(self) -> int:
        return int(self.delta.version())

    @property
    def rows(self) -> float:
        """Of these files, as the log counts them; without end where it does not."""
        counts = {file["path"]: file.get("num_records") for file in added(self.delta).to_pylist()}
        return sum(math.inf if (rows := counts[path]) is None else rows for path in self.files)

    @property
    def table_id(self) -> str:
        return str(self.delta.metadata().id)


def due(settings: Settings, tables: Iterable[str] | None = None, all_rows: bool = False) -> list[CheckTask]:
    """What is to be checked of `tables` (default: all that were written); nothing where nothing changed.

    A table is checked whole at first, after a rebuild, when its expectations changed,
    while a stop stands on it, and with `all_rows`. UsageError for a table that there is not.
    """
    known = {} if all_rows else latest_results(settings.lake)
    names = CHECKED if tables is None else [catalog.table(name).name for name in tables]
    written = ((name, open_table(settings.lake, name)) for name in names)
    return [part for name, delta in written if delta for part in _parts(settings, name, delta, known.get(name))]


def _parts(settings: Settings, name: str, delta: "DeltaTable", standing: TableStatus | None) -> Iterator[CheckTask]:
    """What is due of one table: one part, or none."""
    table, expected = catalog.table(name), suite(name, settings)
    if standing and not _same(standing, delta, expected):
        standing = None
    if standing and standing.version == delta.version():
        again = _again(settings, delta, standing) if name == EVENTS.name else set()
        if again:
            yield CheckTask(table, delta, tuple(one for one in expected if one.name in again), (), whole=False)
        return
    before = _files_at(settings, name, standing.version) if standing and not standing.stops else frozenset()
    now = files(delta)
    yield CheckTask(table, delta, expected, tuple(sorted(now - before)), whole=not now & before)


def _same(standing: TableStatus, delta: "DeltaTable", expected: tuple[Expectation, ...]) -> bool:
    """It was this very table, and the same was expected of it."""
    checked = {(check.expectation, check.meaning, check.severity) for check in standing.checks.values()}
    return standing.table_id == str(delta.metadata().id) and checked.issuperset(
        (one.name, one.meaning, one.severity) for one in expected
    )


def _again(settings: Settings, events: "DeltaTable", standing: TableStatus) -> set[str]:
    """Expectations of silver.events whose answer may be another though its version is the same."""
    age = hours_since_arrival(events)
    is_fresh = age is None or age <= settings.quality.freshness_hours
    bronze = open_table(settings.lake, BRONZE.name)
    checked_ms = standing.checks["residual"].checked_at.timestamp() * 1000
    moved = bronze and (committed_ms(settings.lake, BRONZE.name, bronze) or 0) > checked_ms
    turned = {"fresh"} if is_fresh != standing.checks["fresh"].success else set()
    return turned | ({"residual", "double_counted"} if moved else set())


def _files_at(settings: Settings, name: str, version: int) -> frozenset[str]:
    """The files of an earlier version; none if the log no longer says."""
    try:
        delta = open_table(settings.lake, name, version)
    except LakeError:
        return frozenset()
    return files(delta) if delta else frozenset()

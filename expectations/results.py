"""Rows of gold.data_quality: written with every check and override, read to know what was checked and what stands."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, Literal

from nextclick.contracts.gold import DATA_QUALITY
from nextclick.lake import commits, delta
from nextclick.lake.delta import open_table
from nextclick.lake.duck import connect, show
from nextclick.lake.paths import Lake

_FILES: Final = 64
"""More files than this are compacted: a check adds one, and every reader opens them all."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One row of gold.data_quality; its contract says what the columns mean.

    No struct of msgspec's: Python's collector does not see those that a cache holds, and what they hold outlives the process's end,
    where DuckDB complains.
    """

    table_name: str
    table_id: str
    table_version: int
    kind: Literal["check", "override"] = "check"
    expectation: str
    meaning: str
    severity: Literal["stop", "warn"]
    success: bool
    scope: Literal["all", "changed"]
    observed: str | None = None
    checked_at: datetime
    run_id: str
    actor: str | None = None
    reason: str | None = None

    @property
    def stops(self) -> bool:
        return not self.success and self.severity == "stop"


@dataclass(frozen=True)
class TableStatus:
    """What the newest checked version of one table is known to hold."""

    table_id: str
    version: int
    checks: Mapping[str, Result]
    """Newest result of each expectation, by its name."""
    overrides: Mapping[str, Result]
    """By the names of failed expectations that a person overrode since: who, and why."""

    @property
    def stops(self) -> list[Result]:
        """Failures that stop, and that nobody has overridden."""
        return [check for check in self.checks.values() if check.stops and check.expectation not in self.overrides]


def append(lake: Lake, results: Iterable[Result]) -> None:
    """Add rows in one commit; the caller holds the table's lock."""
    import pyarrow as pa

    from nextclick.contracts import arrow

    rows = pa.Table.from_pylist([asdict(result) for result in results], arrow.schema(DATA_QUALITY))
    commits.write(lake, DATA_QUALITY, rows, "append")
    table = delta.require(lake, DATA_QUALITY.name)
    if len(table.file_uris()) > _FILES:
        table.optimize.compact()
        table.vacuum(dry_run=False)  # what was compacted a week ago


def latest_results(lake: Lake) -> Mapping[str, TableStatus]:
    """By table: its newest checked version, and what was found there."""
    return _as_of(lake, delta.log_stamp(lake, DATA_QUALITY.name))


@lru_cache(maxsize=4)
def _as_of(lake: Lake, stamp: tuple[str, int]) -> Mapping[str, TableStatus]:
    """Each step of a run asks: read once a version of the table."""
    table = open_table(lake, DATA_QUALITY.name)
    if table is None:
        return {}
    with connect(lake) as duck:
        show(duck, "results", lake, DATA_QUALITY.name, table)
        answer = duck.execute(_NEWEST)
        names = [column[0] for column in answer.description or ()]
        rows = [Result(**dict(zip(names, row, strict=True))) for row in answer.fetchall()]
    by_table: dict[str, list[Result]] = {}
    for row in rows:
        by_table.setdefault(row.table_name, []).append(row)
    return {name: _standing(results) for name, results in by_table.items()}


_NEWEST = f"""
WITH newest AS (
    SELECT table_name, unnest(arg_max(struct_pack(table_id, table_version), checked_at))
    FROM results WHERE kind = 'check' GROUP BY table_name
)
SELECT {", ".join(f"r.{name}" for name in DATA_QUALITY.column_names)}
FROM results r JOIN newest n USING (table_name) WHERE r.table_id = n.table_id AND r.table_version = n.table_version
ORDER BY checked_at
"""


def _standing(rows: list[Result]) -> TableStatus:
    """From all rows of one table version, oldest first; an override counts against the check before it."""
    checks: dict[str, Result] = {}
    overrides: dict[str, Result] = {}
    for row in rows:
        if row.kind == "check":
            checks[row.expectation] = row
            overrides.pop(row.expectation, None)
        else:
            overrides[row.expectation] = row
    return TableStatus(rows[0].table_id, rows[0].table_version, checks, overrides)

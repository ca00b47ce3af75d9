"""docs/design.md, rule 10: a failed check of severity stop is a fact in gold.data_quality; downstream work is refused while it stands.

Whoever starts work that reads a table calls `refuse` first. No Spark and no Great
Expectations here, so that everybody can afford to.
"""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

from expectations.results import Result, append, latest_results
from nextclick.contracts import catalog
from nextclick.contracts.gold import DATA_QUALITY
from nextclick.errors import CheckStopped, UsageError
from nextclick.lake import locks
from nextclick.settings import Settings


def open_stops(settings: Settings) -> list[Result]:
    """Every stop that stands: failed at the newest checked version of its table, and not overridden."""
    statuses = latest_results(settings.lake)
    return [stop for table in catalog.TABLES if table.name in statuses for stop in statuses[table.name].stops]


def refuse(settings: Settings, *tables: str) -> None:
    """Raise CheckStopped if a stop stands on one of `tables` or on a table that they are made from."""
    upstream = _with_sources(tables)
    standing = [stop for stop in open_stops(settings) if stop.table_name in upstream]
    if standing:
        raise CheckStopped(message(standing))


def message(stops: list[Result]) -> str:
    """What stops, where, what was seen, and what to do."""
    lines = [
        f"{stop.table_name} version {stop.table_version}: {stop.expectation} fails: {stop.meaning} Seen: {stop.observed}"
        for stop in stops
    ]
    first = stops[0].table_name
    return "\n".join(
        [
            "Stopped by failed checks; what reads these tables is refused.",
            *lines,
            "Mend the tables (`nextclick rebuild …`, docs/jobs/check.md), then `nextclick check`; or take them as they are:",
            f"nextclick check --override {first} --by NAME --why TEXT",
        ]
    )


def override(settings: Settings, table: str, by: str, why: str) -> list[Result]:
    """Lift the stops of a table's newest checked version, in the name of a person; the rows that say so.

    A newer version is checked anew. UsageError if there is nothing to lift, or no name and reason.
    """
    if not by.strip() or not why.strip():
        raise UsageError("An override is recorded with a name and a reason: --by NAME --why TEXT.")
    with locks.hold(settings.lake.locks, DATA_QUALITY.name, purpose="override"):
        stops = [stop for stop in open_stops(settings) if stop.table_name == catalog.table(table).name]
        if not stops:
            raise UsageError(f"No stop stands on {table}; `nextclick check --stops` lists those that do.")
        now, run = datetime.now(UTC), uuid.uuid4().hex
        rows = [replace(stop, kind="override", checked_at=now, run_id=run, actor=by, reason=why) for stop in stops]
        append(settings.lake, rows)
    return rows


def _with_sources(tables: tuple[str, ...]) -> set[str]:
    """The tables and everything that they are made from, by the contracts."""
    names: set[str] = set()
    waiting = list(tables)
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting.extend(catalog.table(name).reads)
    return names

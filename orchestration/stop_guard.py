"""docs/design.md, rule 10: nothing downstream starts while a stop stands on a table that it is made from.

The block is a fact in gold.data_quality, so the command line, Dagster and any other run
meet the same one.
"""

import time
from collections import Counter
from typing import TYPE_CHECKING

from expectations import runner, stops
from expectations.results import Result
from nextclick.errors import CheckStopped
from nextclick.lake.table_state import table_state
from nextclick.report import JobReport
from nextclick.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def admit(settings: Settings, tables: tuple[str, ...]) -> None:
    """Raise CheckStopped while a stop stands on what `tables` are made from.

    A stopped table that has a newer version since is checked first: it may be mended.
    """
    try:
        stops.refuse(settings, *tables)
    except CheckStopped:
        stopped = {stop.table_name: stop.table_version for stop in stops.open_stops(settings)}
        moved = [name for name, version in stopped.items() if table_state(settings.lake, name).version != version]
        if not moved:
            raise
        look(settings, tuple(moved))
        stops.refuse(settings, *tables)


def look(settings: Settings, tables: tuple[str, ...]) -> list[Result]:
    """Check what is new in `tables`; a failure is a row, not an error."""

    def session() -> "SparkSession":
        from spark_jobs.session import open_session

        return open_session(settings)

    return runner.run(session, settings, tables)


def check(settings: Settings, name: str, tables: tuple[str, ...]) -> JobReport:
    """Check what is new in `tables`, and raise CheckStopped if a stop stands on one of them."""
    started = time.monotonic()
    results = look(settings, tables)
    stops.refuse(settings, *tables)
    warned = [f"{one.table_name} {one.expectation} ({one.observed})" for one in results if not one.success]
    held = Counter(one.success for one in results)[True]
    note = f"{held} expectations hold" + "".join(f"; warning: {warning}" for warning in warned)
    return JobReport(
        job=name,
        written=len(results),
        seconds=time.monotonic() - started,
        details={"reason": note if results else "nothing new"},
    )

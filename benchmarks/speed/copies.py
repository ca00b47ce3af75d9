"""Copies of gold for BI tools: a DuckDB file, and a PostgreSQL at first, with nothing new, and with one changed day.

    make bench ARGS="copies [--rows 1000000] [--keep DIR] [--to postgresql://shop@localhost/bench]"

Makes tables of gold with so many rows in all, of 365 days, in a folder that is removed at the end unless it is kept. Without --to the
file alone. The database should be an empty one: its schemas gold and report are written. Seconds of the clock, also for each million of
the rows that are written (the reports are rows of their own), and those of this process's processors.
"""

import argparse
import time
from datetime import date
from typing import Final

from analytics import copies
from benchmarks.measure import lake_folder
from benchmarks.speed.reports import SHARES, make_gold
from nextclick.contracts import catalog
from nextclick.lake import commits, delta
from nextclick.lake.paths import Lake, lake_at
from nextclick.settings import Settings, load

_DAY: Final = date(2025, 12, 31)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--keep", metavar="DIR", help="Make the lake there, leave it, and take it as it is the next time."
    )
    parser.add_argument("--to")
    parser.add_argument("--only", default="gold.*", help="tables like this, such as '*' for the reports as well")
    options = parser.parse_args()
    with lake_folder("copies", options.keep) as folder:
        settings = load(folder / "lake")
        make_gold(lake_at(folder / "lake"), options.rows)
        measure("a DuckDB file", settings, str(folder / "copy.duckdb"), options.only)
        if options.to:
            measure("PostgreSQL, at first", settings, options.to, options.only)
            measure("with nothing new", settings, options.to, options.only)
            write_a_day_anew(settings.lake)
            measure("with one changed day", settings, options.to, options.only)


def measure(what: str, settings: Settings, target: str, pattern: str) -> None:
    """Print what one call writes and takes."""
    clock, processor = time.monotonic(), time.process_time()
    written = copies.write(settings, target, [pattern], lambda done, total: None)
    rows = sum(table.rows or 0 for table in written)
    clock, processor = time.monotonic() - clock, time.process_time() - processor
    each = f"{clock / rows * 1e6:5.1f} s a million" if rows else ""
    print(
        f"{what:<24} {rows:>9,} rows  {clock:5.1f} s of the clock  {processor:5.1f} s of the processor  {each}",
        flush=True,
    )


def write_a_day_anew(lake: Lake) -> None:
    """Of each table."""
    for name in SHARES:
        table = delta.require(lake, name)
        rows = table.to_pyarrow_table(filters=[("date", "=", _DAY)])
        commits.replace_days(lake, catalog.table(name), rows, [_DAY])


if __name__ == "__main__":
    main()

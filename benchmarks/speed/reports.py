"""Every report over gold of a year: from files, from tables in memory, asked again; against a view that unites columns by name.

    make bench ARGS="reports [--rows 10000000] [--times 5] [--keep DIR] [--lake DIR]"

Makes tables of gold with so many rows in all, of 365 days, in a folder that is removed at the end unless it is kept, and asks each
report of its last 28 days; of the lake in DIR, as it is, all reports of all of its days. An answer is there when the 40 rows that a
terminal shows are. Answers are kept where it says so alone. Seconds of the processor, of all cores, stand beside those of the clock:
what else runs changes them less.
"""

import argparse
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from deltalake import Field, Schema, convert_to_deltalake
from deltalake.schema import PrimitiveType

from analytics.answers import Reports
from analytics.catalog import REPORTS
from analytics.report import Report
from benchmarks.measure import lake_folder, ratio
from nextclick.contracts import catalog
from nextclick.contracts.duckdb_types import duckdb_type
from nextclick.contracts.table import Column
from nextclick.lake import delta, duck
from nextclick.lake.memory import TableMemory
from nextclick.lake.paths import Lake, lake_at
from nextclick.lake.table_state import table_state
from nextclick.settings import load

SHARES: Final = {
    "gold.visits": 0.2,
    "gold.visitor_days": 0.2,
    "gold.page_daily": 0.3,
    "gold.item_daily": 0.24,
    "gold.event_daily": 0.01,
    "gold.recommendation_performance": 0.02,
    "gold.campaign_daily": 0.01,
    "gold.attribution_daily": 0.02,
}
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_EVER: Final = "2000-01-01"
_SHOWN: Final = 40
_BY_NAME: Final = {
    "site": "'shop'",
    "visitor_id": "md5((hash(n) % {visitors})::VARCHAR)",
    "session_id": "n::VARCHAR",
    "page": "'/p' || (n // 365)",
    "item_id": "'i' || (n // 365)",
    "campaign": "'c' || (hash(n) % 50)",
    "rule": "['first', 'last', 'last_non_direct'][1 + (hash(n) % 3)::INT]",
    "goal": "'purchase'",
    "currency": "'EUR'",
}
_BY_TYPE: Final = {
    "string": "'x' || (hash(n, 1) % 8)",
    "bigint": "hash(n, 2) % 10",
    "int": "1 + hash(n, 3) % 10",
    "double": "(hash(n, 4) % 100) / 7.0",
    "boolean": "n % 2 = 0",
    "date": "DATE '2025-01-01' + (n % 365)::INT",
    "timestamp": "TIMESTAMPTZ '2025-01-01 12:00:00+00' + to_days((n % 365)::INT)",
    "decimal(38,4)": "1.5",
    "map<string,decimal(38,4)>": "CASE WHEN n % 20 = 0 THEN MAP {{'EUR': 9.5}} ELSE MAP {{}} END",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument(
        "--keep", metavar="DIR", help="Make the lake there, leave it, and take it as it is the next time."
    )
    parser.add_argument("--lake", help="Reports of this lake, in place of tables that are made.")
    options = parser.parse_args()
    if options.lake:
        of_lake(lake_at(options.lake), options.times)
        return
    with lake_folder("reports", options.keep) as folder:
        lake = lake_at(folder / "lake")
        make_gold(lake, options.rows)
        compare(lake, options.times)


def make_gold(lake: Lake, rows: int) -> None:
    """Tables with so many rows in all, of a twentieth as many visitors; one that is there already stays as it is."""
    for name, share in SHARES.items():
        if not delta.exists(lake, name):
            make(lake, name, int(rows * share), visitors=rows // 20)
    print(f"gold of {sum(table_state(lake, name).rows for name in SHARES):,} rows in {lake.data}", flush=True)


def make(lake: Lake, name: str, rows: int, visitors: int) -> None:
    """A table by days; what its contract lets be absent is absent."""
    columns = ", ".join(f'{_value(column, visitors)} AS "{column.name}"' for column in catalog.table(name).columns)
    target = lake.table(name)
    shutil.rmtree(target, ignore_errors=True)  # what was begun and never ended
    Path(target).mkdir(parents=True)
    with duck.connect(lake) as database:
        database.execute(
            f"COPY (SELECT {columns} FROM range({rows}) t(n) ORDER BY n % 365) TO '{target}' (FORMAT parquet, PARTITION_BY (date))"
        )
    convert_to_deltalake(target, partition_by=Schema([Field("date", PrimitiveType("date"))]), partition_strategy="hive")


class UnitedByName(TableMemory):
    """Tables as a view over all their files, which opens each of them to learn its columns."""

    def _view(self, name: str, query: str) -> None:
        files = f"read_parquet('{self.lake.table(name)}/*/*.parquet', union_by_name = true, hive_partitioning = true)"
        super()._view(name, f"FROM {files}" if name in SHARES else query)


def compare(lake: Lake, times: int) -> None:
    """Print the figures of each report, and of all."""
    reports = [report for report in REPORTS if {*report.reads} & {*SHARES}]
    settings = load(lake.root).analytics
    tables = TableMemory(lake, most_bytes=0)
    readers = {
        "files": Reports(tables, settings, NOW, answer_bytes=0),
        "tables in memory": Reports(TableMemory(lake, most_bytes=2**31), settings, NOW, answer_bytes=0),
        "asked again": Reports(tables, settings, NOW),
        "united by name": Reports(UnitedByName(lake, most_bytes=0), settings, NOW, answer_bytes=0),
    }
    seconds = {name: list[tuple[float, float]]() for name in readers}
    of_tables = {name: list[float]() for name in readers}
    """Of the clock; reports that numbers of visitors are counted for open no table's files, however they are read."""
    for report in reports:
        line = [f"{report.name:<16}"]
        for name, answers in readers.items():
            # the second time tables are read into memory
            taken = [_timed(answers, report) for _ in range(times + 2)][2:]
            seconds[name] += taken
            of_tables[name] += [] if report.counted else [clock for clock, _ in taken]
            line.append(f"{name} {median(clock for clock, _ in taken) * 1000:5.0f} ms")
        print("  ".join(line), flush=True)
    for name, taken in seconds.items():
        clock, processor = (quantiles(part, n=20)[18] for part in zip(*taken, strict=True))
        print(f"{name}: p95 {clock * 1000:.0f} ms of the clock, {processor * 1000:.0f} ms of the processor")
    ours, plain = (median(of_tables[name]) for name in ("files", "united by name"))
    print(ratio("seconds of the median report of tables", ours, "united by name", plain, 0.9))


def of_lake(lake: Lake, times: int) -> None:
    """Print what each report of all days takes from files, and 95 of 100 at most."""
    answers = Reports(TableMemory(lake, most_bytes=0), load(lake.root).analytics, answer_bytes=0)
    taken = list[tuple[float, float]]()
    for report in REPORTS:
        mine = [_timed(answers, report, _EVER) for _ in range(times + 1)][1:]
        taken += mine
        clock, processor = (median(part) * 1000 for part in zip(*mine, strict=True))
        print(f"{report.name:<16} {clock:5.0f} ms of the clock {processor:5.0f} ms of the processor", flush=True)
    clock, processor = (quantiles(part, n=20)[18] * 1000 for part in zip(*taken, strict=True))
    print(f"p95 {clock:.0f} ms of the clock, {processor:.0f} ms of the processor (goal ≤ 300 ms)")


def _timed(reports: Reports, report: Report, first: str | None = None) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    clock, processor = time.monotonic(), time.process_time()
    reports.answer(reports.question(report, first if report.is_of_days else None)).rows[:_SHOWN]
    return time.monotonic() - clock, time.process_time() - processor


def _value(column: Column, visitors: int) -> str:
    sql = "NULL" if column.nullable else _BY_NAME.get(column.name) or _BY_TYPE.get(column.type) or "[]"
    kind = duckdb_type(column.type)
    return f"({sql.format(visitors=visitors)})::{kind}" if sql != "[]" or kind.endswith("]") else f"(MAP {{}})::{kind}"


if __name__ == "__main__":
    main()

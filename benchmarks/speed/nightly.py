"""A whole history to exported lists on a fresh lake: seconds, peak memory, and every event accounted for.

    .venv/bin/python -m benchmarks.speed.nightly ../shared/data/globo-clicks --mapping globo [--again] [--dagster] [--lake DIR]

Runs the commands as a person would (`nextclick import`, then `nextclick run`, with the JVM's
start) and prints seconds per step, the peak resident memory of all processes, the counts
of the tables, and with --again that importing and running once more adds no row. With
--dagster the steps are steps of Dagster's nightly job, in this process, where they overlap.
The share of the tools is MLflow's store, log and register, and Great Expectations' checks.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.measure import Figure, measured, ratio
from nextclick.report import JobReport
from nextclick.settings import load

NEXTCLICK = str(Path(sys.executable).parent / "nextclick")
CHECKS = ("check_silver", "check_gold", "check_lists", "check_model_daily")
FIRST = (
    *("ingest_events", "ingest_rejects", "build_events", "build_identities", "build_items", "build_user_agents", "build_sessions"),
    *("build_served_items", "check_silver", "build_interactions", "build_traffic_daily", "build_item_daily"),
    *("build_recommendation_performance", "check_gold", "learn_bandits", "train", "train_ctr", "lists", "check_lists", "export"),
)  # fmt: skip
"""The steps of 0.1, by their names of today; where several work side by side, each step's seconds hold those of the others."""
FIRST_SECONDS = 299
"""What 0.1 took for them on the clicks of Globo, with the import, on two cores."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="a file or folder of history")
    parser.add_argument("--mapping", required=True)
    parser.add_argument("--lake", help="keep the lake here (default: a temporary folder, removed)")
    parser.add_argument("--again", action="store_true", help="import with --again and run once more")
    parser.add_argument("--dagster", action="store_true", help="run the steps as Dagster's nightly job")
    options = parser.parse_args()
    lake = Path(options.lake or tempfile.mkdtemp(prefix="nextclick-bench-"))
    try:
        report(lake, options)
    finally:
        if not options.lake:
            shutil.rmtree(lake)


def report(lake: Path, options: argparse.Namespace) -> None:
    """Print the figures of the first pass and, if asked for, of the second."""
    with measured() as imported:
        call(lake, "import", options.path, "--mapping", options.mapping)
    with measured() as ran:
        steps = through_dagster(lake) if options.dagster else call(lake, "run")["steps"]
    for step in steps:
        print(f"  {step['job']:<20} {step['seconds']:7.1f} s  {step['written']:>10,} written")
    total = imported.seconds + ran.seconds
    print(
        f"import {imported.seconds:.0f} s + run {ran.seconds:.0f} s = {total:.0f} s; {peak(imported, ran):.1f} GB at peak"
    )
    print(f"processor: import {imported.processor:.0f} s + run {ran.processor:.0f} s")
    first = imported.seconds + sum(step["seconds"] for step in steps if step["job"] in FIRST)
    print(ratio("import and the steps of 0.1", first, "0.1's seconds on Globo", FIRST_SECONDS, 200 / FIRST_SECONDS))
    if not options.dagster:  # whose checks are steps of its own, without a report
        tools = {
            "MLflow": sum(step["details"].get("seconds.register", 0) for step in steps),
            "Great Expectations": sum(step["seconds"] for step in steps if step["job"] in CHECKS),
        }
        print(*(f"{name} {seconds:.1f} s" for name, seconds in tools.items()), sep=", ")
        print(ratio("the tools' seconds", sum(tools.values()), "the run", ran.seconds, 0.3))
    there = counts(lake)
    print(json.dumps(there))
    if options.again:
        call(lake, "import", options.path, "--mapping", options.mapping, "--again")
        with measured() as rerun:
            call(lake, "run")
        second = counts(lake)
        print(f"imported again, ran again: {rerun.seconds:.0f} s; {json.dumps(second)}")
        same = all(there[table] == second[table] for table in there if table.startswith(("silver.", "gold.")))
        print("no row was added" if same else "ROWS WERE ADDED")


def through_dagster(lake: Path) -> list[dict[str, Any]]:
    """The reports of the steps, as steps of the nightly job."""
    from orchestration.definitions import run_nightly  # Dagster takes seconds to import: they count
    from orchestration.step_runner import Unwatched

    reports: list[dict[str, Any]] = []

    class Listener(Unwatched):
        def done(self, report: JobReport) -> None:
            reports.append(msgspec.to_builtins(report))

    run_nightly(load(lake), Listener())
    return reports


def peak(*figures: Figure) -> float:
    return max(figure.peak_mb for figure in figures) / 1000


def call(lake: Path, *words: str) -> Any:
    """A verb's --json answer; its progress goes to stderr."""
    command = [NEXTCLICK, "--lake", str(lake), *words, "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def counts(lake: Path) -> dict[str, int]:
    """Rows of each table, and the reconciliation."""
    status = call(lake, "status")
    rows = {name: table["rows"] for name, table in status["tables"].items() if table and name != "gold.data_quality"}
    return rows | {key: value for key, value in status["reconciliation"].items() if isinstance(value, int)}


if __name__ == "__main__":
    main()

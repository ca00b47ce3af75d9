"""`make demo`: two weeks of a made-up shop, from clicks to recommendations, judged by tastes that only it knows."""

import io
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TextIO

import click
import msgspec
from rich.console import Console

from demo.outcome.facts import DemoFacts, agrees
from demo.outcome.report import WIDTH, print_report
from demo.traffic.generate import DAYS, make_traffic, write_traffic
from nextclick.command import run_command
from nextclick.errors import NextclickError, UsageError
from nextclick.settings import Settings, load

MARK = ".made-by-the-demo"
"""A lake with this file in it may be removed by the next demo."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH})
@click.option(
    "--seed", type=click.IntRange(0), default=7, show_default=True, help="The same seed prints the same numbers."
)
@click.option(
    "--visitors", type=click.IntRange(50, 50_000), default=600, show_default=True, help="Visitors of the shop."
)
@click.option(
    "--lake", default="demo-lake", show_default=True, metavar="DIR", help="Made anew; must be the demo's own."
)
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON alone on stdout.")
def demo(seed: int, visitors: int, lake: str, as_json: bool) -> None:
    """Send a shop's clicks to the collector, run the whole path, and compare the outcome with the truth.

    \b
    python -m demo                         two weeks of 600 visitors
    python -m demo --seed 8                another shop, other people
    python -m demo --visitors 5000         more of them
    python -m demo --json | jq .tastes     for scripts

    Exit code 1 if the lake does not hold exactly what the generator made.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: what it started ends with it
    started = time.monotonic()
    settings, log = load(lake, profile="demo"), _console(sys.stderr)
    clear(settings.lake.root)
    facts = make_facts(settings, seed, visitors, lake, log)
    if as_json:
        click.echo(msgspec.json.encode(facts).decode())
    else:
        print_report(_console(sys.stdout), facts, command())
    log.print(f"\n{time.monotonic() - started:.0f} s in all")
    if not agrees(facts):
        raise NextclickError("The lake differs from what the generator made: see the lines marked DIFFERS.")


def clear(root: Path) -> None:
    """An empty folder with the demo's mark; what was there goes only if it bears the mark."""
    if root.exists() and not (root / MARK).exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(
            f"{root} was not made by the demo, so it stays. Name another folder with --lake, or remove it."
        )
    for path in root.iterdir() if root.exists() else ():
        if path.name != MARK:  # the mark goes last: a demo that is killed here can start again
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    root.mkdir(parents=True, exist_ok=True)
    (root / MARK).touch()


def command() -> str:
    """How nextclick is called from here: by its name if the shell finds it, else from the virtual environment."""
    return "nextclick" if shutil.which("nextclick") else os.path.relpath(Path(sys.executable).parent / "nextclick")


def make_facts(settings: Settings, seed: int, visitors: int, shown_as: str, log: Console) -> DemoFacts:
    """Make the traffic, send it down the path, read what became of it."""
    from demo.http_client import send  # the stations take seconds to import: --help should not
    from demo.pipeline import import_costs, import_items, spark_starting, walk
    from demo.service import running

    began = time.monotonic()
    folder = settings.lake.root / "traffic"
    gap = settings.sessions.gap_for(settings.site)
    traffic = make_traffic(seed, visitors, gap)  # not beside Spark: OpenBLAS may hang in a process that forks meanwhile
    files = write_traffic(traffic, folder)
    log.print(f"traffic: {DAYS} days of {visitors:,} visitors  in {time.monotonic() - began:.1f} s")
    with spark_starting(settings), running(settings, "collect", folder) as collector:
        for report, what in (
            (import_items(settings, files.catalogue), "items of the catalogue"),
            (import_costs(settings, files.costs), "costs of a campaign and day"),
        ):
            log.print(f"import: {report.accepted:,} {what}  in {report.seconds:.1f} s")
        address, began = collector.address, time.monotonic()
        sent = f"{len(traffic.lines):,} records in {send(collector, traffic.lines):,} requests to {address}"
        log.print(f"collect: {sent}  in {time.monotonic() - began:.1f} s")
    walk(settings, log)
    from demo.outcome.lake_facts import gather

    return gather(settings, folder, shown_as)


def _console(stream: TextIO) -> Console:
    """At most WIDTH wide, also where no terminal says how wide it is; signs that it cannot show are replaced."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    width = min(WIDTH, Console(file=stream).width) if stream.isatty() else WIDTH
    return Console(file=stream, width=width, highlight=False)


if __name__ == "__main__":
    run_command(demo)

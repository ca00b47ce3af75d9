"""`make demo`: two weeks of a made-up shop, from clicks to recommendations, judged by tastes that only it knows."""

import io
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TextIO

import click
import msgspec
from rich.console import Console

from demo.facts import Facts, agrees
from demo.report import WIDTH, print_report
from demo.traffic import make_traffic, write_traffic
from nextclick.cli import main
from nextclick.errors import NextclickError, UsageError
from nextclick.settings import Settings, load

MARK = ".made-by-the-demo"
"""A lake with this file in it may be removed by the next demo."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH})
@click.option(
    "--seed", type=click.IntRange(0), default=7, show_default=True, help="The same seed prints the same numbers."
)
@click.option(
    "--visitors", type=click.IntRange(50, 50_000), default=1_500, show_default=True, help="Visitors of the shop."
)
@click.option(
    "--lake", default="demo-lake", show_default=True, metavar="DIR", help="Made anew; must be the demo's own."
)
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON alone on stdout.")
def demo(seed: int, visitors: int, lake: str, as_json: bool) -> None:
    """Make a shop's clicks, bring them in, run the whole path, and compare the outcome with the truth.

    \b
    python -m demo                         two weeks of 1,500 visitors
    python -m demo --seed 8                another shop, other people
    python -m demo --visitors 5000         more of them
    python -m demo --json | jq .tastes     for scripts

    Exit code 1 if the lake does not hold exactly what the generator made.
    """
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


def make_facts(settings: Settings, seed: int, visitors: int, shown_as: str, log: Console) -> Facts:
    """Make the traffic, send it down the path, read what became of it."""
    from demo.lake_facts import gather  # the stations take seconds to import: --help should not
    from demo.path import spark_starting, walk

    folder = settings.lake.root / "traffic"
    with spark_starting(settings):
        _bring_in(settings, folder, seed, visitors, log)
    walk(settings, log)
    return gather(settings, folder, shown_as)


def _bring_in(settings: Settings, folder: Path, seed: int, visitors: int, log: Console) -> None:
    from demo.path import bring_in

    began = time.monotonic()
    files = write_traffic(make_traffic(seed, visitors), folder)
    log.print(f"traffic: {len(files)} days of {visitors:,} visitors in {folder}  in {time.monotonic() - began:.1f} s")
    for kind, paths in (("items", [folder / "catalogue.ndjson"]), ("events", files)):
        report = bring_in(settings, kind, paths)
        log.print(
            f"import {kind}: accepted {report.accepted:,}  rejected {report.rejected:,}  in {report.seconds:.1f} s"
        )


def _console(stream: TextIO) -> Console:
    """At most WIDTH wide, also where no terminal says how wide it is; signs that it cannot show are replaced."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    width = min(WIDTH, Console(file=stream).width) if stream.isatty() else WIDTH
    return Console(file=stream, width=width, highlight=False)


if __name__ == "__main__":
    main(demo)

"""`nextclick run`: every station once, in order, in one process."""

import time
from collections.abc import Sequence

import click
import msgspec
from rich.console import Console

from nextclick.cli import common_options, json_option, print_json
from nextclick.report import JobReport
from nextclick.settings import Settings
from orchestration.console import ConsoleWatch, summary
from orchestration.pipeline import NAMES, STATIONS, Station, steps
from orchestration.stations import stations


@click.command("run")
@click.option(
    "--stop-after", type=click.Choice(NAMES), metavar="STATION", help=f"End after this station: {', '.join(NAMES)}."
)
@json_option
@common_options
def run(settings: Settings, stop_after: str | None, as_json: bool) -> None:
    """Everything once, in order: stream to the end of the landing log, gold, checks, train, export.

    \b
    nextclick run                              all stations
    nextclick run --stop-after build_sessions  no further than this
    nextclick run --json | jq '.stations[] | select(.written > 0)'

    Interrupted at any point, it goes on where it stopped when it is called again; with nothing
    new it changes nothing. A failed critical check ends it with exit code 3 (see `nextclick check`).
    """
    started = time.monotonic()
    places = STATIONS[: NAMES.index(stop_after) + 1] if stop_after else STATIONS
    reports = run_stations(settings, places, Console(stderr=True, highlight=False))
    seconds = time.monotonic() - started
    if as_json:
        print_json({"stations": msgspec.to_builtins(reports), "seconds": round(seconds, 3)})
    else:
        Console().print(summary(reports, seconds))


def run_stations(settings: Settings, places: Sequence[Station], console: Console) -> list[JobReport]:
    """Perform the stations step by step, with their progress on `console`; the reports in order."""
    here = stations(settings, ConsoleWatch(console))
    return [report for step in steps(places) for report in here.perform(*(place.name for place in step))]

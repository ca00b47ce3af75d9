"""`nextclick run`: every step once, in order, in one process."""

import time

import click
import msgspec
from rich.console import Console

from nextclick.command import common_options, json_option, print_json
from nextclick.settings import Settings
from orchestration.console import ConsoleWatch, summary
from orchestration.pipeline import NAMES, STEPS, side_by_side
from orchestration.step_runner import step_runner


@click.command("run")
@click.option(
    "--stop-after", type=click.Choice(NAMES), metavar="STEP", help=f"End after this step: {', '.join(NAMES)}."
)
@click.option("--beside-stream", is_flag=True, help="Take tables that `nextclick stream` writes as they stand.")
@json_option
@common_options
def run(settings: Settings, stop_after: str | None, beside_stream: bool, as_json: bool) -> None:
    """Everything once, in order: stream to the end of the landing log, gold, checks, train, export.

    \b
    nextclick run                              all steps
    nextclick run --stop-after build_sessions  no further than this
    nextclick run --beside-stream              gold, training and lists, while `nextclick stream` writes silver
    nextclick run --json | jq '.steps[] | select(.written > 0)'

    Interrupted at any point, it goes on where it stopped when it is called again; with nothing
    new it changes nothing. A failed critical check ends it with exit code 3 (see `nextclick check`).
    """
    started = time.monotonic()
    steps = STEPS[: NAMES.index(stop_after) + 1] if stop_after else STEPS
    runner = step_runner(settings, ConsoleWatch(), beside_stream)
    reports = [report for group in side_by_side(steps) for report in runner.perform(*(step.name for step in group))]
    seconds = time.monotonic() - started
    if as_json:
        print_json({"steps": msgspec.to_builtins(reports), "seconds": round(seconds, 3)})
    else:
        Console().print(summary(reports, seconds))

"""`nextclick train` and `nextclick update`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import msgspec

from nextclick.cli import common_options, json_option, print_json
from nextclick.report import JobReport
from nextclick.settings import Settings


@click.command(
    short_help="Fit, judge, register and, through the gate, promote the model.",
    epilog="""\b
Examples:
  nextclick train                     learn from gold.interactions, write the lists
  nextclick train --force --json      again on the same data; figures as JSON""",
)
@common_options
@click.option("--force", is_flag=True, help="Train and export even if nothing has changed.")
@json_option
def train(settings: Settings, force: bool, as_json: bool) -> None:
    """Fit the nightly model on gold.interactions, judge it, and write the lists of the champion.

    A model that fails the gate leaves the champion as it is; the reason is shown, and
    the champion's lists take in what has changed.
    """
    from ml import export
    from ml import train as training
    from ml import update as updating

    with _progress() as progress:
        reports = [training.run(settings, progress, force), export.run(settings, progress, force)]
        reports += [updating.run(settings, progress)] if reports[-1].details.get("export") else []
    _show(reports, as_json)


@click.command(
    short_help="Take what changed since the last export into the lists.",
    epilog="""\b
Examples:
  nextclick update                    people and items since the last train or update
  nextclick --lake shop update --json""",
)
@common_options
@json_option
def update(settings: Settings, as_json: bool) -> None:
    """Fold changed and new people and items into the exported lists; called twice, it changes nothing."""
    from ml import update as updating

    with _progress() as progress:
        report = updating.run(settings, progress)
    _show([report], as_json)


def _show(reports: list[JobReport], as_json: bool) -> None:
    if as_json:
        print_json({report.job: msgspec.to_builtins(report) for report in reports})
        return
    for report in reports:
        click.echo(report.line())
        for name, value in report.details.items():
            if value is not None:
                click.echo(f"  {name:<28} {f'{value:.4f}' if isinstance(value, float) else value}")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar per stage on stderr; called as progress(stage, done, total)."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), transient=True) as bars:

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield advance

"""What the verbs of the model print: a bar per stage while they work, then a report of each job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import msgspec

from nextclick.command import print_json
from nextclick.report import JobReport
from nextclick.visible import visible


def show_reports(reports: list[JobReport], as_json: bool) -> None:
    """A line for each job and one for each of its details; with --json an object by the jobs' names."""
    if as_json:
        print_json({report.job: msgspec.to_builtins(report) for report in reports})
        return
    for report in reports:
        click.echo(report.line())
        for name, value in report.details.items():
            if value is not None:
                click.echo(f"  {name:<28} {f'{value:.4f}' if isinstance(value, float) else visible(value)}")


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar per stage on stderr, where that is a terminal; called as progress(stage, done, total)."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield advance

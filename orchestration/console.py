"""What a person sees while the steps work: a moving line on stderr, then what was done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table as Grid

from nextclick.report import JobReport
from nextclick.visible import visible
from orchestration.pipeline import Step
from orchestration.step_runner import Progress


class ConsoleWatch:
    """Shows each step on a console, stderr by default; where nobody can see a line move, it does not."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
        self._bars = Bars(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._lock, self._at_work = Lock(), 0

    @contextmanager
    def working(self, *steps: Step) -> Iterator[Progress]:
        """A line, below those of others that work at the same time."""
        title = " · ".join(f"{step.name}: {step.does}" for step in steps)
        self._count(+1)
        task = self._bars.add_task(title, total=None)

        def progress(*step: str | int) -> None:
            *stage, done, total = step
            words = ": ".join([title, *map(str, stage)])
            self._bars.update(task, completed=int(done), total=int(total), description=words)

        try:
            yield progress
        finally:
            self._bars.remove_task(task)
            self._count(-1)

    def _count(self, change: int) -> None:
        """The lines are there while anybody works."""
        with self._lock:
            self._at_work += change
            self._bars.start() if self._at_work else self._bars.stop()

    def done(self, report: JobReport) -> None:
        reason = report.details.get("reason")
        self.console.print(f"{report.line()}{f': {visible(reason)}' if reason else ''}", markup=False, soft_wrap=True)


def summary(reports: Sequence[JobReport], seconds: float) -> Grid:
    """What each step read, wrote and took."""
    grid = Grid("step", "read", "written", "rejected", "duplicate", "s", title="nextclick run")
    for column in grid.columns[1:]:
        column.justify = "right"
    for report in reports:
        counts = (report.read, report.written, report.rejected, report.duplicate)
        cells = (f"{count:,}" if count else "" for count in counts)
        grid.add_row(report.job, *cells, f"{report.seconds:.1f}")
    grid.add_section()
    grid.add_row("all", "", "", "", "", f"{seconds:.1f}")
    return grid

"""Doing one step: is it admitted, then its work. The command line and Dagster share this."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from typing import Final, Protocol

import msgspec

from nextclick.lake import locks
from nextclick.lake.paths import Lake
from nextclick.lake.table_state import table_state
from nextclick.report import JobReport
from nextclick.settings import Settings
from orchestration import stop_guard
from orchestration.job_runner import JobRunner, job_runner
from orchestration.new_data import has_new_data
from orchestration.pipeline import Step, StepKind, step
from spark_jobs.jobs import STREAMED

_by_turns: Final = Lock()
"""Held by work without Spark: two pieces of it would share one interpreter, and MLflow and its like are not made for two."""

Progress = Callable[..., None]
"""Called with (done, in all), or (what is done now, done, in all)."""


class Watch(Protocol):
    """Who is told what the steps do."""

    def working(self, *steps: Step) -> AbstractContextManager[Progress]:
        """Around the work of a step, or of several that work side by side."""

    def done(self, report: JobReport) -> None:
        """After it."""


class Unwatched:
    """Shows nothing: for calls without a console."""

    def working(self, *steps: Step) -> AbstractContextManager[Progress]:
        return nullcontext(lambda *_: None)

    def done(self, report: JobReport) -> None: ...


@dataclass(frozen=True)
class StepRunner:
    """The steps of one lake, and what they share: the runner of Spark jobs, and who watches."""

    settings: Settings
    jobs: JobRunner
    watch: Watch
    beside_stream: bool = False
    """What `nextclick stream` writes is taken as it stands."""

    def perform(self, *names: str) -> list[JobReport]:
        """Do the work of steps that need nothing of each other, to the end of what there is; their reports in order.

        With nothing new it changes nothing. Raises CheckStopped if a stop stands on a table
        that one reads, or if its check stops; the others beside it end their work first.
        """
        steps = [step(name) for name in names]
        with self.watch.working(*steps) as progress:
            if len(steps) == 1:
                return [self._report(steps[0], progress)]
            with ThreadPoolExecutor(len(steps)) as threads:
                working = [threads.submit(self._report, step, progress) for step in steps]
            return [done.result() for done in working]

    def _report(self, step: Step, progress: Progress) -> JobReport:
        report = msgspec.structs.replace(self._work(step, progress), job=step.name)
        self.watch.done(report)
        return report

    def _work(self, step: Step, progress: Progress) -> JobReport:
        if step.kind is StepKind.CHECK:
            return stop_guard.check(self.settings, step.name, step.reads)
        stop_guard.admit(self.settings, step.reads)
        if step.kind is StepKind.JOB:
            return self._job(step)
        absent = [name for name in step.reads if table_state(self.settings.lake, name).version is None]
        if absent:  # such as lists, in a lake without interactions
            return JobReport(job=step.name, details={"reason": f"{absent[0]} was never written: nothing to do."})
        module, _, function = step.target.partition(":")
        with _by_turns:
            report: JobReport = getattr(import_module(module), function)(self.settings, progress)
        return report

    def _job(self, step: Step) -> JobReport:
        lake = self.settings.lake
        if self.beside_stream and step.name in STREAMED and (who := writer(lake, step.writes)):
            return JobReport(job=step.name, details={"reason": f"{who} writes it"})
        with locks.hold(lake.locks, *step.writes, purpose=step.name):  # TableBusy, before a JVM starts
            if not has_new_data(lake, step, self.settings if self.settings.streaming.source == "kafka" else None):
                return JobReport(job=step.name, details={"reason": "nothing new"})
        with self.jobs.slots:
            return self.jobs.run(step.name)


def writer(lake: Lake, tables: Iterable[str]) -> str | None:
    """Who writes one of the tables now, in words; None if nobody does."""
    return next((who for table in tables if (who := locks.holder(lake.locks, table))), None)


def step_runner(settings: Settings, watch: Watch | None = None, beside_stream: bool = False) -> StepRunner:
    """The steps of a lake that can be written; raises LakeError if it cannot."""
    settings.lake.prepare()
    return StepRunner(settings, job_runner(settings), watch or Unwatched(), beside_stream)

"""Doing one station: is it admitted, then its work. The command line and Dagster share this."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import msgspec

from nextclick.lake import locks
from nextclick.report import JobReport
from nextclick.settings import Settings
from orchestration import gate
from orchestration.news import has_news
from orchestration.pipeline import Kind, Station, station
from orchestration.runner import JobRunner, job_runner
from orchestration.state import table_state

Progress = Callable[..., None]
"""Called with (done, in all), or (what is done now, done, in all)."""


class Watch(Protocol):
    """Who is told what the stations do."""

    def working(self, *stations: Station) -> AbstractContextManager[Progress]:
        """Around the work of a station, or of several that work side by side."""

    def done(self, report: JobReport) -> None:
        """After it."""


class Unwatched:
    """Nobody looks."""

    def working(self, *stations: Station) -> AbstractContextManager[Progress]:
        return nullcontext(lambda *_: None)

    def done(self, report: JobReport) -> None: ...


@dataclass(frozen=True)
class Stations:
    """The stations of one lake, and what they share: the runner of Spark jobs, and who watches."""

    settings: Settings
    jobs: JobRunner
    watch: Watch

    def perform(self, *names: str) -> list[JobReport]:
        """Do the work of stations that need nothing of each other, to the end of what there is; their reports in order.

        With nothing new it changes nothing. Raises CheckStopped if a stop stands on a table
        that one reads, or if its check stops; the others beside it end their work first.
        """
        places = [station(name) for name in names]
        with self.watch.working(*places) as progress:
            if len(places) == 1:
                return [self._report(places[0], progress)]
            with ThreadPoolExecutor(self.jobs.at_once) as threads:
                working = [threads.submit(self._report, place, progress) for place in places]
            return [done.result() for done in working]

    def _report(self, place: Station, progress: Progress) -> JobReport:
        report = msgspec.structs.replace(self._work(place, progress), job=place.name)
        self.watch.done(report)
        return report

    def _work(self, place: Station, progress: Progress) -> JobReport:
        if place.kind is Kind.CHECK:
            return gate.check(self.settings, place.name, place.reads)
        gate.admit(self.settings, place.reads)
        if place.kind is Kind.JOB:
            return self._job(place)
        absent = [name for name in place.reads if table_state(self.settings.lake, name).version is None]
        if absent:  # such as lists, in a lake without interactions
            return JobReport(job=place.name, details={"reason": f"{absent[0]} was never written: nothing to do."})
        module, _, function = place.target.partition(":")
        report: JobReport = getattr(import_module(module), function)(self.settings, progress)
        return report

    def _job(self, place: Station) -> JobReport:
        lake = self.settings.lake
        with locks.hold(lake.locks, *place.writes, purpose=place.name):  # TableBusy, before a JVM starts
            if not has_news(lake, place):
                return JobReport(job=place.name, details={"reason": "nothing new"})
        return self.jobs.run(place.name)


def stations(settings: Settings, watch: Watch | None = None) -> Stations:
    """The stations of a lake that can be written; raises LakeError if it cannot."""
    settings.lake.prepare()
    return Stations(settings, job_runner(settings), watch or Unwatched())

"""A run beside a stream: what that writes is taken as it stands, what it does not write is done."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Semaphore

import pytest

from nextclick.contracts.catalog import JOBS
from nextclick.errors import TableBusy
from nextclick.report import JobReport
from nextclick.settings import CHECKOUT, load
from orchestration.step_runner import StepRunner, Unwatched

_HOLD = """
import sys
from nextclick.lake import locks
with locks.hold(sys.argv[1], *sys.argv[2:], purpose="stream"):
    print("held", flush=True)
    sys.stdin.read()
"""


class Jobs:
    slots = Semaphore(1)

    def run(self, job: str) -> JobReport:
        raise AssertionError(f"{job} was started")


@contextmanager
def streaming(locks: str, *tables: str) -> Iterator[None]:
    """Another process is the writer of the tables."""
    command = [sys.executable, "-c", _HOLD, locks, *tables]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.communicate()


def test_beside_a_stream_its_tables_stay_and_all_others_have_one_writer(tmp_path: Path) -> None:
    settings = load(tmp_path / "lake", environ={})
    settings.lake.prepare()
    written = {job.name: job.writes for job in JOBS}
    tables = [*written["build_sessions"], *written["build_traffic_daily"]]
    alone, beside = (StepRunner(settings, Jobs(), Unwatched(), beside) for beside in (False, True))
    with streaming(settings.lake.locks, *tables):
        (report,) = beside.perform("build_sessions")
        assert (report.read, report.written) == (0, 0)
        assert str(report.details["reason"]).endswith("writes it")
        assert "stream" in str(report.details["reason"])
        with pytest.raises(TableBusy):
            alone.perform("build_sessions")
        with pytest.raises(TableBusy):
            beside.perform("build_traffic_daily")
    with pytest.raises(AssertionError, match="build_sessions was started"):
        beside.perform("build_sessions")

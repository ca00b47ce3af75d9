"""A job by spark-submit: its report, or its error, comes back. The program is a stand-in; tests/spark runs the real one."""

import sys
from pathlib import Path

import msgspec
import pytest

from nextclick.errors import CheckStopped, LakeError, NextclickError, UsageError
from nextclick.report import JobReport
from nextclick.settings import load
from orchestration.job_runner import InProcess, SparkSubmit, job_runner


class StandIn(SparkSubmit):
    """Runs a line of Python instead of spark-submit."""

    def __init__(self, lake: Path, code: str) -> None:
        super().__init__(load(lake, environ={}))
        self.code = code

    def command(self, job: str) -> list[str]:
        return [sys.executable, "-c", f"import sys; {self.code}"]


def test_the_report_is_the_last_line_of_stdout(tmp_path: Path) -> None:
    report = JobReport(job="build_items", read=3, written=2, seconds=0.5, details={"version": 7})
    line = msgspec.json.encode(report).decode()
    job = StandIn(tmp_path, f"print('a line of a library'); print({line!r}); print('a warning', file=sys.stderr)")
    assert job.run("build_items") == report


@pytest.mark.parametrize(("code", "kind"), [(1, LakeError), (2, UsageError), (3, CheckStopped)])
def test_a_jobs_error_keeps_its_kind_and_its_message(tmp_path: Path, code: int, kind: type[NextclickError]) -> None:
    said = "print('WARN something', file=sys.stderr); print('nextclick: the disk is full\\nin /lake', file=sys.stderr)"
    with pytest.raises(kind, match=r"^the disk is full\nin /lake$") as caught:
        StandIn(tmp_path, f"{said}; sys.exit({code})").run("build_items")
    assert caught.value.exit_code == code


def test_a_job_that_dies_without_a_word_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"build_items ended with code 7(.|\n)*OutOfMemoryError"):
        StandIn(tmp_path, "print('java.lang.OutOfMemoryError', file=sys.stderr); sys.exit(7)").run("build_items")


def test_a_job_sees_the_settings_of_its_caller(tmp_path: Path) -> None:
    facts = "{k: v for k, v in os.environ.items() if k in ('NEXTCLICK_LAKE', 'PYSPARK_PYTHON')}"
    code = f"import os, json; print(json.dumps(dict(job='x', details={facts})))"
    details = StandIn(tmp_path, code).run("x").details
    assert details == {"NEXTCLICK_LAKE": str(tmp_path), "PYSPARK_PYTHON": sys.executable}


def test_settings_choose_the_runner(tmp_path: Path) -> None:
    assert isinstance(job_runner(load(tmp_path, environ={})), InProcess)
    submit = {"NEXTCLICK_ORCHESTRATION__RUNNER": "spark_submit"}
    assert isinstance(job_runner(load(tmp_path, environ=submit)), SparkSubmit)

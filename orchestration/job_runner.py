"""How a Spark job runs: in this process, or as a `spark-submit` of its own.

In process, all jobs share the one session that the first of them opens; by spark-submit,
a job gets a process (and, on a cluster, its executors) and prints its report as JSON.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from threading import Semaphore
from typing import Protocol

import msgspec

from nextclick.errors import CheckStopped, LakeError, NextclickError, UsageError
from nextclick.report import JobReport
from nextclick.settings import CHECKOUT, Settings, environment

_FLAGS = {"spark.driver.memory": "--driver-memory", "spark.jars": "--jars"}
"""Properties that spark-submit has an option of its own for."""
_ERRORS: dict[int, type[NextclickError]] = {2: UsageError, 3: CheckStopped}
"""Exit code of a job → what it raises here."""


class JobRunner(Protocol):
    """Runs a Spark job by its stem, to the end of what there is."""

    @property
    def slots(self) -> Semaphore:
        """As many as jobs, of those that need nothing of each other, may run side by side."""

    def run(self, job: str) -> JobReport: ...


class InProcess:
    """One shared Spark session; it starts with the first job."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.slots = Semaphore(4)  # of small jobs most time is planning, which one core does while the others wait

    def run(self, job: str) -> JobReport:
        from py4j.protocol import Py4JNetworkError  # type: ignore[import-untyped]

        from spark_jobs.session import open_session

        module = import_module(f"spark_jobs.jobs.{job}")
        try:
            report: JobReport = module.run(open_session(self.settings), self.settings)
        except (Py4JNetworkError, ConnectionError) as error:
            raise NextclickError(
                f"{job}: Spark's Java process ended: killed, or short of memory (spark.driver_memory is "
                f"{self.settings.spark.driver_memory}). Nothing is lost: call again to go on."
            ) from error
        return report


class SparkSubmit:
    """A `spark-submit` for each job; its log goes to stderr, its report comes back on stdout."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.slots = Semaphore(1)  # each has the memory of a whole driver

    def command(self, job: str) -> list[str]:
        """What is called for `job`, in full: it can be copied into a shell."""
        from spark_jobs.session import options

        settings, words = self.settings, []
        for key, value in options(settings).items():
            words += [_FLAGS[key], value] if key in _FLAGS else ["--conf", f"{key}={value}"]
        return [
            *(str(Path(sys.executable).parent / "spark-submit"), "--master", settings.spark.master, "--name", job),
            *("--properties-file", str(settings.conf_dir / "spark.conf"), *words),
            str(CHECKOUT / "spark_jobs" / "jobs" / f"{job}.py"),
            *("--lake", settings.lake.data, "--conf-dir", str(settings.conf_dir)),
            *(("--profile", settings.profile) if settings.profile else ()),
        ]

    def run(self, job: str) -> JobReport:
        """Raises what the job raised: its message, and the kind of error that its exit code stands for."""
        python = environment(self.settings, PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable)
        with subprocess.Popen(
            self.command(job), env=python, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            out, log = process.communicate()
        if process.returncode:
            raise _ERRORS.get(process.returncode, LakeError)(_message(job, process.returncode, log))
        sys.stderr.write(log)
        return msgspec.json.decode(out.strip().splitlines()[-1], type=JobReport)


def _message(job: str, code: int, log: str) -> str:
    """The job's own message if it had one; else the end of its log."""
    prefix = "nextclick: "
    lines = log.strip().splitlines()
    said = next((at for at, line in enumerate(lines) if line.startswith(prefix)), None)
    if said is None:
        return "\n".join([f"spark-submit of {job} ended with code {code}. The end of its log:", *lines[-20:]])
    return "\n".join(lines[said:]).removeprefix(prefix)


def job_runner(settings: Settings) -> JobRunner:
    """The runner that orchestration.runner names."""
    return SparkSubmit(settings) if settings.orchestration.runner == "spark_submit" else InProcess(settings)

"""What a killed `nextclick up` left behind in Dagster's history."""

from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import GRPC_INFO_TAG

_UNDER_WAY = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def end_lost_runs(home: Path) -> None:
    """Runs of an earlier daemon ended with it; where it was killed it could not say so, and they would hold up all others.

    A run of another process, such as the demo's, has no server's address and is left alone. The databases are there then: two
    programs that make them at once get in each other's way.
    """
    with DagsterInstance.from_config(str(home)) as instance:
        for run in instance.get_runs(RunsFilter(statuses=_UNDER_WAY)):
            if GRPC_INFO_TAG in run.tags:
                instance.report_run_failed(run, "The run ended with the daemon that started it.")

"""Dagster's daemon, which starts runs: `python -m orchestration.pages.dagster_daemon`, which `nextclick up` calls."""

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._daemon.cli import run_command

_UNDER_WAY = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def end_lost_runs(instance: DagsterInstance) -> None:
    """Runs of an earlier daemon ended with it; where it was killed it could not say so, and they would hold up all others.

    A run of another process, such as the demo's, has no server's address and is left alone.
    """
    for run in instance.get_runs(RunsFilter(statuses=_UNDER_WAY)):
        if GRPC_INFO_TAG in run.tags:
            instance.report_run_failed(run, "The run ended with the daemon that started it.")


if __name__ == "__main__":
    with DagsterInstance.get() as instance:
        end_lost_runs(instance)
    run_command(["-m", "orchestration.definitions"])

"""Dagster's daemon for real: news starts a run, and what a killed run or a killed daemon left undone, the next run does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from nextclick.lake.table_state import table_states
from nextclick.settings import CHECKOUT, Settings, environment, load
from orchestration import dagster_home
from tests.conftest import LAKE
from tests.spark.conftest import publish
from tests.wait import wait_until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc"),
]
VARIABLES = {
    "NEXTCLICK_ORCHESTRATION__INCREMENTAL_MINUTES": "0.05",
    "NEXTCLICK_ORCHESTRATION__RETRY_SECONDS": "1",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / LAKE, profile="test", environ=VARIABLES)
    settings.lake.prepare()
    return settings


@contextmanager
def daemon(settings: Settings, home: Path) -> Iterator[int]:
    """The process, in a group of its own; whatever became of it, nothing is left of it."""
    variables = environment(settings, DAGSTER_HOME=str(home), **VARIABLES)
    command = [sys.executable, "-m", "dagster._daemon", "run", "-m", "orchestration.definitions"]
    with (home / "daemon.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def children(parent: int) -> list[int]:
    """Processes that any of its threads started."""
    return [
        int(child)
        for task in Path(f"/proc/{parent}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def run_processes(daemon: int) -> list[int]:
    """Of the run that is under way: children of the code's server, which is the daemon's."""
    return wait_until(lambda: [run for server in children(daemon) for run in children(server)])


def views(count: int, first: int) -> list[dict[str, object]]:
    view = {"event": "view_item", "client_time": 1_767_139_200_000, "item_id": "lamp"}
    return [view | {"event_id": f"e{n}", "visitor_id": f"v{n}"} for n in range(first, first + count)]


def test_news_starts_a_run_and_the_next_brings_what_a_killed_one_did_not(settings: Settings) -> None:
    home = dagster_home.prepare(settings.lake)
    switch = [sys.executable, "-m", "dagster", "sensor", "start", "news", "-m", "orchestration.definitions"]
    subprocess.run(switch, cwd=CHECKOUT, env=environment(settings, DAGSTER_HOME=str(home), **VARIABLES), check=True)
    publish(settings, views(5, first=0))
    with DagsterInstance.from_config(str(home)) as instance:

        def newest(number: int, *statuses: DagsterRunStatus) -> DagsterRun | None:
            """The newest run if it is the `number`th and stands so."""
            runs = instance.get_runs()
            return runs[0] if len(runs) == number and runs[0].status in statuses else None

        with daemon(settings, home) as process:
            wait_until(lambda: newest(1, DagsterRunStatus.STARTED), 240)
            for run in run_processes(process):
                os.kill(run, signal.SIGKILL)
            wait_until(lambda: newest(2, DagsterRunStatus.SUCCESS), 400)
            assert table_states(settings.lake)["gold.interactions"].rows == 5
            publish(settings, views(2, first=5))
            wait_until(lambda: newest(3, DagsterRunStatus.SUCCESS), 300)
        assert table_states(settings.lake)["gold.interactions"].rows == 7
        statuses = [run.status for run in reversed(instance.get_runs())]
    assert statuses == [DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS, DagsterRunStatus.SUCCESS]

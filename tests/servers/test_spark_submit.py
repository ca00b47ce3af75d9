"""The chain bronze → silver → sessions → gold under the real spark-submit, as settings.orchestration.runner asks for it.

The jobs run with the options of production, so with the code that Spark generates, which the shared session leaves out.
"""

import os
from pathlib import Path

import pytest

from nextclick.lake.table_state import table_states
from nextclick.settings import Settings, load
from orchestration.job_runner import SparkSubmit, job_runner
from tests.conftest import LAKE
from tests.spark.conftest import publish

pytestmark = [pytest.mark.servers, pytest.mark.spark, pytest.mark.slow]

CHAIN = ("ingest_events", "build_events", "build_sessions", "build_interactions")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    chosen = {"NEXTCLICK_ORCHESTRATION__RUNNER": "spark_submit", "NEXTCLICK_SPARK__JAVA_OPTIONS": ""}
    settings = load(tmp_path / LAKE, profile="test", environ=chosen)
    settings.lake.prepare()
    return settings


def test_each_job_of_the_chain_runs_as_a_process_and_reports(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Cold code is most of it: the JVM's second compiler would not pay.
    quick = f"{os.environ.get('JAVA_TOOL_OPTIONS', '')} -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", quick)
    view = {"event": "view_item", "client_time": 1_767_139_200_000, "visitor_id": "ann"}
    publish(settings, [view | {"event_id": "e1", "item_id": "lamp"}, view | {"event_id": "e2", "item_id": "sofa"}])
    jobs = job_runner(settings)
    assert isinstance(jobs, SparkSubmit)
    written = {job: jobs.run(job).written for job in CHAIN}
    assert written == {"ingest_events": 2, "build_events": 2, "build_sessions": 1, "build_interactions": 2}
    assert table_states(settings.lake)["gold.interactions"].rows == 2

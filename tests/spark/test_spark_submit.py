"""The chain bronze → silver → sessions → gold under the real spark-submit, as settings.orchestration.runner asks for it."""

import os

import pytest

from nextclick.settings import Settings, load
from orchestration.runner import SparkSubmit, job_runner
from orchestration.state import table_states
from tests.spark.conftest import Land

pytestmark = [pytest.mark.spark, pytest.mark.slow]

CHAIN = ("ingest_events", "build_events", "build_sessions", "build_interactions")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return load(settings.lake.root, profile="test", environ={"NEXTCLICK_ORCHESTRATION__RUNNER": "spark_submit"})


def test_each_job_of_the_chain_runs_as_a_process_and_reports(
    settings: Settings, land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = f"{os.environ.get('JAVA_TOOL_OPTIONS', '')} -XX:TieredStopAtLevel=1"  # cold code is most of it
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", quick)
    view = {"event": "view_item", "client_time": 1_767_139_200_000, "visitor_id": "ann"}
    land([view | {"event_id": "e1", "item_id": "lamp"}, view | {"event_id": "e2", "item_id": "sofa"}])
    jobs = job_runner(settings)
    assert isinstance(jobs, SparkSubmit)
    written = {job: jobs.run(job).written for job in CHAIN}
    assert written == {"ingest_events": 2, "build_events": 2, "build_sessions": 1, "build_interactions": 2}
    assert table_states(settings.lake)["gold.interactions"].rows == 2

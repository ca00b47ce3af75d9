"""Dagster's definitions: what loading them imports, and what is set for every run."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from dagster import (
    AssetKey,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    FreshnessPolicy,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    SensorDefinition,
    build_sensor_context,
)
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.utils import make_new_run_id

from nextclick.errors import CheckStopped, LakeError, NextclickError, SettingsError
from nextclick.lake import locks
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings, load
from orchestration import dagster_home
from orchestration.definitions import definitions
from orchestration.pages.lost_runs import end_lost_runs
from orchestration.pipeline import IMPORTED
from tests.conftest import LAKE
from tests.table_rows import write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / LAKE, environ={})
    settings.lake.prepare()
    return settings


def test_definitions_load_without_a_jvm_and_without_what_is_heavy() -> None:
    heavy = {"pyspark", "delta", "mlflow", "great_expectations", "deltalake", "duckdb", "implicit", "pandas"}
    code = "import sys; from orchestration.definitions import defs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not heavy & {name.partition(".")[0] for name in loaded}


def test_nothing_is_written_into_the_lake_by_loading(tmp_path: Path) -> None:
    definitions(load(tmp_path / "lake", environ={})).resolve_asset_graph()
    assert not (tmp_path / "lake").exists()


def test_every_asset_has_its_contract_as_documentation_and_a_freshness_policy(settings: Settings) -> None:
    specs = {spec.key.to_user_string(): spec for spec in definitions(settings).resolve_all_asset_specs()}
    sessions = specs["silver_sessions"]
    assert "One row per session" in str(sessions.description)
    assert [column.name for column in sessions.metadata["dagster/column_schema"].columns][:2] == ["session_id", "site"]
    limit = timedelta(hours=settings.quality.freshness_hours)
    no_steps = {*(name.replace(".", "_") for name in IMPORTED), "gold_data_quality"}
    policies = [spec.freshness_policy for name, spec in specs.items() if name not in no_steps]
    assert policies == [FreshnessPolicy.time_window(limit)] * len(policies)


def test_dagster_keeps_to_one_run_and_tells_nobody(settings: Settings) -> None:
    written = yaml.safe_load((dagster_home.prepare(settings.lake) / "dagster.yaml").read_text())
    assert written["telemetry"] == {"enabled": False}
    assert written["concurrency"]["runs"] == {"max_concurrent_runs": 1}
    with DagsterInstance.from_config(str(dagster_home.prepare(settings.lake))) as instance:
        assert not instance.telemetry_enabled
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 1


def test_the_nightly_schedule_is_as_set(settings: Settings) -> None:
    berlin = load(settings.lake.root, environ={"NEXTCLICK_ORCHESTRATION__TIMEZONE": "Europe/Berlin"})
    [schedule] = definitions(berlin).schedules or ()
    assert isinstance(schedule, ScheduleDefinition)
    assert (schedule.job_name, schedule.cron_schedule) == ("nightly", "0 3 * * *")
    assert schedule.execution_timezone == "Europe/Berlin"
    assert settings.orchestration.timezone == "UTC"


@pytest.mark.parametrize("zone", ["Berlin", "CEST+1", "", "../UTC", "Europe"])
def test_a_time_zone_that_is_none_is_refused(tmp_path: Path, zone: str) -> None:
    with pytest.raises(SettingsError, match="IANA time zone"):
        load(tmp_path, environ={"NEXTCLICK_ORCHESTRATION__TIMEZONE": zone})


@pytest.mark.parametrize(
    "error", [CheckStopped("a stop stands"), SettingsError("wrong"), LakeError("the disk is full")]
)
def test_what_will_not_pass_by_itself_is_not_tried_again(
    settings: Settings, dagster: DagsterInstance, monkeypatch: pytest.MonkeyPatch, error: NextclickError
) -> None:
    """The step fails always: it is tried three times where that may help."""
    tries = []

    def perform(*_: str) -> None:
        tries.append(error)
        raise error

    steps = SimpleNamespace(settings=settings, perform=perform)
    monkeypatch.setattr("orchestration.definitions.step_runner", lambda *_: steps)
    soon = load(settings.lake.root, environ={"NEXTCLICK_ORCHESTRATION__RETRY_SECONDS": "0.001"})
    job = definitions(soon).resolve_job_def("incremental")
    bronze = [AssetKey("bronze_events")]
    result = job.execute_in_process(instance=dagster, raise_on_error=False, asset_selection=bronze)
    assert not result.success
    assert len(tries) == (3 if type(error) is LakeError else 1)


@pytest.fixture
def dagster() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


@cache
def sensors(lake: Path) -> dict[str, SensorDefinition]:
    return {
        one.name: one for one in definitions(load(lake, environ={})).sensors or () if isinstance(one, SensorDefinition)
    }


def look(settings: Settings, dagster: DagsterInstance, name: str = "news") -> RunRequest | None:
    """What the sensor wants, at its next look."""
    result = sensors(settings.lake.root)[name](build_sensor_context(dagster))
    return result if isinstance(result, RunRequest) else None


def ended(dagster: DagsterInstance, request: RunRequest | None, status: DagsterRunStatus) -> str:
    """Do as the daemon: a run for the request, which came to this; its run key."""
    assert request is not None
    assert request.run_key
    tags = {**request.tags, "dagster/run_key": request.run_key}
    dagster.add_run(DagsterRun(job_name="incremental", run_id=make_new_run_id(), status=status, tags=tags))
    return request.run_key


def land(settings: Settings) -> None:
    with SegmentWriter(settings.lake.landing, settings.landing) as writer:
        writer.extend([b"{}"], "plain", 0)


def test_traffic_is_looked_at_though_nothing_came_unless_a_run_just_did(
    settings: Settings, dagster: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look(settings, dagster, "silence") is None, "nobody was there yet"
    write(settings.lake, "silver.events", [{"event_id": "e"}])
    assert look(settings, dagster, "silence") is not None
    run = DagsterRun(job_name="incremental", run_id=make_new_run_id(), status=DagsterRunStatus.STARTED)
    dagster.add_run(run)
    assert look(settings, dagster, "silence") is None, "a run is under way"
    dagster.report_run_failed(run)
    assert look(settings, dagster, "silence") is None, "it has just ended"
    later = time.time() + settings.orchestration.incremental_minutes * 60 + 1
    monkeypatch.setattr("orchestration.silence.time.time", lambda: later)
    assert look(settings, dagster, "silence") is not None


def test_new_segments_start_an_incremental_run_once(settings: Settings, dagster: DagsterInstance) -> None:
    assert look(settings, dagster) is None
    keys = set()
    for _ in range(2):
        land(settings)
        keys.add(ended(dagster, look(settings, dagster), DagsterRunStatus.SUCCESS))
        assert look(settings, dagster) is None
    assert len(keys) == 2


@pytest.mark.parametrize("status", [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED])
def test_a_failed_or_cancelled_run_is_asked_for_again_and_ever_more_rarely(
    settings: Settings, dagster: DagsterInstance, status: DagsterRunStatus
) -> None:
    land(settings)
    first = ended(dagster, look(settings, dagster), status)
    second = ended(dagster, look(settings, dagster), DagsterRunStatus.STARTED)
    assert second != first  # Dagster starts no key twice
    assert look(settings, dagster) is None  # it is under way
    [newest] = dagster.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED]))
    dagster.report_run_failed(newest)
    assert look(settings, dagster) is None  # the third try waits, fifteen minutes
    land(settings)
    assert look(settings, dagster)  # news does not


def test_gold_follows_the_stream_while_it_holds_silver(settings: Settings, dagster: DagsterInstance) -> None:
    land(settings)
    ended(dagster, look(settings, dagster), DagsterRunStatus.SUCCESS)
    with locks.hold(settings.lake.locks, "silver.events", purpose="stream"):
        assert look(settings, dagster)


def test_a_run_that_is_under_way_is_not_taken_for_a_stream(settings: Settings, dagster: DagsterInstance) -> None:
    land(settings)
    ended(dagster, look(settings, dagster), DagsterRunStatus.STARTED)
    with locks.hold(settings.lake.locks, "silver.events", purpose="build_events"):
        assert look(settings, dagster) is None


def test_what_a_killed_daemon_left_under_way_has_failed(settings: Settings) -> None:
    home = dagster_home.prepare(settings.lake)
    with DagsterInstance.from_config(str(home)) as instance:
        for job, tags in (("incremental", {GRPC_INFO_TAG: "{}"}), ("nightly", {})):
            run = DagsterRun(job_name=job, run_id=make_new_run_id(), status=DagsterRunStatus.STARTED, tags=tags)
            instance.add_run(run)
        end_lost_runs(home)
        assert {run.job_name: run.status for run in instance.get_runs()} == {
            "incremental": DagsterRunStatus.FAILURE,
            "nightly": DagsterRunStatus.STARTED,  # of a process without a daemon, such as the demo's
        }

"""Dagster's definitions: what loading them imports, and what is set for every run."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from dagster import DagsterInstance, FreshnessPolicy, RunRequest, build_sensor_context

from nextclick.lake import locks
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings, load
from orchestration import dagster_home
from orchestration.definitions import definitions


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path, environ={})
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
    policies = [spec.freshness_policy for name, spec in specs.items() if name != "gold_data_quality"]
    assert policies == [FreshnessPolicy.time_window(limit)] * len(policies)


def test_dagster_keeps_to_one_run_and_tells_nobody(settings: Settings) -> None:
    written = yaml.safe_load((dagster_home.prepare(settings.lake) / "dagster.yaml").read_text())
    assert written["telemetry"] == {"enabled": False}
    assert written["concurrency"]["runs"] == {"max_concurrent_runs": 1}
    with DagsterInstance.from_config(str(settings.lake.dagster_home)) as instance:
        assert not instance.telemetry_enabled
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 1


def test_the_nightly_schedule_is_as_set(settings: Settings) -> None:
    [schedule] = definitions(settings).schedules or ()
    assert (schedule.job_name, schedule.cron_schedule) == ("nightly", settings.orchestration.nightly_cron)  # type: ignore[union-attr]


def run_keys(settings: Settings) -> list[str | None]:
    [sensor] = definitions(settings).sensors or ()
    result = sensor(build_sensor_context())
    return [result.run_key] if isinstance(result, RunRequest) else []


def test_new_segments_start_an_incremental_run_once(settings: Settings) -> None:
    assert run_keys(settings) == []
    keys = []
    for _ in range(2):
        with SegmentWriter(settings.lake.landing, settings.landing) as writer:
            writer.extend([b"{}"], "plain", 0)
        keys += run_keys(settings) + run_keys(settings)
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_gold_follows_the_stream_while_it_holds_silver(settings: Settings) -> None:
    with SegmentWriter(settings.lake.landing, settings.landing) as writer:
        writer.extend([b"{}"], "plain", 0)
    quiet = run_keys(settings)
    with locks.hold(settings.lake.locks, "silver.events", purpose="stream"):
        assert run_keys(settings) != quiet

"""The whole path on a small lake: interrupted and resumed, repeated, refused, walked by Dagster.

One lake is built by runs that are interrupted; each test works on a copy of it. A copy in
which nothing is new needs no Spark, since what a job has read is known by names and ids.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from dagster import AssetKey, DagsterInstance
from pyspark.sql import SparkSession

from cli.main import cli
from expectations import results, stops
from expectations.suites.suite import CHECKED, suite
from ml.registry import champion
from nextclick.contracts.catalog import TABLES
from nextclick.errors import CheckStopped, TableBusy
from nextclick.lake.delta import open_table
from nextclick.lake.table_state import TableState, table_states
from nextclick.landing.writer import SegmentWriter
from nextclick.reconciliation import reconcile
from nextclick.report import JobReport
from nextclick.settings import Settings, load
from orchestration import dagster_home
from orchestration.definitions import run_nightly
from orchestration.job_runner import InProcess
from orchestration.pipeline import NAMES, STEPS, side_by_side
from orchestration.step_runner import Unwatched, step_runner
from serving.export import export
from tests.conftest import LAKE

pytestmark = pytest.mark.spark

NOW = int(datetime.now(UTC).timestamp() * 1000)
HOUR = 3_600_000


class PowerCut(Exception):
    """Ends a run between two steps."""


class CutAfter(Unwatched):
    """Cuts the power after one step."""

    def __init__(self, step: str) -> None:
        self.step = step

    def done(self, report: JobReport) -> None:
        if report.job == self.step:
            raise PowerCut


def land(settings: Settings, events: list[tuple[str, str, float]], first: int = 0) -> None:
    """Publish view_item events (visitor, item, hours ago), numbered from `first`, and one line that is no event."""
    with SegmentWriter(settings.lake.landing, settings.landing) as writer:
        for number, (visitor, item, ago) in enumerate(events, first):
            time = NOW - round(ago * HOUR)
            event = {"event": "view_item", "event_id": f"e{number}", "client_time": time, "visitor_id": visitor}
            writer.extend([msgspec.json.encode(event | {"item_id": item})], "plain", NOW)
        writer.extend([b"{"], "plain", NOW)


def walk(settings: Settings, watch: Unwatched | None = None) -> dict[str, JobReport]:
    here = step_runner(settings, watch)
    return {
        report.job: report for group in side_by_side(STEPS) for report in here.perform(*(step.name for step in group))
    }


def states(settings: Settings) -> dict[str, TableState]:
    return table_states(settings.lake)


def command(settings: Settings, *words: str) -> Any:
    """What `nextclick WORDS… --json` prints."""
    options = ["--lake", str(settings.lake.root), "--profile", "test"]
    done = CliRunner().invoke(cli, [*options, *words, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def built(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three visitors, four items, seven events in five sessions, and one reject; the power was cut three times."""
    settings = load(tmp_path_factory.mktemp("run") / LAKE, profile="test", environ={})
    settings.lake.prepare()
    ann = [("ann", "lamp", 50.0), ("ann", "sofa", 49.9), ("ann", "rug", 20.0)]
    bob = [("bob", "lamp", 30.0), ("bob", "sofa", 10.0)]
    eve = [("eve", "rug", 5.0), ("eve", "desk", 4.9)]
    land(settings, ann + bob + eve)
    for step in ("build_events", "check_silver", "lists"):
        with pytest.raises(PowerCut):
            walk(settings, CutAfter(step))
    walk(settings)
    return settings


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Settings:
    """A copy of the lake, in another folder."""
    shutil.copytree(built.lake.root, tmp_path / LAKE)
    return load(tmp_path / LAKE, profile="test", environ={})


@pytest.fixture
def no_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a Spark job is an error."""

    def run(self: InProcess, job: str) -> JobReport:
        raise AssertionError(f"{job} was started")

    monkeypatch.setattr(InProcess, "run", run)


def test_a_run_that_was_interrupted_thrice_lost_and_doubled_nothing(built: Settings) -> None:
    rows = {name: state.rows for name, state in states(built).items()}
    assert rows["bronze.events"] == 8
    assert rows["silver.events"] == 7
    assert rows["silver.quarantine"] == 1
    assert rows["silver.sessions"] == 5
    assert rows["gold.interactions"] == 7
    found = reconcile(built)
    assert (found.accepted, found.residual, found.double_counted, found.waiting) == (8, 0, 0, 0)
    assert states(built)["silver.events"].version == 1
    served = export.current(built)
    assert served is not None
    assert served["people"] == 3


@pytest.mark.usefixtures("no_spark")
def test_tables_lie_in_the_folders_that_their_contracts_say(built: Settings) -> None:
    written = {table: present for table in TABLES if (present := open_table(built.lake, table.name))}
    assert written
    folders = {table.name: tuple(present.metadata().partition_columns) for table, present in written.items()}
    assert folders == {table.name: table.partitioned_by for table in written}


def test_a_second_run_changes_nothing_and_starts_no_spark(settings: Settings) -> None:
    before = states(settings), champion.model_status(settings.lake), export.current(settings)
    output = command(settings, "run")
    assert [report["job"] for report in output["steps"]] == list(NAMES)
    assert [report["written"] for report in output["steps"]] == [0] * len(NAMES)
    assert (states(settings), champion.model_status(settings.lake), export.current(settings)) == before


@pytest.mark.usefixtures("no_spark")
def test_stop_after_ends_after_the_named_station(settings: Settings) -> None:
    output = command(settings, "run", "--stop-after", "build_events")
    assert [report["job"] for report in output["steps"]] == ["ingest_events", "ingest_rejects", "build_events"]


@contextmanager
def another_process_holds(settings: Settings, table: str) -> Iterator[int]:
    """A process that is `table`'s writer; yields its id."""
    code = (
        "import sys; from pathlib import Path; from nextclick.lake import locks\n"
        "with locks.hold(Path(sys.argv[1]), sys.argv[2], purpose='stream'): print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(settings.lake.locks), table]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.communicate()


@pytest.mark.usefixtures("no_spark")
def test_a_run_beside_another_writer_stops_and_names_it(settings: Settings) -> None:
    with (
        another_process_holds(settings, "silver.items") as pid,
        pytest.raises(TableBusy, match=f"process {pid} .*stream"),
    ):
        walk(settings)


def fail(settings: Settings, table: str) -> None:
    """Write down that a critical check failed on the table's newest version."""
    [one, *_] = [
        check for check in results.latest_results(settings.lake)[table].checks.values() if check.severity == "stop"
    ]
    again = datetime.now(UTC)
    results.append(settings.lake, [replace(one, success=False, observed="a test", checked_at=again)])


@pytest.mark.usefixtures("no_spark")
def test_a_stop_refuses_what_is_downstream_until_a_person_overrides_it(settings: Settings) -> None:
    fail(settings, "silver.sessions")
    here = step_runner(settings)
    here.perform("build_events")  # upstream of it: goes on
    for refused in ("check_silver", "build_traffic_daily"):
        with pytest.raises(CheckStopped, match=r"silver\.sessions version 1"):
            here.perform(refused)
    stops.override(settings, "silver.sessions", by="ann", why="it is a test")
    walk(settings)


def test_a_newer_version_that_passes_lifts_a_stop(settings: Settings) -> None:
    fail(settings, "silver.events")
    here = step_runner(settings)
    with pytest.raises(CheckStopped):
        here.perform("build_identities")
    land(settings, [("zoe", "lamp", 3.0)], first=100)
    for name in ("ingest_events", "build_events", "build_identities"):
        here.perform(name)
    assert states(settings)["silver.events"].rows == 8
    assert not stops.open_stops(settings)


@pytest.fixture
def dagster(settings: Settings) -> Callable[[], DagsterInstance]:
    """Opens the lake's own Dagster instance, after a run made it."""
    return lambda: DagsterInstance.from_config(str(dagster_home.prepare(settings.lake)))


@pytest.mark.usefixtures("no_spark")
def test_dagster_records_versions_rows_and_checks_and_observes_what_a_stream_holds(
    settings: Settings, dagster: Callable[[], DagsterInstance]
) -> None:
    before = states(settings)
    with another_process_holds(settings, "bronze.events") as pid:
        assert run_nightly(settings)
    assert states(settings) == before
    with dagster() as instance:
        event = instance.get_latest_materialization_event(AssetKey("silver_sessions"))
        assert event is not None
        assert event.asset_materialization is not None
        facts = event.asset_materialization.metadata
        assert (facts["dagster/row_count"].value, facts["version"].value) == (5, 1)
        assert "written_by" not in facts
        [observed] = instance.fetch_observations(AssetKey("bronze_events"), limit=5).records
        assert observed.asset_observation is not None
        assert f"process {pid} " in str(observed.asset_observation.metadata["written_by"].value)
        [run] = instance.get_runs()
        checks = [
            entry.dagster_event.asset_check_evaluation_data
            for entry in instance.all_logs(run.run_id)
            if entry.dagster_event and entry.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
        ]
    assert len(checks) == sum(len(suite(table, settings)) for table in CHECKED)
    assert {check.check_name for check in checks if check.asset_key == AssetKey("silver_sessions")} == set(
        results.latest_results(settings.lake)["silver.sessions"].checks
    )


@pytest.mark.usefixtures("no_spark")
def test_dagster_refuses_what_a_stop_blocks(settings: Settings) -> None:
    fail(settings, "gold.interactions")
    with pytest.raises(CheckStopped, match=r"gold\.interactions version 1"):
        run_nightly(settings)

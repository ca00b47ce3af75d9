"""The jobs on a cluster whose workers share no disk with anybody: the lake in a bucket is that of one machine's disk, row for row."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextclick.landing.reader import segments
from nextclick.reconciliation import reconcile
from nextclick.settings import CHECKOUT, Settings, environment, load
from nextclick.shipping.shipper import Shipper
from orchestration.job_runner import SparkSubmit
from tests import object_store
from tests.servers import spark_cluster
from tests.servers.test_object_store_run import NO_CONNECTOR, landed_events, rows_of
from tests.spark.conftest import publish

pytestmark = [
    pytest.mark.servers,
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing()),
    pytest.mark.skipif(bool(spark_cluster.missing()), reason=spark_cluster.missing()),
    pytest.mark.skipif(NO_CONNECTOR, reason="Spark's connector of S3 is not here: `make s3` brings it"),
]
TABLES = ("bronze.events", "silver.events", "silver.sessions")


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Settings]]:
    """One in a bucket, made on a cluster: the first job by spark-submit, the others by the setting; and one on a disk."""
    folder = tmp_path_factory.mktemp("cluster")
    with object_store.running() as store:
        hidden = folder / "machine"
        hidden.mkdir()
        disk = load(hidden / "disk", profile="test", environ={})
        publish(disk, landed_events())
        known = {**store.environment(hidden / "beside"), "NEXTCLICK_STREAMING__SOURCE": "bucket"}
        known |= {"NEXTCLICK_LIVE__ENABLED": "false", "PYTHONPATH": str(CHECKOUT)}
        with (
            spark_cluster.running(folder, [hidden], object_store.CREDENTIALS) as master,
            pytest.MonkeyPatch.context() as patch,
        ):
            known |= {"NEXTCLICK_SPARK__MASTER": master, "NEXTCLICK_SPARK__DRIVER_MEMORY": "1g"}
            executors = {"memory": "600m", "extraJavaOptions": spark_cluster.BRIEF}
            properties = {"spark.cores.max": "2"} | {
                f"spark.executor.{name}": value for name, value in executors.items()
            }
            known["NEXTCLICK_SPARK__PROPERTIES"] = json.dumps(properties)
            known["NEXTCLICK_SPARK__JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1"
            for name, value in known.items():
                patch.setenv(name, value)
            stored = load(store.lake("cluster"), profile="test")
            stored.lake.prepare()
            shutil.copytree(disk.lake.landing, stored.lake.landing, dirs_exist_ok=True)
            assert Shipper(stored).round().segments == len(segments(disk.lake.landing))
            assert SparkSubmit(stored).run("ingest_events").written == len(landed_events())
            _jobs(environment(stored), stored.lake.data, "build_events", "build_sessions")
            for name in known:
                if name.startswith("NEXTCLICK_S"):
                    patch.delenv(name)
            _jobs(dict(os.environ), disk.lake.data, "ingest_events", "build_events", "build_sessions")
        yield stored, disk


def _jobs(environ: dict[str, str], lake: str, *jobs: str) -> None:
    command = [sys.executable, str(Path(__file__).with_name("store_jobs.py")), "--jobs", ",".join(jobs), lake]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-6000:]


@pytest.mark.parametrize("table", TABLES)
def test_each_table_has_the_rows_of_a_disk(lakes: tuple[Settings, Settings], table: str) -> None:
    stored, disk = (rows_of(settings, table) for settings in lakes)
    assert stored
    assert stored == disk


def test_every_event_is_accounted_for_though_no_disk_has_the_log(lakes: tuple[Settings, Settings]) -> None:
    stored, events = lakes[0], len(landed_events())
    there = reconcile(stored)
    assert (there.accepted, there.silver, there.residual, there.missing, there.waiting) == (events, events, 0, 0, 0)
    assert segments(stored.lake.landing) == []
    assert sum(segment.lines for segment in segments(stored.lake.log("landing"))) == events

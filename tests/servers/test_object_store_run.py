"""From landed events to answers in a real object store: its tables, lists and exports are those of the same lake on a disk."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ml.jobs import publish_lists, rollback, train
from nextclick import kv
from nextclick.contracts import catalog
from nextclick.lake import delta, duck, files
from nextclick.object_store import bucket
from nextclick.reconciliation import reconcile
from nextclick.settings import CHECKOUT, Settings, load
from serving.export import export
from spark_jobs import jars
from spark_jobs.object_store import compiled
from tests import object_store
from tests.conftest import WriteInteractions, tastes
from tests.spark.conftest import MINUTE, RECEIVED, publish

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing()),
]
NO_CONNECTOR = bool(jars.wanting(jars.S3.folder, jars.S3.sums)) or not compiled.classes().exists()

Lakes = tuple[Settings, Settings]
"""One lake in a store, and one on a disk."""


@pytest.fixture(scope="module")
def store() -> Iterator[object_store.Store]:
    with object_store.running() as store:
        yield store


def two_lakes(store: object_store.Store, folder: Path, name: str) -> Lakes:
    environment = store.environment(folder / "beside")
    stored, disk = (load(place, profile="test", environ=environment) for place in (store.lake(name), folder / "disk"))
    for settings in (stored, disk):
        settings.lake.prepare()
    return stored, disk


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory, store: object_store.Store) -> Lakes:
    """With the same log, after Spark's jobs up to gold.interactions."""
    folder = tmp_path_factory.mktemp("lakes")
    stored, disk = two_lakes(store, folder, "jobs")
    publish(disk, landed_events())
    shutil.copytree(disk.lake.landing, stored.lake.landing, dirs_exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("store_jobs.py")), stored.lake.data, disk.lake.data],
        env={**os.environ, **store.environment(folder / "beside"), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return stored, disk


def landed_events() -> list[dict[str, Any]]:
    """What the sixty people of `tastes` looked at, and a few purchases."""
    day = 24 * 60 * MINUTE
    views = [
        {
            "event": "view_item",
            "event_id": f"e{n}",
            "client_time": RECEIVED - round((22 - at) * day),
            "visitor_id": person,
            "item_id": item,
        }
        for n, (person, item, _, at, _) in enumerate(tastes())
    ]
    return [*views, *({**view, "event": "purchase", "event_id": f"{view['event_id']}b"} for view in views[::7])]


def rows_of(settings: Settings, name: str, *without: str) -> Counter[str]:
    """Every row as text, in no order."""
    wanted = [column for column in catalog.table(name).columns if column.name not in without]
    columns = ", ".join(f'round("{one.name}", 9)' if one.type == "double" else f'"{one.name}"' for one in wanted)
    with duck.connect(settings.lake) as database:
        duck.show(database, "rows", settings.lake, name, delta.open_table(settings.lake, name))
        return Counter(map(repr, database.execute(f"SELECT {columns} FROM rows").fetchall()))


@pytest.mark.spark
@pytest.mark.skipif(NO_CONNECTOR, reason="Spark's connector of S3 is not here: `make s3` brings it")
class TestSparksJobs:
    @pytest.mark.parametrize("table", ["bronze.events", "silver.events", "silver.sessions", "gold.interactions"])
    def test_write_the_rows_that_they_write_on_a_disk(self, lakes: Lakes, table: str) -> None:
        stored, disk = (rows_of(settings, table) for settings in lakes)
        assert stored
        assert stored == disk

    def test_account_for_every_event(self, lakes: Lakes) -> None:
        there, events = reconcile(lakes[0]), len(landed_events())
        assert (there.accepted, there.silver, there.residual, there.missing, there.waiting) == (events, events, 0, 0, 0)

    def test_leave_checkpoints_in_the_store_and_nothing_on_the_disk(self, lakes: Lakes) -> None:
        stored = lakes[0].lake
        assert {*files.names(stored.checkpoint("build_events"))} >= {"commits", "metadata", "nextclick.json", "offsets"}
        assert not [address for address in bucket.below(stored.shared) if address.endswith((".tmp", ".crc"))]
        assert not list(stored.root.rglob("_delta_log"))
        assert not (stored.state / "checkpoints").exists()


def test_a_model_is_trained_published_exported_and_taken_back_as_on_a_disk(
    store: object_store.Store, tmp_path: Path, write_interactions: WriteInteractions
) -> None:
    stored, disk = two_lakes(store, tmp_path, "model")
    write_interactions(disk.lake.root, tastes())
    table = "gold.interactions"
    for file in Path(disk.lake.table(table)).rglob("*"):
        if file.is_file():
            bucket.put(f"{stored.lake.table(table)}/{file.relative_to(disk.lake.table(table))}", file.read_bytes())
    for settings in (stored, disk):
        assert train.run(settings).details["passed"]
        publish_lists.run(settings)
        assert export.run(settings).written
    moving = ("generated_at", "model_version", "score")
    assert rows_of(stored, "gold.recommendations", *moving) == rows_of(disk, "gold.recommendations", *moving)
    assert rows_of(stored, "gold.recommendations", *moving)
    first = kv.open_table(stored).current()
    export.run(stored, full=True)
    rollback.run(stored, export.rollback_target(stored).lists)
    export.rollback(stored)
    served = kv.open_table(stored).current()
    assert first is not None
    assert served is not None
    assert served.version == first.version

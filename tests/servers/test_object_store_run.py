"""The whole `run`, from landed events to exported lists, in a real object store: its tables are those of the same lake on a disk."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nextclick import kv
from nextclick.contracts import catalog
from nextclick.lake import delta, duck, files
from nextclick.reconciliation import reconcile
from nextclick.settings import CHECKOUT, Settings, load
from spark_jobs import jars
from spark_jobs.object_store import compiled
from tests import object_store
from tests.conftest import tastes
from tests.spark.conftest import MINUTE, RECEIVED, publish

_ABSENT = object_store.missing() or (
    "Spark's connector of S3 is not here: `make s3` brings it"
    if jars.wanting(jars.S3.folder, jars.S3.sums) or not compiled.classes().exists()
    else ""
)
pytestmark = [
    pytest.mark.servers,
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.skipif(bool(_ABSENT), reason=_ABSENT),
]


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, Settings]]:
    """One lake in a store and one on a disk, with the same log, after a `run` of each."""
    folder = tmp_path_factory.mktemp("lakes")
    with object_store.running() as store:
        environment = store.environment(folder / "beside")
        stored, disk = (
            load(place, profile="test", environ=environment) for place in (store.lake("shop"), folder / "disk")
        )
        for settings in (stored, disk):
            settings.lake.prepare()
        publish(disk, _events())
        shutil.copytree(disk.lake.landing, stored.lake.landing, dirs_exist_ok=True)
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("store_jobs.py")), stored.lake.data, disk.lake.data],
            env={**os.environ, **environment, "PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, done.stderr[-6000:]
        yield stored, disk


def _events() -> list[dict[str, Any]]:
    """What the sixty people of `tastes` looked at, and a few purchases."""
    day = 24 * 60 * MINUTE
    views = [
        {"event": "view_item", "event_id": f"e{n}", "client_time": RECEIVED - round((22 - at) * day), "visitor_id": person, "item_id": item}
        for n, (person, item, _, at, _) in enumerate(tastes())
    ]  # fmt: skip
    return [*views, *({**view, "event": "purchase", "event_id": f"{view['event_id']}b"} for view in views[::7])]


def _rows(settings: Settings, name: str) -> Counter[str]:
    """Every row as text, in no order, but for what says when it was written, and by which run."""
    written = {
        "generated_at",
        "checked_at",
        "run_id",
        "table_id",
        "model_version",
        "imported_at",
        "observed",
        "updated_at",
    }
    table = delta.open_table(settings.lake, name)
    with duck.connect(settings.lake) as database:
        duck.show(database, "rows", settings.lake, name, table)
        columns = [f'"{column.name}"' for column in catalog.table(name).columns if column.name not in written]
        return Counter(map(repr, database.execute(f"SELECT {', '.join(columns)} FROM rows").fetchall()))


def test_each_table_in_the_store_has_the_rows_of_the_one_on_the_disk(lakes: tuple[Settings, Settings]) -> None:
    stored, disk = lakes
    names = [table.name for table in catalog.TABLES if delta.exists(disk.lake, table.name)]
    assert {"silver.sessions", "gold.interactions", "gold.recommendations", "gold.data_quality"} <= {*names}
    assert [name for name in names if _rows(stored, name) != _rows(disk, name)] == []
    assert _rows(disk, "gold.recommendations")


def test_every_event_is_accounted_for_there(lakes: tuple[Settings, Settings]) -> None:
    there = reconcile(lakes[0])
    assert (there.accepted, there.silver, there.residual, there.missing) == (len(_events()), len(_events()), 0, 0)


def test_nothing_of_the_lake_but_the_log_lies_on_the_disk(lakes: tuple[Settings, Settings]) -> None:
    stored = lakes[0]
    assert files.names(f"{stored.lake.shared}/checkpoints")
    assert files.exists(f"{stored.lake.shared}/model/status.json")
    assert not list(stored.lake.root.rglob("_delta_log"))
    assert not (stored.lake.state / "checkpoints").exists()


def test_its_lists_answer(lakes: tuple[Settings, Settings]) -> None:
    served = [kv.open_table(settings).current() for settings in lakes]
    assert served[0] is not None
    assert served[1] is not None
    assert served[0].people == served[1].people

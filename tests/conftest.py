"""What tests of several folders share."""

import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

# Two processes test on two cores: further threads of OpenMP spin while they wait for a core, and models of few rows took five
# times the processor.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKIO_WORKER_THREADS", "1")  # of deltalake: a third less for a table of few rows

import pyarrow as pa
import pytest
from hypothesis import settings

Pair = tuple[str, str, float, float, float]
"""person, item, strength, day of the first event, day of the last event."""

gc.disable()  # while tests are collected, which makes an eighth of that: nothing of them is garbage

settings.register_profile("no times", deadline=None)  # a test asserts no time, however busy the machine is
settings.load_profile("no times")

Mode = Literal["append", "overwrite"]
WriteInteractions = Callable[..., int]

LAKE = "läke 100%? #1 {it's} * 😀 (a+b & c)"
"""A folder as people name them: the tests of the tables and of the models work there."""


def pytest_configure() -> None:
    """In the background of a shell an interrupt is ignored; Dagster takes SIGTERM for one, and what tests start would ignore its end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest starts first, so that two processes (`make test`) end together."""
    items.sort(key=lambda item: item.get_closest_marker("spark") is None)


def pytest_collection_finish() -> None:
    """What has been imported stays: who looks for garbage, as each batch of Spark's does, need not go through it (0.35 s of processor)."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # libraries tell of what is left when Python ends


@pytest.fixture(scope="session")
def write_interactions() -> WriteInteractions:
    """`write(lake, pairs, mode="append", site="default")` puts pairs into gold.interactions, without Spark; its version."""
    return _write


def _write(lake: Path, pairs: Iterable[Pair], mode: Mode = "append", site: str = "default") -> int:
    from deltalake import DeltaTable, write_deltalake

    from nextclick.contracts import arrow
    from nextclick.contracts.gold import INTERACTIONS

    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        (site, person, item, strength, 1, 1, 0, 0, 0, 0, start + timedelta(days=first), start + timedelta(days=last))
        for person, item, strength, first, last in pairs
    ]
    names = INTERACTIONS.column_names
    table = pa.Table.from_pylist(
        [dict(zip(names, row, strict=True)) for row in rows], schema=arrow.schema(INTERACTIONS)
    )
    path = lake / "gold" / "interactions"
    write_deltalake(path, table, mode=mode, configuration={"delta.enableChangeDataFeed": "true"})
    return int(DeltaTable(path).version())


def tastes() -> list[Pair]:
    """60 people of four tastes (`p0` … `p59`), ten items each (`i00` … `i39`): nine of them used over twenty days."""
    return [
        (f"p{n}", f"i{n % 4}{item}", 1.0, day, day)
        for n in range(60)
        for item in range(10)
        if item != n % 10
        for day in [((item * 7 + n) % 10) * 2 + n / 100]
    ]


@pytest.fixture(scope="session")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database as its first call leaves it, by more than a second of migrations; to be copied into a lake's state folder."""
    from ml.registry import tracking
    from nextclick.settings import load

    lake = load(tmp_path_factory.mktemp("mlflow"), environ={}).lake
    assert tracking.champions(lake) == {}
    return lake.state / "mlflow.db"


@pytest.fixture(scope="session")
def trained_template(tmp_path_factory: pytest.TempPathFactory, mlflow_store: Path) -> Path:
    """A lake with `tastes` in gold.interactions, a champion and its lists; copied by `trained`, never changed."""
    from ml.jobs import publish_lists, train
    from nextclick.settings import load

    lake = tmp_path_factory.mktemp("trained") / LAKE
    _write(lake, tastes())
    settings = load(lake, profile="test", environ={})
    settings.lake.prepare()
    shutil.copy(mlflow_store, settings.lake.state)
    assert train.run(settings).details["passed"]
    publish_lists.run(settings)
    return lake


@pytest.fixture
def trained(trained_template: Path, tmp_path: Path) -> Path:
    """A copy of the trained lake, to be changed at will."""
    return shutil.copytree(trained_template, tmp_path / LAKE)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries of a webhook that come in a row have no seconds between them; tests/unit/triggers/test_sender.py looks at those."""
    monkeypatch.setattr("triggers.sender._LONGEST_WAIT", 0.0)

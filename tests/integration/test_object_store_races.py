"""Two writers of one table in an object store: nothing is lost, nothing is there twice, and the loser is told."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import cli
from nextclick.contracts.silver_imported import MARKET
from nextclick.errors import TableBusy
from nextclick.lake import commits, delta
from nextclick.lake.paths import Lake
from nextclick.object_store import lease
from nextclick.settings import CHECKOUT, load
from tests import object_store, table_rows

pytestmark = pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing())

DAY = date(2026, 1, 1)
WHO = {"pid": 1, "host": "a", "purpose": "a test", "since": "today"}
SECONDS = 3.0
"""How long a lease lasts here."""
WRITER = """
import sys
from datetime import date
from nextclick.contracts.silver_imported import MARKET
from nextclick.lake import commits, delta, locks
from nextclick.object_store import lease
from nextclick.settings import load
from tests import table_rows

lake, name, looks, lease.SECONDS = load().lake, sys.argv[1], sys.argv[2] == "looks", float(sys.argv[3])
try:
    with locks.hold(lake.locks, MARKET.name, purpose=name) as require:
        print("held", flush=True)
        sys.stdin.readline()
        if looks:
            require()
        rows = table_rows.arrow(MARKET.name, [{"domain": name, "date": date(2026, 1, 1)}])
        commits.replace_days(lake, MARKET, rows, [date(2026, 1, 1)], transaction=("job", 7))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
else:
    print("written")
"""


@pytest.fixture(scope="module")
def store() -> Iterator[object_store.Store]:
    with object_store.running() as store:
        yield store


@pytest.fixture
def lake(store: object_store.Store, tmp_path: Path) -> Lake:
    return load(store.lake(tmp_path.name), environ=store.environment(tmp_path / "beside")).lake


def names(lake: Lake) -> list[str]:
    return [row["domain"] for row in delta.rows_of_days(lake, MARKET, [DAY])]


def together(*works: threading.Thread) -> None:
    for work in works:
        work.start()
    for work in works:
        work.join()


def test_of_many_who_write_one_transaction_one_does(lake: Lake) -> None:
    commits.create(lake, MARKET)

    def write(name: str) -> None:
        rows = table_rows.arrow(MARKET.name, [{"domain": name, "date": DAY}])
        commits.replace_days(lake, MARKET, rows, [DAY], transaction=("job", 7))

    together(*(threading.Thread(target=write, args=(f"{n}.example",)) for n in range(6)))
    assert len(names(lake)) == 1
    assert delta.require(lake, MARKET.name).version() == 1


def test_rows_that_many_append_at_once_are_all_there(lake: Lake) -> None:
    commits.create(lake, MARKET)

    def write(name: str) -> None:
        for n in range(5):
            rows = table_rows.arrow(MARKET.name, [{"domain": f"{name}{n}", "date": DAY}])
            commits.write(lake, MARKET, rows, "append")

    together(*(threading.Thread(target=write, args=(name,)) for name in "abcd"))
    assert sorted(names(lake)) == sorted(f"{name}{n}" for name in "abcd" for n in range(5))


class Writers:
    """Processes that hold the table's lease, and write when they are told to."""

    def __init__(self, lake: Lake, environment: dict[str, str]) -> None:
        here = {"NEXTCLICK_LAKE": lake.data, "PYTHONPATH": str(CHECKOUT)}
        self._environment = {**os.environ, **environment, **here}
        self.started: list[subprocess.Popen[str]] = []

    def start(self, name: str, looks: str = "looks") -> subprocess.Popen[str]:
        words = [sys.executable, "-c", WRITER, name, looks, str(SECONDS)]
        pipe = subprocess.PIPE
        writer = subprocess.Popen(words, env=self._environment, stdin=pipe, stdout=pipe, text=True)
        self.started.append(writer)
        return writer


@pytest.fixture
def writers(lake: Lake, store: object_store.Store, tmp_path: Path) -> Iterator[Writers]:
    writers = Writers(lake, dict(store.environment(tmp_path / "beside")))
    yield writers
    for writer in writers.started:
        writer.kill()
        writer.communicate()


def first_line(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout
    return writer.stdout.readline().strip()


def test_one_of_two_writers_is_refused_and_told_who_writes(lake: Lake, writers: Writers) -> None:
    one = writers.start("one")
    assert first_line(one) == "held"
    said = writers.start("two").communicate()[0]
    assert f"TableBusy: silver.market is being written by process {one.pid} on " in said
    assert "(one, since " in said
    assert one.communicate("\n")[0].strip() == "written"
    assert names(lake) == ["one"]


def test_a_second_run_is_told_who_runs_before_a_jvm_starts(
    lake: Lake, store: object_store.Store, tmp_path: Path
) -> None:
    held = [lease.Lease(f"{lake.locks}/{table}.lock", WHO) for table in ("bronze.events", "silver.quarantine")]
    result = CliRunner().invoke(
        cli, ["--lake", lake.data, "run"], env=store.environment(tmp_path / "beside"), standalone_mode=False
    )
    for one in held:
        one.release()
    assert isinstance(result.exception, TableBusy)
    assert " is being written by process 1 on a (a test, since today)" in str(result.exception)


@pytest.mark.parametrize("looks", ["looks", "writes without looking"])
def test_a_writer_that_slept_finds_another_and_changes_nothing(lake: Lake, writers: Writers, looks: str) -> None:
    sleeper = writers.start("sleeper", looks)
    assert first_line(sleeper) == "held"
    sleeper.send_signal(signal.SIGSTOP)
    time.sleep(SECONDS + 0.2)
    other = writers.start("other")
    assert first_line(other) == "held"
    assert other.communicate("\n")[0].strip() == "written"
    sleeper.send_signal(signal.SIGCONT)
    assert f"was taken by process {other.pid} on" in sleeper.communicate("\n")[0]
    assert names(lake) == ["other"]
    assert delta.require(lake, MARKET.name).version() == 1


def test_after_a_killed_writer_the_next_one_writes(lake: Lake, writers: Writers) -> None:
    killed = writers.start("killed")
    assert first_line(killed) == "held"
    killed.kill()
    with pytest.raises(TableBusy, match=f"process {killed.pid} on"):
        lease.Lease(f"{lake.locks}/{MARKET.name}.lock", WHO)
    time.sleep(SECONDS + 0.2)
    assert writers.start("next").communicate("\n")[0].split() == ["held", "written"]
    assert names(lake) == ["next"]


def test_a_commit_whose_reply_was_lost_is_there_once(store: object_store.Store, tmp_path: Path) -> None:
    proxy = object_store.LosingProxy(store, "/_delta_log/")
    environment = {**store.environment(tmp_path), "NEXTCLICK_STORAGE__ENDPOINT": proxy.endpoint}
    lake = load(store.lake(tmp_path.name), environ=environment).lake
    rows, more = (table_rows.arrow(MARKET.name, [{"domain": name, "date": DAY}]) for name in ("once", "more"))
    commits.replace_days(lake, MARKET, rows, [DAY], transaction=("job", 7))
    commits.write(lake, MARKET, more, "append")
    assert len(proxy.end()) >= 3  # of each commit, that of the table's making among them
    there = load(store.lake(tmp_path.name), environ=store.environment(tmp_path)).lake
    assert sorted(names(there)) == ["more", "once"]


def test_a_lease_whose_reply_was_lost_is_held(store: object_store.Store, tmp_path: Path) -> None:
    proxy = object_store.LosingProxy(store, "/_state/locks/")
    environment = {**store.environment(tmp_path), "NEXTCLICK_STORAGE__ENDPOINT": proxy.endpoint}
    lake = load(store.lake(tmp_path.name), environ=environment).lake
    held = lease.Lease(f"{lake.locks}/gold.visits.lock", WHO)
    assert proxy.end()
    load(store.lake(tmp_path.name), environ=store.environment(tmp_path))
    held.require()
    held.release()

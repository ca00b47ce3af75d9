"""A lake in an object store, without Spark: its files, its tables and its leases are those of a lake on a disk."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from collector.request.cookieless import AnonymousIds
from nextclick.contracts.gold_lists import POPULAR_ITEMS
from nextclick.contracts.silver_imported import MARKET
from nextclick.errors import LakeError, StoreUnreachable, TableBusy
from nextclick.lake import commits, delta, duck, files, locks, sql, table_files
from nextclick.lake.paths import Lake
from nextclick.object_store import bucket, lease
from nextclick.profile import features_check
from nextclick.settings import load
from tests import object_store, table_rows

pytestmark = pytest.mark.skipif(bool(object_store.missing()), reason=object_store.missing())


@pytest.fixture(scope="module")
def store() -> Iterator[object_store.Store]:
    with object_store.running() as store:
        yield store


@pytest.fixture(params=["disk", "store"])
def lake(request: pytest.FixtureRequest, tmp_path: Path, store: object_store.Store) -> Lake:
    address = str(tmp_path / "lake") if request.param == "disk" else store.lake(tmp_path.name)
    lake = load(address, environ=store.environment(tmp_path / "beside")).lake
    lake.prepare()
    return lake


def test_a_file_is_read_as_it_was_written(lake: Lake) -> None:
    address = f"{lake.shared}/model/status.json"
    assert (files.read(address), files.exists(address), files.changed_at(address)) == (None, False, 0)
    files.write(address, b"first")
    first = files.changed_at(address)
    files.write(address, b"second")
    assert (files.read(address), files.changed_at(address) != first) == (b"second", True)
    assert abs(files.changed_at(address) / 1e9 - time.time()) < 60
    assert files.size(address) == 6
    assert files.names(f"{lake.shared}/model") == ["status.json"]
    assert "model" in files.names(lake.shared)
    assert files.exists(f"{lake.shared}/model")
    files.remove(address)
    assert not files.exists(address)
    assert files.names(f"{lake.shared}/nowhere") == []


def test_of_many_who_make_one_secret_all_get_the_same(lake: Lake) -> None:
    address, got = f"{lake.shared}/a.key", list[bytes]()
    makers = [threading.Thread(target=lambda n=n: got.append(files.create(address, bytes([n]) * 8))) for n in range(12)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(got) == 12
    assert set(got) == {files.read(address)}


def test_a_folder_takes_the_place_of_another_whole(lake: Lake) -> None:
    address = f"{lake.shared}/model/candidate"
    for content in ({"a": b"1", "old": b"2"}, {"a": b"3", "card.json": b"4"}):
        with files.new_folder(address) as draft:
            for name, value in content.items():
                (draft / name).write_bytes(value)
    if lake.address:
        assert bucket.entries(f"{lake.shared}/model") == [("candidate", None)]
        assert bucket.entries(address) == [("a", 1), ("card.json", 1)]
    files.copy_folder(address, f"{lake.shared}/lists/copy")
    files.remove(address)
    assert files.names(address) == []
    with files.folder(f"{lake.shared}/lists/copy") as there:
        assert {file.name: file.read_bytes() for file in there.iterdir()} == {"a": b"3", "card.json": b"4"}


def test_a_table_is_read_as_it_was_written(lake: Lake) -> None:
    assert delta.open_table(lake, MARKET.name) is None
    rows = [{"domain": name, "date": date(2026, 1, day)} for name, day in (("a.example", 1), ("b.example", 2))]
    commits.write(lake, MARKET, table_rows.arrow(MARKET.name, rows), "append", {"nextclick.x": "1"})
    table = delta.require(lake, MARKET.name)
    assert next(delta.history(lake, MARKET.name, table))["nextclick.x"] == "1"
    with duck.connect(lake) as database:
        duck.show(database, "market", lake, MARKET.name, table)
        query = "SELECT domain, day(date) FROM market ORDER BY 1"
        assert database.execute(query).fetchall() == [("a.example", 1), ("b.example", 2)]
        assert database.execute("SELECT domain FROM market WHERE date > '2026-01-01'").fetchall() == [("b.example",)]
    assert sql.ask(lake, "SELECT domain FROM silver.market ORDER BY 1")[1] == [("a.example",), ("b.example",)]


def test_days_are_replaced_once(lake: Lake) -> None:
    day = date(2026, 1, 1)
    for name in ("a.example", "b.example"):  # the second has the transaction of the first: it was done
        rows = table_rows.arrow(MARKET.name, [{"domain": name, "date": day}])
        commits.replace_days(lake, MARKET, rows, [day], transaction=("job", 7))
    assert [row["domain"] for row in delta.rows_of_days(lake, MARKET, [day])] == ["a.example"]


def test_lists_are_published_updated_and_swept(lake: Lake) -> None:
    def rows(*items: str) -> list[pa.Table]:
        return [table_rows.arrow(POPULAR_ITEMS.name, [{"site": item[0], "item_id": item} for item in items])]

    first = table_files.replace(lake, POPULAR_ITEMS, rows("a1", "a2", "b1"))
    newest = table_files.upsert(lake, POPULAR_ITEMS, "site", pa.array(["a"]), rows("a3"))
    items = delta.require(lake, POPULAR_ITEMS.name).to_pyarrow_table(columns=["item_id"])["item_id"].to_pylist()
    assert (newest, sorted(items)) == (first + 1, ["a3", "b1"])
    table_files.sweep(lake, POPULAR_ITEMS, [first])
    assert len(delta.require(lake, POPULAR_ITEMS.name, first).to_pyarrow_table()) == 3


def test_a_store_that_does_not_answer_is_said_in_words(store: object_store.Store, tmp_path: Path) -> None:
    environment = store.environment(tmp_path / "beside")
    with pytest.raises(
        StoreUnreachable, match=r"s3://nowhere/shop cannot be reached: .*NoSuchBucket.*storage\.endpoint"
    ):
        load("s3://nowhere/shop", environ=environment).lake.prepare()
    away = load(store.lake("shop"), environ={**environment, "NEXTCLICK_STORAGE__ENDPOINT": "http://127.0.0.1:1"}).lake
    with pytest.raises(StoreUnreachable, match="AWS_SECRET_ACCESS_KEY"):
        files.read(f"{away.shared}/model/status.json")
    with pytest.raises(LakeError, match="cannot be seen"):
        delta.exists(away, MARKET.name)


WHO = {"pid": 1, "host": "a", "purpose": "a test", "since": "today"}


class TestALease:
    @pytest.fixture
    def address(self, store: object_store.Store, tmp_path: Path) -> str:
        lake = load(store.lake(tmp_path.name), environ=store.environment(tmp_path / "beside")).lake
        return f"{lake.locks}/gold.visits.lock"

    def test_is_held_by_one_and_names_it(self, address: str) -> None:
        first = lease.Lease(address, WHO)
        assert lease.holder(address) == "process 1 on a (a test, since today)"
        with pytest.raises(TableBusy, match=r"gold\.visits is being written by process 1 on a \(a test, since today\)"):
            lease.Lease(address, WHO)
        first.release()
        assert lease.holder(address) is None
        lease.Lease(address, WHO).release()

    def test_of_many_who_ask_at_once_one_has_it(self, address: str) -> None:
        inside, most, times, guard = [0], [0], [0], threading.Lock()

        def work() -> None:
            had = 0
            while had < 2:
                try:
                    held = lease.Lease(address, WHO)
                except TableBusy:
                    time.sleep(0.01)
                    continue
                had += 1
                with guard:
                    inside[0] += 1
                    most[0], times[0] = max(most[0], inside[0]), times[0] + 1
                time.sleep(0.01)
                held.require()
                with guard:
                    inside[0] -= 1
                held.release()

        workers = [threading.Thread(target=work) for _ in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert most == [1]
        assert times == [12]

    def test_that_is_renewed_outlives_its_time(self, address: str) -> None:
        first = lease.Lease(address, WHO, 0.6)
        time.sleep(1.5)
        with pytest.raises(TableBusy):
            lease.Lease(address, WHO, 0.6)
        first.require()
        first.release()

    def test_whose_holder_sleeps_is_taken_and_the_holder_is_told(
        self, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lease.Lease, "_keep", lambda self: None)  # nobody renews
        first = lease.Lease(address, WHO, 0.3)
        time.sleep(0.4)
        second = lease.Lease(address, {**WHO, "pid": 2})
        with pytest.raises(LakeError, match="was taken by process 2 on a"):
            first.require()
        first.release()
        second.require()
        assert lease.holder(address) == "process 2 on a (a test, since today)"
        second.release()

    def test_whose_holder_has_another_clock_is_not_taken(self, address: str) -> None:
        first = lease.Lease(address, WHO, 0.6)
        stored = bucket.get(address)
        assert stored
        wrong = json.loads(stored.content) | {"renewed": time.time() - 4, "seconds": 0.6}
        first._etag = bucket.put_instead(address, json.dumps(wrong).encode(), stored.etag)
        with pytest.raises(TableBusy):  # it looks forgotten, and is renewed while one looks at it
            lease.Lease(address, WHO, 0.6)
        first.release()

    def test_is_what_locks_of_a_lake_in_a_store_are(self, address: str) -> None:
        folder = address.rpartition("/")[0]
        with (
            locks.hold(folder, "gold.visits", purpose="one") as require,
            locks.hold(folder, "gold.visits", purpose="x"),
        ):
            require()
            assert "(one, since" in str(locks.holder(folder, "gold.visits"))
        assert locks.holder(folder, "gold.visits") is None


def test_a_store_that_is_away_stops_neither_the_door_nor_the_api(store: object_store.Store, tmp_path: Path) -> None:
    environment = {**store.environment(tmp_path), "NEXTCLICK_STORAGE__ENDPOINT": "http://127.0.0.1:1"}
    away = load(store.lake("away"), environ=environment).lake
    visitors = AnonymousIds(f"{away.shared}/cookieless")
    assert visitors.of("192.0.2.1", "a browser", 0) == visitors.of("192.0.2.1", "a browser", 1)
    assert features_check.read(away) is None

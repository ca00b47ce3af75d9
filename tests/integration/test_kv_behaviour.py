"""What every backend of the key-value table does, in one suite that each of them runs."""

import contextlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from nextclick.errors import ModelError, VersionGone
from nextclick.kv.backends import BACKENDS
from nextclick.kv.lists.lmdb import LmdbTable
from nextclick.kv.lists.protocol import Entry, ListsTable, Pointer, VersionManifest
from nextclick.kv.lists.redis import RedisTable
from nextclick.lake import lists_manifest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Backend:
    """A place where tables live: opens them as one process after another would."""

    def __init__(self, folder: Path | None, url: str | None) -> None:
        self._folder, self._url = folder, url

    def open(self) -> ListsTable:
        if self._folder is not None:
            return LmdbTable(self._folder, 1 << 26)
        assert self._url is not None
        return RedisTable(self._url, "nextclick:test:lists", 5)

    def traces(self) -> set[str]:
        """Names of what the store holds for single versions: folders, or the versions that keys name."""
        if self._folder is not None:
            return {path.name for path in self._folder.iterdir() if path.name != "CURRENT"}
        import redis

        with redis.Redis.from_url(str(self._url)) as client:
            names = [key.decode().split(":")[3] for key in client.keys("*")]
        return {name for name in names if name.isdigit()}


PLACES: dict[str, Callable[[pytest.FixtureRequest], Backend]] = {
    "lmdb": lambda request: Backend(request.getfixturevalue("tmp_path") / "lists", None),
    "redis": lambda request: Backend(None, request.getfixturevalue("redis_url")),
}


@pytest.fixture(params=PLACES)
def backend(request: pytest.FixtureRequest) -> Backend:
    return PLACES[request.param](request)


@pytest.fixture
def table(backend: Backend) -> ListsTable:
    return backend.open()


def test_the_lists_of_every_backend_are_tested_here() -> None:
    assert PLACES.keys() == BACKENDS.keys()


def manifest(version: int, previous: int | None = None) -> VersionManifest:
    lists = {
        "lists_id": "e", "kind": "full", "site": "default", "model_version": "1", "run_id": None, "interactions_version": 0,
        "interactions_id": "", "generated_at": NOW, "people": 0, "changed": 0, "popular_version": 0, "similar_version": 0,
        "state": "", "digest": "", "model_digest": "",
    }  # fmt: skip
    return VersionManifest(
        version=version, previous=previous, lists=msgspec.convert(lists, lists_manifest.ListsManifest), lists_version=0, models=("1",),
        people=0, rows=0, items=0, entries=0, digest="", exported_at=NOW,
    )  # fmt: skip


def publish(table: ListsTable, entries: list[Entry], base: int | None = None) -> int:
    """A version with these entries, sealed and served."""
    writer = table.begin(base)
    writer.put_many(entries)
    writer.seal(manifest(writer.version))
    table.point(Pointer(writer.version, writer.version))
    return writer.version


def test_a_table_that_was_never_written_has_no_version_and_says_what_to_do(table: ListsTable) -> None:
    assert table.pointer() is None
    assert table.current() is None
    assert table.versions() == []
    with pytest.raises(ModelError, match="nextclick run"):
        table.snapshot()


def test_values_come_in_the_order_of_the_keys_and_missing_ones_are_none(table: ListsTable) -> None:
    publish(table, [(b"pb", b"2"), (b"pa", b"1")])
    assert table.snapshot().get_many([b"pa", b"pc", b"pb"]) == [b"1", None, b"2"]


def test_a_version_under_construction_is_seen_by_nobody(table: ListsTable, backend: Backend) -> None:
    publish(table, [(b"pa", b"old")])
    table.begin().put_many([(b"pa", b"new")])
    reader = backend.open()
    assert [each.version for each in reader.versions()] == [1]
    assert reader.snapshot().get_many([b"pa"]) == [b"old"]


def test_a_sealed_version_is_not_served_before_the_flip(table: ListsTable) -> None:
    publish(table, [(b"pa", b"old")])
    writer = table.begin()
    writer.put_many([(b"pa", b"new")])
    writer.seal(manifest(2, previous=1))
    assert table.snapshot().get_many([b"pa"]) == [b"old"]
    table.point(Pointer(2, 2))
    assert table.snapshot().get_many([b"pa"]) == [b"new"]
    current = table.current()
    assert current is not None
    assert (current.version, current.previous) == (2, 1)


def test_a_reader_that_was_there_before_notices_each_flip_and_a_rollback(table: ListsTable, backend: Backend) -> None:
    publish(table, [(b"pa", b"1")])
    reader = backend.open()
    assert reader.snapshot().get_many([b"pa"]) == [b"1"]
    publish(table, [(b"pa", b"2")])
    assert reader.snapshot().get_many([b"pa"]) == [b"2"]
    table.point(Pointer(1, 2))
    assert reader.snapshot().get_many([b"pa"]) == [b"1"]


def test_the_same_snapshot_is_given_while_the_pointer_stays(table: ListsTable) -> None:
    publish(table, [(b"pa", b"1")])
    assert table.snapshot() is table.snapshot()


def test_a_pinned_snapshot_answers_from_its_version_or_not_at_all(table: ListsTable) -> None:
    publish(table, [(b"pa", b"1")])
    pinned = table.snapshot()
    publish(table, [(b"pa", b"2")])
    assert pinned.get_many([b"pa"]) == [b"1"]
    table.drop(1)
    with contextlib.suppress(VersionGone):
        assert pinned.get_many([b"pa"]) == [b"1"]


def test_a_version_can_be_opened_by_its_number(table: ListsTable) -> None:
    publish(table, [(b"pa", b"1")])
    publish(table, [(b"pa", b"2")])
    assert table.snapshot(1).get_many([b"pa"]) == [b"1"]
    with pytest.raises(ModelError, match="no version 9"):
        table.snapshot(9)


def test_putting_counts_the_keys_that_were_new(table: ListsTable) -> None:
    writer = table.begin()
    assert writer.put_many([(b"pb", b"1"), (b"pa", b"1")]) == 2
    assert writer.put_many([(b"pc", b"1"), (b"pa", b"2")]) == 1
    assert writer.put_many([(b"pd", b"1"), (b"pd", b"2")]) == 1
    assert writer.put_many([]) == 0


def test_what_was_written_can_be_read_back_before_it_is_sealed(table: ListsTable) -> None:
    writer = table.begin()
    writer.put_many([(b"pb", b"2"), (b"pa", b"1"), (b"s" * 511, b"\x00" * 5000)])
    writer.delete_many([b"pa", b"px"])
    assert sorted(writer.entries()) == [(b"pb", b"2"), (b"s" * 511, b"\x00" * 5000)]


def test_a_version_built_on_another_starts_with_its_entries_and_leaves_it_alone(table: ListsTable) -> None:
    publish(table, [(b"pa", b"1"), (b"pb", b"1")])
    writer = table.begin(base=1)
    writer.delete_many([b"pa"])
    writer.put_many([(b"pa", b"2"), (b"pc", b"2")])
    writer.seal(manifest(2))
    assert table.snapshot(2).get_many([b"pa", b"pb", b"pc"]) == [b"2", b"1", b"2"]
    assert table.snapshot(1).get_many([b"pa", b"pb", b"pc"]) == [b"1", b"1", None]


def test_an_abandoned_version_leaves_nothing(table: ListsTable, backend: Backend) -> None:
    writer = table.begin()
    writer.put_many([(b"pa", b"1")])
    writer.abandon()
    assert backend.traces() == set()


def test_the_debris_of_a_killed_writer_goes_with_the_next_one(table: ListsTable, backend: Backend) -> None:
    publish(table, [(b"pa", b"1")])
    table.begin().put_many([(b"pa", b"half"), (b"pb", b"half")])
    successor = backend.open().begin()
    assert list(successor.entries()) == []
    successor.abandon()
    assert backend.traces() == {"1"}
    assert table.snapshot().get_many([b"pa", b"pb"]) == [b"1", None]


def test_a_dropped_version_is_gone_and_its_number_is_not_used_again(table: ListsTable, backend: Backend) -> None:
    publish(table, [(b"pa", b"1")])
    publish(table, [(b"pa", b"2")])
    table.point(Pointer(1, 2))
    table.drop(2)
    assert [each.version for each in table.versions()] == [1]
    assert backend.traces() == {"1"}
    assert publish(table, [(b"pa", b"3")]) > 2


def test_no_reader_sees_two_versions_in_one_snapshot_while_exports_flip_and_drop(
    table: ListsTable, backend: Backend
) -> None:
    keys = [b"p%d" % number for number in range(20)]
    publish(table, [(key, b"1") for key in keys])
    stop, mixtures, seen = threading.Event(), list[set[bytes | None]](), set[bytes | None]()

    def read() -> None:
        reader = backend.open()
        while not stop.is_set():
            try:
                snapshot = reader.snapshot()
                values = {*snapshot.get_many(keys[:10]), *snapshot.get_many(keys[10:])}
            except VersionGone:
                continue
            seen.update(values)
            if values != {b"%d" % snapshot.manifest.version}:
                mixtures.append(values)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(2, 30):
        publish(table, [(key, b"%d" % version) for key in keys])
        table.drop(version - 1)
    stop.set()
    for reader in readers:
        reader.join()
    assert not mixtures
    assert len(seen) > 1

"""Whatever is killed, and whichever reply is lost: each published line comes where bronze reads it, once."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.main import cli
from nextclick.errors import LakeError, SettingsError, StoreUnreachable, UsageError
from nextclick.landing import outgoing
from nextclick.landing.reader import parse, promised_lines, segments
from nextclick.landing.writer import SegmentWriter
from nextclick.object_store import bucket
from nextclick.reconciliation import reconcile
from nextclick.settings import Settings, load
from nextclick.shipping.shipper import Shipper, has_to_ship

LAKE = "s3://lakes/shop"
NOW = 1_767_225_600_000


class Killed(BaseException):
    """The process ends here."""


class MemoryStore:
    """Objects, with honest conditions; `faults` says of each put what becomes of it."""

    def __init__(self, faults: list[str]) -> None:
        self.objects: dict[str, bytes] = {}
        self._faults = faults

    def put_new(self, address: str, content: bytes) -> str:
        fault = self._faults.pop(0) if self._faults else ""
        if fault == "refused":
            raise StoreUnreachable("away")
        if address in self.objects:
            raise bucket.ConditionFailed(address)
        self.objects[address] = content
        if fault == "reply lost":
            raise StoreUnreachable("the reply was lost")
        if fault == "killed":
            raise Killed
        return "etag"

    def get(self, address: str) -> bucket.StoredObject | None:
        return bucket.StoredObject(self.objects[address], "etag") if address in self.objects else None


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def machine(folder: Path, **more: str) -> Settings:
    environ = {"NEXTCLICK_STORAGE__BESIDE": str(folder), "NEXTCLICK_STREAMING__SOURCE": "bucket"}
    environ |= {"NEXTCLICK_LIVE__ENABLED": "false", **more}
    return load(LAKE, environ=environ)


def publish(settings: Settings, *payloads: str, log: str = "landing") -> None:
    with SegmentWriter(settings.lake.root / log, settings.landing) as writer:
        writer.extend([payload.encode() for payload in payloads], "plain", NOW)


def lines(store: MemoryStore, log: str = "landing") -> Counter[bytes]:
    return Counter(
        parse(line).payload
        for address, content in store.objects.items()
        if address.startswith(f"{LAKE}/{log}/")
        for line in content.splitlines()
    )


def shipping(settings: Settings, patch: pytest.MonkeyPatch, store: MemoryStore) -> Shipper:
    patch.setattr(bucket, "put_new", store.put_new)
    patch.setattr(bucket, "get", store.get)
    return Shipper(settings)


def test_a_published_segment_is_an_object_of_its_name_and_gone_here(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here, store = machine(tmp_path), MemoryStore([])
    publish(here, "a", "b")
    publish(here, "no", log="quarantine")
    names = [segment.name for log in ("landing", "quarantine") for segment in segments(here.lake.root / log)]
    done = shipping(here, patch, store).round()
    assert (done.segments, done.lines, done.kept) == (2, 3, 0)
    assert list(store.objects) == [f"{LAKE}/landing/{names[0]}", f"{LAKE}/quarantine/{names[1]}"]
    assert lines(store) == {b"a": 1, b"b": 1}
    assert segments(here.lake.landing) == []
    assert here.lake.log("landing") == f"{LAKE}/landing"


def test_a_segment_that_is_being_written_stays(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here, store = machine(tmp_path), MemoryStore([])
    with SegmentWriter(here.lake.landing, here.landing) as writer:
        writer.append(b"a", "plain", NOW)
        writer.sync()
        assert shipping(here, patch, store).round().segments == 0
    assert shipping(here, patch, store).round().segments == 1


FAULTS = st.lists(st.sampled_from(["", "refused", "reply lost", "killed"]), max_size=12)
ROUNDS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=8)


@settings(max_examples=30, deadline=None)
@given(faults=FAULTS, rounds=ROUNDS, dies_before_removal=st.booleans())
def test_nothing_is_lost_and_nothing_comes_twice(
    faults: list[str], rounds: list[tuple[int, int]], dies_before_removal: bool
) -> None:
    """Two machines publish and ship in any order; a process that was killed is followed by one that knows nothing."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        both, store = [machine(Path(folder, name)) for name in "ab"], MemoryStore(list(faults))
        sent: list[str] = []
        if dies_before_removal:
            patch.setattr(Shipper, "_let_go", once(Shipper._let_go))
        for which, count in rounds:
            sent += [f"{len(sent)}.{n}" for n in range(count)]
            publish(both[which], *sent[len(sent) - count :])
            try:
                shipping(both[which], patch, store).round()
            except (Killed, LakeError):
                continue
        patch.undo()
        store._faults = []
        for here in both:
            shipping(here, patch, store).round()
            assert segments(here.lake.landing) == []
        assert lines(store) == Counter(payload.encode() for payload in sent)
        assert all(promised_lines(Path(name).name) == content.count(b"\n") for name, content in store.objects.items())


def once(method: Callable[..., None]) -> Callable[..., None]:
    """The process ends at the first call."""
    calls: list[int] = []

    def called(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise Killed
        method(*arguments)

    return called


def test_two_machines_that_drew_one_name_keep_both_segments(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one, other, store = machine(tmp_path / "a"), machine(tmp_path / "b"), MemoryStore([])
    publish(one, "of one")
    publish(other, "of the other")
    [theirs], [ours] = segments(one.lake.landing), segments(other.lake.landing)
    ours.path.rename(ours.path.with_name(theirs.name))
    for here in (one, other):
        shipping(here, patch, store).round()
    assert lines(store) == {b"of one": 1, b"of the other": 1}
    assert segments(other.lake.landing) == []


def test_a_segment_stays_here_until_live_profiles_have_it(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here, store, merged = machine(tmp_path, NEXTCLICK_LIVE__ENABLED="true"), MemoryStore([]), [""]
    patch.setattr(
        "nextclick.shipping.shipper.open_profiles",
        lambda _: SimpleNamespace(merged_segments=lambda: (merged[0], set())),
    )
    publish(here, "a")
    [segment] = segments(here.lake.landing)
    shipper = shipping(here, patch, store)
    assert (shipper.round().kept, shipper.waiting()) == (1, 0)
    patch.setattr(bucket, "put_new", lambda *_: pytest.fail("it is there"))
    assert shipper.round().segments == 0
    merged[0] = segment.name
    assert shipper.round().kept == 0
    assert segments(here.lake.landing) == []
    assert lines(store) == {b"a": 1}


def test_where_bronze_reads_this_disk_there_is_nothing_to_ship(tmp_path: Path) -> None:
    here = load(tmp_path / "lake", environ={})
    assert not has_to_ship(here)
    with pytest.raises(UsageError, match=r"^There is nothing to ship: .* Set streaming\.source = bucket"):
        Shipper(here)


def test_a_lake_on_a_disk_is_not_shipped(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"streaming\.source is bucket, and the lake .* lies on a disk"):
        load(tmp_path / "lake", environ={"NEXTCLICK_STREAMING__SOURCE": "bucket"})


def test_a_sink_that_bronze_does_not_read_is_refused() -> None:
    both = {"NEXTCLICK_COLLECTOR__SINK": "kafka", "NEXTCLICK_STREAMING__SOURCE": "bucket"}
    with pytest.raises(SettingsError, match=r"^collector\.sink is kafka, and streaming\.source is bucket"):
        load(LAKE, environ=both)


def test_with_kafka_imports_and_replays_publish_in_an_outbox(tmp_path: Path) -> None:
    here = load(tmp_path / "lake", environ={"NEXTCLICK_COLLECTOR__SINK": "kafka"})
    assert outgoing.logs(here) == (tmp_path / "lake/outbox/landing", tmp_path / "lake/outbox/quarantine")
    assert outgoing.logs(load(tmp_path / "lake", environ={})) == (
        tmp_path / "lake/landing",
        tmp_path / "lake/quarantine",
    )


class MemoryTopic:
    """A topic of two partitions; its producer dies once it has sent `most` records."""

    def __init__(self) -> None:
        self.partitions: list[list[tuple[str | None, bytes, dict[str, Any]]]] = [[], []]
        self.most = 1 << 30

    def producer(self, *_: Any, **__: Any) -> Any:
        def produce(_topic: str, value: bytes, key: str | None, *, headers: Any, on_delivery: Any) -> None:
            if not self.most:
                raise Killed
            self.most -= 1
            self.partitions[hash(key) % 2].append((key, value, dict(headers)))
            on_delivery(None, None)

        return SimpleNamespace(produce=produce, poll=lambda _: 0, flush=lambda _: 0)

    def consumer(self, *_: Any, **__: Any) -> Any:
        waiting: list[Any] = []

        def assign(places: Any) -> None:
            for place in places:
                for offset, (_, _, headers) in enumerate(
                    self.partitions[place.partition][place.offset :], place.offset
                ):
                    waiting.append(message(place.partition, offset, headers))

        def consume(most: int, _seconds: float) -> list[Any]:
            taken, waiting[:] = waiting[:most], waiting[most:]
            return taken

        return SimpleNamespace(
            assign=assign,
            consume=consume,
            close=lambda: None,
            list_topics=lambda name, timeout: SimpleNamespace(
                topics={name: SimpleNamespace(partitions={0: None, 1: None})}
            ),
            get_watermark_offsets=lambda place, timeout: (0, len(self.partitions[place.partition])),
        )


def message(partition: int, offset: int, headers: dict[str, Any]) -> Any:
    return SimpleNamespace(
        error=lambda: None, partition=lambda: partition, offset=lambda: offset, headers=lambda: list(headers.items())
    )


@settings(max_examples=20, deadline=None)
@given(
    deaths=st.lists(st.integers(0, 9), max_size=4), people=st.lists(st.sampled_from("abcd"), min_size=1, max_size=12)
)
def test_a_topic_has_each_line_once_however_often_its_sender_died(deaths: list[int], people: list[str]) -> None:
    pytest.importorskip("confluent_kafka")
    from nextclick.landing import kafka_topics as topics
    from nextclick.shipping import to_kafka

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        here = load(Path(folder), environ={"NEXTCLICK_COLLECTOR__SINK": "kafka"})
        topic, sent = (
            MemoryTopic(),
            [json.dumps({"event_id": f"{n}", "visitor_id": who}) for n, who in enumerate(people)],
        )
        patch.setattr(to_kafka, "Producer", topic.producer)
        patch.setattr(topics, "Consumer", topic.consumer)
        patch.setattr(topics, "reach", lambda *_: None)
        for part in (sent[:5], sent[5:]):
            with SegmentWriter(outgoing.logs(here)[0], here.landing) as writer:
                writer.extend([payload.encode() for payload in part], "import:test", NOW)
        for death in deaths:
            topic.most = death
            with suppress(Killed):
                Shipper(here).round()
        topic.most = 1 << 30
        Shipper(here).round()
        records = [record for partition in topic.partitions for record in partition]
        assert Counter(value.decode() for _, value, _ in records) == Counter(sent)
        assert all(key == json.loads(value)["visitor_id"] for key, value, _ in records)
        assert {(headers["source"], headers["received_at"]) for _, _, headers in records} == {
            (b"import:test", b"%d" % NOW)
        }
        assert not list(Path(folder, "outbox").rglob("*.log"))
        assert not list(Path(folder, "outbox").rglob("*.sending"))


def test_an_import_says_that_the_brokers_are_away_and_keeps_its_segments(tmp_path: Path) -> None:
    pytest.importorskip("confluent_kafka")
    away = {
        "NEXTCLICK_COLLECTOR__SINK": "kafka",
        "NEXTCLICK_KAFKA__SERVERS": "127.0.0.1:1",
        "NEXTCLICK_KAFKA__DELIVERY_SECONDS": "0.5",
    }
    (tmp_path / "access.log").write_text(
        '203.0.113.9 - - [27/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1 "-" "Mozilla/5.0"\n'
    )
    words = ["--lake", str(tmp_path / "lake"), "import", "--format", "auto", str(tmp_path / "access.log"), "--json"]
    done = CliRunner(env=away).invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["accepted"] == 1
    assert "did not take what waits for nextclick.events" in done.stderr
    assert "`nextclick ship` sends it." in done.stderr
    [segment] = segments(tmp_path / "lake/outbox/landing")
    assert segment.lines == 1
    assert segments(tmp_path / "lake/landing") == []
    assert reconcile(load(tmp_path / "lake", environ=away)).waiting == 1
    again = CliRunner(env=away).invoke(cli, ["--lake", str(tmp_path / "lake"), "ship"])
    assert again.exit_code == 1
    assert isinstance(again.exception, LakeError)

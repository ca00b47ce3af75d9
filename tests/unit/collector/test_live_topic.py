"""Live profiles that follow Kafka, against a consumer that has a topic of one partition; tests/servers/test_kafka.py has a real broker."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("confluent_kafka", reason="the Kafka client is not installed: `make extras` brings it")

from confluent_kafka import KafkaError, TopicPartition

from collector.http.metrics import LiveMetrics
from collector.live import kafka_follower as module
from collector.live.kafka_follower import LiveTopic, group
from collector.replay.kafka_records import received_at
from nextclick.contracts.events import Event, encode
from nextclick.errors import ModelError
from nextclick.kv import open_profiles
from nextclick.kv.profiles.protocol import Profiles
from nextclick.profile import profile
from nextclick.settings import Settings, load
from tests.wait import now, wait_until

DAY = 86_400_000
NAME = "nextclick.events-0"


class Message:
    """A record, or what went wrong instead."""

    def __init__(self, value: bytes | None, offset: int, at: int, error: KafkaError | None = None) -> None:
        self._value, self._offset, self._at, self._error = value, offset, at, error
        self.arrival: list[tuple[str, bytes]] | None = None

    def error(self) -> KafkaError | None:
        return self._error

    def value(self) -> bytes | None:
        return self._value

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, self._at

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self.arrival


class Consumer:
    """Is given the topic's partition at its first poll, and reads `topic` from where it is assigned."""

    topic: list[Message]
    starts: list[int]
    errors: list[KafkaError]

    def __init__(self, *_: Any, **__: Any) -> None:
        self._at: int | None = None
        self._on_assign: Any = None

    def list_topics(self, timeout: float) -> Any:
        return type("Known", (), {"topics": {"nextclick.events": None}})

    def subscribe(self, topics: list[str], on_assign: Any, on_revoke: Any) -> None:
        self._on_assign = on_assign

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._at = partitions[0].offset if partitions else None
        Consumer.starts += [partition.offset for partition in partitions]

    def poll(self, _seconds: float) -> Message | None:
        if self._on_assign:
            self._on_assign(self, [TopicPartition("nextclick.events", 0)])
            self._on_assign = None
        if Consumer.errors:
            return Message(None, -1, -1, Consumer.errors.pop())
        messages = self.consume(1, 0)
        if not messages:
            time.sleep(0.01)
        return messages[0] if messages else None

    def consume(self, most: int, _seconds: float) -> list[Message]:
        if self._at is None:
            return []
        messages = Consumer.topic[self._at : self._at + most]
        self._at += len(messages)
        return messages

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return 0, len(Consumer.topic)

    def offsets_for_times(self, wanted: list[TopicPartition], _seconds: float) -> list[TopicPartition]:
        [one] = wanted
        later = [message.offset() for message in Consumer.topic if message.timestamp()[1] >= one.offset]
        return [TopicPartition(one.topic, one.partition, later[0] if later else -1)]

    def close(self) -> None:
        self._at = None


class Faulty:
    """A store that fails as long as it is told to."""

    def __init__(self, store: Profiles) -> None:
        self._store = store
        self.is_down = False
        self.failures = 0

    def merge(self, updates: Any, *of: Any, **also: Any) -> None:
        if updates and self.is_down:
            self.failures += 1
            raise ModelError("The store is down.")
        self._store.merge(updates, *of, **also)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture(autouse=True)
def topic(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    monkeypatch.setattr(module, "Consumer", Consumer)
    Consumer.topic, Consumer.starts, Consumer.errors = [], [], []
    return Consumer.topic


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path / "lake", environ={})


@pytest.fixture
def store(settings: Settings) -> Faulty:
    return Faulty(open_profiles(settings))


@contextmanager
def following(settings: Settings, store: Any) -> Iterator[LiveTopic]:
    live = LiveTopic(settings, store, LiveMetrics({"registry": None, "namespace": "nextclick"}))
    live.start()
    try:
        yield live
    finally:
        live.close()


def write(value: bytes, at: int | None = None) -> None:
    Consumer.topic.append(Message(value, len(Consumer.topic), at or now()))


def view(number: int, at: int | None = None) -> bytes:
    return encode(
        Event(event="view_item", event_id=f"e{number}", client_time=at or now(), visitor_id="v1", item_id=f"i{number}")
    )


def items(store: Any) -> set[str | None]:
    return {action.item for action in store.get_many([profile.visitor_key("default", "v1")])[0].actions}


def test_what_was_written_while_nobody_followed_is_merged_and_what_is_no_event_is_passed_over(
    settings: Settings, store: Faulty
) -> None:
    for value in (view(1), b"no json", view(2), view(9, now() - 31 * DAY)):
        write(value)
    with following(settings, store):
        wait_until(lambda: store.merged_offsets() == {NAME: 4})
        write(view(3))
        wait_until(lambda: store.merged_offsets() == {NAME: 5})
    assert items(store) == {"i1", "i2", "i3"}


def test_a_second_start_goes_on_where_the_store_stands(settings: Settings, store: Faulty) -> None:
    write(view(1))
    with following(settings, store):
        wait_until(lambda: store.merged_offsets() == {NAME: 1})
    write(view(2))
    with following(settings, store):
        wait_until(lambda: store.merged_offsets() == {NAME: 2})
    assert Consumer.starts == [0, 1]


def test_a_store_that_knows_nothing_begins_with_the_first_record_of_the_kept_days(
    settings: Settings, store: Faulty
) -> None:
    for number, days in enumerate((40, 31, 29, 1)):
        write(view(number, now() - days * DAY), now() - days * DAY)
    with following(settings, store):
        wait_until(lambda: store.merged_offsets() == {NAME: 4})
    assert Consumer.starts == [2]
    assert items(store) == {"i2", "i3"}


def test_where_all_records_are_too_old_it_begins_behind_them(settings: Settings, store: Faulty) -> None:
    write(view(0, now() - 40 * DAY), now() - 40 * DAY)
    with following(settings, store):
        wait_until(lambda: store.merged_offsets() == {NAME: 1})
        write(view(1))
        wait_until(lambda: store.merged_offsets() == {NAME: 2})
    assert Consumer.starts == [1]
    assert items(store) == {"i1"}


def test_while_the_store_is_down_no_offset_moves_and_afterwards_everything_is_merged(
    settings: Settings, store: Faulty
) -> None:
    store.is_down = True
    write(view(1))
    with following(settings, store) as live:
        wait_until(lambda: store.failures > 0)
        write(view(2))
        assert store.merged_offsets() == {NAME: 0}
        assert not items(store)
        store.is_down = False
        wait_until(lambda: store.merged_offsets() == {NAME: 2})
        assert live._is_up
    assert items(store) == {"i1", "i2"}


def test_a_store_that_was_set_back_while_it_is_followed_is_made_anew_from_there(
    settings: Settings, store: Faulty
) -> None:
    for number in range(3):
        write(view(number))
    with following(settings, store):
        wait_until(lambda: store.merged_offsets() == {NAME: 3})
        store.merge({}, offsets={NAME: 1})  # as a Redis that was restarted from an older file
        wait_until(lambda: store.merged_offsets() == {NAME: 3})
    assert Consumer.starts == [0, 1]


def test_a_topic_that_may_not_be_read_is_told_and_followed_once_it_may(
    settings: Settings, store: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    write(view(1))
    Consumer.errors = [KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED, "not allowed")]
    with caplog.at_level("WARNING", "_granian.collector"), following(settings, store):
        wait_until(lambda: items(store) == {"i1"})
    assert [record.getMessage() for record in caplog.records] == [
        "Live profiles cannot follow the topic nextclick.events: not allowed. Mend the brokers, or allow the collector to "
        "read the topic, with groups named nextclick.live.*. Until then events wait in the topic nextclick.events."
    ]


@pytest.mark.parametrize(
    ("headers", "arrival"),
    [
        ([("source", b"plain"), ("received_at", b"5")], 5),
        ([("received_at", b"soon")], 7),
        ([("source", b"plain")], 7),
        (None, 7),
    ],
)
def test_a_record_arrived_when_the_collector_says_so_else_when_it_was_written(headers: Any, arrival: int) -> None:
    message: Any = Message(b"", 0, 7)
    message.arrival = headers
    assert received_at(message) == arrival


def test_a_store_has_a_group_of_its_own_however_it_is_opened(tmp_path: Path) -> None:
    lakes = [load(tmp_path / name, environ={}) for name in ("one", "one/../one", "two")]
    one, again, two = (group(open_profiles(settings)) for settings in lakes)
    assert one == again != two

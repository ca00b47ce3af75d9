"""The live path where Kafka is the sink: live profiles follow the topic itself.

    topic ──partitions divided by a consumer group──► thread ──actions, and up to where they are merged──► profiles

The store keeps with the profiles up to where each partition is merged, so a cursor never says more
than the store has: one that was emptied, or set back, is made anew from there. Merging twice changes
nothing, so that a cursor may only ever lag. The group itself commits nothing.
"""

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from collector.http.metrics import LiveMetrics
from collector.live.follower import SECOND, TOGETHER, ProfileUpdater
from collector.replay.kafka_records import received_at
from nextclick.errors import LakeError
from nextclick.kv.profiles.protocol import Profiles
from nextclick.settings import Settings

_POLL_SECONDS: Final = 0.1

_log: Final = logging.getLogger("_granian.collector")


class LiveTopic(ProfileUpdater):
    """Keeps live profiles up to date with the partitions of the topic of events that fall to one worker."""

    def __init__(self, settings: Settings, store: Profiles, metrics: LiveMetrics) -> None:
        super().__init__(settings, store, metrics, f"the topic {settings.kafka.events_topic}")
        self._topic = settings.kafka.events_topic
        self._timeout = settings.kafka.delivery_seconds
        self._ours: list[int] = []
        """Partitions that the group gave us."""
        self._next: dict[str, int] | None = None
        """Of each of them the offset of the first record that is not merged; None: it is not known, nothing is fetched."""
        self._next_look = 0.0
        self._is_member = False
        options: dict[str, Any] = {
            "bootstrap.servers": settings.kafka.servers,
            "group.id": group(store),
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",  # where records are gone, with the first that are left
            "session.timeout.ms": 10_000,  # of a killed worker
            "max.poll.interval.ms": 60_000,  # of one that does not reach the store
            "topic.metadata.refresh.interval.ms": 10_000,  # for new partitions
            "queued.max.messages.kbytes": 16_384,
            "log_level": 2,
            "error_cb": lambda _error: None,  # that brokers are away the sink tells
            **settings.kafka.client,
        }
        self._consumer = Consumer(options, logger=_log)

    def close(self) -> None:
        super().close()
        self._consumer.close()

    def _step(self) -> bool:
        if not self._is_member:
            self._join()
        if self._next is None and self._ours:
            self._place()
        messages = self._poll()
        if self._next and (messages or time.monotonic() >= self._next_look):
            if self._is_set_back(self._next):
                _log.warning("Live profiles were set back: they are made anew from the topic %s.", self._topic)
                self._place()
            elif messages:
                self._merge(messages, self._next)
            self._look(self._next)
        return not self._closing.is_set()

    def _fail(self) -> None:
        self._next = None

    def _join(self) -> None:
        """Join the group once the sink has made the topic: who joins before never hears of it."""
        with self._translated():
            if self._topic in self._consumer.list_topics(timeout=self._timeout).topics:
                self._consumer.subscribe([self._topic], on_assign=self._take, on_revoke=self._leave)
                self._is_member = True
            else:
                self._closing.wait(self._settings.kafka.probe_seconds)

    def _take(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        """Fetch nothing before the store has said from where; it may be down, and in here nobody could wait for it."""
        consumer.assign([])
        self._ours, self._next = [partition.partition for partition in partitions], None

    def _leave(self, _consumer: Consumer, _partitions: Sequence[TopicPartition]) -> None:
        self._ours, self._next = [], None
        self._metrics.behind.set(0)

    def _place(self) -> None:
        """Go on where the store stands; in a partition that it does not know, with the first record of the kept days."""
        known = self._store.merged_offsets()
        with self._translated():
            begun = self._first_kept([number for number in self._ours if self._name(number) not in known])
            self._store.merge({}, offsets=begun)
            known |= begun
            self._next = {name: known[name] for name in map(self._name, self._ours)}
            self._consumer.assign(
                [TopicPartition(self._topic, number, known[self._name(number)]) for number in self._ours]
            )

    def _first_kept(self, numbers: Sequence[int]) -> dict[str, int]:
        if not numbers:
            return {}
        # The ends before the search: where it finds nothing, all records up to there are too old, and later ones are not.
        ends = {number: self._end(number, timeout=self._timeout) for number in numbers}
        wanted = [TopicPartition(self._topic, number, self._oldest()) for number in numbers]
        begun: dict[str, int] = {}
        for start in self._consumer.offsets_for_times(wanted, self._timeout):
            if start.error:
                raise KafkaException(start.error)
            begun[self._name(start.partition)] = start.offset if start.offset >= 0 else ends[start.partition]
        return begun

    def _end(self, number: int, **how: Any) -> int:
        """The offset that the next record of a partition gets."""
        ends = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), **how)
        if ends is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the end of a partition was not told"))
        return int(ends[1])

    def _poll(self) -> list[Message]:
        """What is there, about TOGETHER records at most; waits for a first one alone."""
        with self._translated():
            first = self._consumer.poll(_POLL_SECONDS)
            messages = [first, *self._consumer.consume(TOGETHER - 1, 0)] if first else []
            for error in (message.error() for message in messages):
                # Not polled as long as the store was down, the client was shut out: it joins again by itself.
                if error and error.code() != KafkaError._MAX_POLL_EXCEEDED:
                    raise KafkaException(error)
        return [message for message in messages if not message.error()]

    def _is_set_back(self, merged: Mapping[str, int]) -> bool:
        """Whether the store lacks what we merged into it: it was emptied, or is of an earlier time."""
        known = self._store.merged_offsets()
        return any(known.get(name, -1) < offset for name, offset in merged.items())

    def _merge(self, messages: Sequence[Any], merged: dict[str, int]) -> None:
        """Merge messages; Any, since the client's types take a record for something that may have no offset."""
        events = [(message.value() or b"", received_at(message)) for message in messages]
        offsets = {self._name(message.partition()): message.offset() + 1 for message in messages}
        self._merge_events(events, offsets=offsets)
        merged |= offsets
        self._say_up()
        self._metrics.merged.inc(len(messages))
        now = time.time()
        for message in messages:
            self._metrics.seconds.observe(max(0.0, now - message.timestamp()[1] / 1000))

    def _look(self, merged: Mapping[str, int]) -> None:
        """Tell how far behind we are, as far as the last fetches knew."""
        ends = {self._name(number): self._end(number, cached=True) for number in self._ours}
        self._metrics.behind.set(sum(max(0, ends[name] - offset) for name, offset in merged.items()))
        self._next_look = time.monotonic() + SECOND

    def _name(self, number: int) -> str:
        """As bronze names a partition."""
        return f"{self._topic}-{number}"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise LakeError(
                f"Live profiles cannot follow the topic {self._topic}: {error.args[0].str()}. "
                "Mend the brokers, or allow the collector to read the topic, with groups named nextclick.live.*."
            ) from error


def group(store: Profiles) -> str:
    """The consumer group of all who merge into `store`."""
    return f"nextclick.live.{hashlib.sha256(store.place.encode()).hexdigest()[:16]}"

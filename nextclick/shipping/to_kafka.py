"""Segments of the outbox → records of Kafka's topics: what imports and replays publish where Kafka stands before bronze.

Each record says which line it is (header `line`). Before the first one of a segment is sent, a note beside the segment keeps where
the topic ended. Who was killed on the way reads the topic from there, and sends the lines that have not come: so each comes once.
"""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from nextclick.errors import LakeError
from nextclick.lake import files
from nextclick.landing import kafka_topics as topics
from nextclick.landing.reader import Segment, read_segment
from nextclick.settings import Settings

_LINE: Final = "line"
_AT_ONCE: Final = 1_000
_log: Final = logging.getLogger("nextclick.shipping")


class Note(msgspec.Struct, frozen=True):
    """What is being sent."""

    segment: str
    ends: dict[int, int]
    """Of each partition the offset that its next record had before."""


class _Whose(msgspec.Struct):
    visitor_id: str | None = None
    user_id: str | None = None


class TopicCarrier:
    """Sends segments of one log to one topic."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._complaints = topics.Complaints()
        self._options = topics.producer_options(settings, **{"linger.ms": 20, "error_cb": self._complaints.hear})
        self._producer = Producer(self._options, logger=_log)

    def send(self, segment: Segment) -> None:
        """Return once all its lines are in the topic, each once, and the segment is gone; LakeError if not."""
        note = segment.path.with_name(f".{segment.path.parent.name}.sending")
        with self._translated():
            begun = _read(note)
            if begun and begun.segment == segment.name:
                sent = self._came(begun)
            else:
                topics.reach(self._settings, self._producer, (self._topic,), _log)
                sent = set()
                files.write(str(note), msgspec.json.encode(Note(segment.name, self._ends())))
            self._send(segment, sent)
        segment.path.unlink()
        note.unlink()

    def _send(self, segment: Segment, sent: set[int]) -> None:
        failed: list[KafkaError] = []

        def report(error: KafkaError | None, _message: Message) -> None:
            if error:
                failed.append(error)

        for number, line in enumerate(read_segment(segment.path)):
            if number not in sent:
                headers = topics.headers(line.source or "damaged", line.received_at or round(segment.at * 1000))
                headers.append((_LINE, f"{segment.name}:{number}".encode()))
                produce = partial(self._producer.produce, self._topic, line.payload, _key(line.payload))
                _patiently(self._producer, partial(produce, headers=headers, on_delivery=report))
        left = self._producer.flush(self._settings.kafka.delivery_seconds + 1)
        if failed or left:
            raise KafkaException(
                failed[0] if failed else KafkaError(KafkaError._TIMED_OUT, f"{left} records were not confirmed")
            )

    def _came(self, note: Note) -> set[int]:
        """Lines of the segment that are in the topic."""
        came: set[int] = set()
        with self._reading() as consumer:
            ends = topics.ends(self._settings, consumer, self._topic)
            left = {number: end for number, end in ends.items() if note.ends.get(number, 0) < end}
            consumer.assign([TopicPartition(self._topic, number, note.ends.get(number, 0)) for number in left])
            while left:
                messages: list[Any] = consumer.consume(_AT_ONCE, self._settings.kafka.delivery_seconds)
                if not messages:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "the topic was not read to its end"))
                for message in messages:
                    if error := message.error():
                        raise KafkaException(error)
                    name, _, number = _line(message).partition(":")
                    if name == note.segment:
                        came.add(int(number))
                    if message.offset() + 1 >= left.get(message.partition(), 0):
                        left.pop(message.partition(), None)
        return came

    def _ends(self) -> dict[int, int]:
        with self._reading() as consumer:
            return topics.ends(self._settings, consumer, self._topic)

    def _reading(self) -> AbstractContextManager[Consumer]:
        return topics.reading(self._settings, "nextclick.ship", self._complaints.hear)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            self._producer.purge()  # what it still holds is looked for in the topic, and one that failed for good writes no more
            self._producer = Producer(self._options, logger=_log)
            raise LakeError(
                f"Kafka at {self._settings.kafka.servers} did not take what waits for {self._topic}: "
                f"{self._complaints.words(error.args[0])}. It stays in {self._settings.lake.outbox}; `nextclick ship` sends it."
            ) from error
        self._complaints.forget()


def _patiently(producer: Producer, produce: partial[None]) -> None:
    """Send, once there is room among what waits."""
    while True:
        producer.poll(0)
        try:
            produce()
        except BufferError:
            producer.poll(0.1)
        else:
            return


def _key(payload: bytes) -> str | None:
    """As the collector has it: the visitor, else the user; none of what is no event."""
    try:
        whose = msgspec.json.decode(payload, type=_Whose)
    except msgspec.MsgspecError:
        return None
    return whose.visitor_id or whose.user_id or None


def _line(message: Message) -> str:
    named: Any = dict(message.headers() or ()).get(_LINE)
    return named.decode("utf-8", "replace") if isinstance(named, bytes) else ""


def _read(note: Path) -> Note | None:
    try:
        return msgspec.json.decode(note.read_bytes(), type=Note)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise LakeError(
            f"{note} cannot be read: {error}. Remove it: the segment is then sent whole, and silver drops copies."
        ) from error

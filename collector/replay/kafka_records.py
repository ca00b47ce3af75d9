"""Records of a topic once more, by their offsets: what a replay needs of a reject and no table keeps."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from nextclick.errors import LakeError
from nextclick.landing.reader import SegmentLine
from nextclick.settings import Settings

_AT_ONCE: Final = 500


def read_records(settings: Settings, partition: str, offsets: Collection[int]) -> Iterator[SegmentLine]:
    """The records of `TOPIC-NUMBER` at `offsets`, as lines of a log. LakeError if one of them cannot be read."""
    topic, _, number = partition.rpartition("-")
    options: dict[str, Any] = {
        "bootstrap.servers": settings.kafka.servers,
        "group.id": "nextclick.replay",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "log_level": 2,
        **settings.kafka.client,
    }
    wanted = set(offsets)
    consumer = Consumer(options)
    try:
        consumer.assign([TopicPartition(topic, int(number), min(wanted))])
        while wanted:
            messages = consumer.consume(_AT_ONCE, settings.kafka.delivery_seconds)
            if not messages:
                raise LakeError(f"Kafka at {settings.kafka.servers} does not answer for {partition}. Try again later.")
            for message in messages:
                if error := message.error():
                    raise LakeError(f"{partition} cannot be read from offset {min(wanted)} on: {error.str()}.")
                if (offset := message.offset()) in wanted:
                    wanted.discard(offset)
                    yield SegmentLine(message.value() or b"", offset, received_at(message))
    except KafkaException as error:
        raise LakeError(f"{partition} cannot be read: {error.args[0].str()}.") from error
    finally:
        consumer.close()


def received_at(message: Message) -> int:
    """When the collector took a record (ms), as bronze reads it (spark_jobs.sources): of others the record's own time."""
    headers: Any = message.headers() or ()
    named = next((value for name, value in headers if name == "received_at"), None)
    try:
        return int(named or b"")
    except ValueError:
        return int(message.timestamp()[1])

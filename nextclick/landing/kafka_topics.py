"""What everybody who writes to Kafka's topics shares: the client's options, that the topics are there, and what went wrong, in words."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from nextclick.settings import Settings

_ADVICE: Final = {
    KafkaError._AUTHENTICATION: "The brokers refuse the credentials: look at sasl.mechanism, sasl.username, sasl.password in kafka.client",
    KafkaError._SSL: "TLS fails: look at security.protocol and at the CA of the brokers' certificate, ssl.ca.location in kafka.client",
}


def record_bytes(settings: Settings) -> int:
    """How large a record may be: JSON writes a byte of a request as six at most (\\u0000)."""
    return 8 * max(settings.collector.body_bytes, settings.landing.max_event_bytes)


def producer_options(settings: Settings, **own: Any) -> dict[str, Any]:
    """For a producer whose records count once all brokers in sync have them; `own` are its own, and `kafka.client` wins."""
    milliseconds = round(settings.kafka.delivery_seconds * 1000)
    return {
        "bootstrap.servers": settings.kafka.servers,
        "socket.timeout.ms": max(1000, milliseconds),
        "reconnect.backoff.max.ms": 500,
        "acks": "all",
        "enable.idempotence": True,
        "delivery.timeout.ms": milliseconds,
        "compression.type": "lz4",
        "partitioner": "murmur2_random",  # as the Java client's: other producers put a visitor where we do
        "message.max.bytes": record_bytes(settings),
        "log_level": 2,  # each attempt to connect would be two lines; what went wrong comes by error_cb
        **own,
        **settings.kafka.client,
    }


def headers(source: str, received_at: int) -> list[tuple[str, str | bytes | None]]:
    """Of a record: who sent it, and when it came, in milliseconds since 1970-01-01 UTC."""
    return [("source", source.encode()), ("received_at", b"%d" % received_at)]


def reach(settings: Settings, producer: Producer, topics: Sequence[str], log: logging.Logger) -> None:
    """Return if every partition of the topics has a leader, once they are there; KafkaException if not."""
    known = producer.list_topics(timeout=settings.kafka.delivery_seconds).topics
    for topic in topics:
        if topic not in known:
            _make(settings, topic, log)
        elif any(partition.leader < 0 for partition in known[topic].partitions.values()):
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE, f"{topic} has no leader"))


def _make(settings: Settings, topic: str, log: logging.Logger) -> None:
    """Records are kept until somebody says otherwise: a rebuild of bronze reads them."""
    kafka = settings.kafka
    described = NewTopic(
        topic,
        num_partitions=kafka.partitions,
        replication_factor=kafka.replication,
        config={
            "retention.ms": "-1",
            "min.insync.replicas": str(max(1, kafka.replication - 1)),
            "max.message.bytes": str(record_bytes(settings)),
        },
    )
    admin = AdminClient({"bootstrap.servers": kafka.servers, **kafka.client}, logger=log)
    try:
        admin.create_topics([described])[topic].result(kafka.delivery_seconds)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # by another process
            raise


@contextmanager
def reading(settings: Settings, group: str, hear: Callable[[KafkaError], None]) -> Iterator[Consumer]:
    """A consumer that commits nothing, and begins where it is told to; where records are gone, with the first that are left."""
    options: dict[str, Any] = {
        "bootstrap.servers": settings.kafka.servers,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "log_level": 2,
        "error_cb": hear,
        **settings.kafka.client,
    }
    consumer = Consumer(options)
    try:
        yield consumer
    finally:
        consumer.close()


def ends(settings: Settings, consumer: Consumer, topic: str) -> dict[int, int]:
    """Of each partition of a topic the offset that its next record gets; KafkaException where the brokers do not say."""
    wait = settings.kafka.delivery_seconds
    partitions = consumer.list_topics(topic, timeout=wait).topics[topic].partitions
    return {
        number: int(consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=wait)[1])
        for number in partitions
    }


def ends_of(settings: Settings, topic: str) -> dict[int, int] | None:
    """Where a topic ends, as `ends` says it; nothing of one that is not there, None where the brokers do not say."""
    try:
        with reading(settings, "nextclick.look", lambda _error: None) as consumer:
            return ends(settings, consumer, topic)
    except KafkaException:
        return None


class Complaints:
    """What a client said that went wrong (its `error_cb`), since it was well: the cause, rather than that then no broker is up."""

    def __init__(self) -> None:
        self._heard: KafkaError | None = None

    def hear(self, error: KafkaError) -> None:
        """Keep it, unless what is kept says more."""
        if self._heard is None or self._heard.code() not in _ADVICE or error.code() in _ADVICE:
            self._heard = error

    def forget(self) -> None:
        """The client is well."""
        self._heard = None

    def words(self, error: KafkaError) -> str:
        """What is wrong: what was heard, else `error`."""
        said = self._heard or error
        return f"{_ADVICE[said.code()]} ({said.str()})" if said.code() in _ADVICE else said.str()

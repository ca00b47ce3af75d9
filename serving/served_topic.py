"""What was served, in Kafka's topic of events, so that a machine that answers keeps no landing log."""

import logging
import threading
import time
from typing import Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from nextclick.contracts.events import SERVER
from nextclick.landing import kafka_topics as topics
from nextclick.settings import Settings
from nextclick.web.rates import UNKNOWN, RateLimiter
from serving.metrics import ServingMetrics

_POLL_SECONDS: Final = 0.1
_log: Final = logging.getLogger("_granian.serving")


class _Whose(msgspec.Struct):
    visitor_id: str | None = None
    user_id: str | None = None


_whose: Final = msgspec.json.Decoder(_Whose).decode


class TopicRecorder:
    """A producer, and the thread that hears what became of its records.

    Brokers that are away, a queue that is full, or a rate above records_per_second lose records and count them: the answers have gone out.
    """

    def __init__(self, settings: Settings, metrics: ServingMetrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._rate = RateLimiter(settings.serving.records_per_second)
        self._complaints = topics.Complaints()
        self._closing = threading.Event()
        self.is_up = True
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._producer: Producer | None = None

    def start(self) -> None:
        own = {
            "linger.ms": self._settings.serving.group_milliseconds,
            "queue.buffering.max.messages": self._settings.serving.record_queue,
            "error_cb": self._complaints.hear,
        }
        self._producer = Producer(topics.producer_options(self._settings, **own), logger=_log)
        self._thread.start()

    def put(self, record: bytes) -> bool:
        if (
            self._producer is None
            or len(record) > self._settings.landing.max_event_bytes
            or not self._rate.take(UNKNOWN)
        ):
            self._metrics.records_lost.inc()
            return False
        whose = _whose(record)
        headers = topics.headers(SERVER, time.time_ns() // 1_000_000)
        try:
            self._producer.produce(
                self._settings.kafka.events_topic, record, whose.visitor_id or whose.user_id,
                headers=headers, on_delivery=self._report,
            )  # fmt: skip
        except (BufferError, KafkaException):
            self._metrics.records_lost.inc()
            return False
        return True

    def close(self) -> None:
        if self._thread.is_alive():
            self._closing.set()
            self._thread.join()

    def _report(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.is_up = True
            self._metrics.recorded.inc()
            return
        self._metrics.records_lost.inc()
        if self.is_up:
            _log.warning("What was served is lost until Kafka takes it: %s.", self._complaints.words(error))
        self.is_up = False

    def _run(self) -> None:
        assert self._producer
        next_look, is_there = 0.0, False
        while not self._closing.is_set():
            self._producer.poll(_POLL_SECONDS)
            if not is_there and time.monotonic() >= next_look:
                is_there = self._is_topic_there(self._producer)
                next_look = time.monotonic() + self._settings.kafka.probe_seconds
        self._producer.flush(self._settings.kafka.delivery_seconds)

    def _is_topic_there(self, producer: Producer) -> bool:
        try:
            topics.reach(self._settings, producer, (self._settings.kafka.events_topic,), _log)
        except KafkaException:
            return False
        self._complaints.forget()
        return True

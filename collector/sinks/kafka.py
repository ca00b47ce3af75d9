"""Kafka as a sink: an event is durable once all brokers in sync have it (acks=all, idempotent producer)."""

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer

from collector.sinks import Lost, RequestBatch, SinkDown, unheard
from nextclick.landing import kafka_topics as topics
from nextclick.settings import Settings

_log: Final = logging.getLogger("_granian.collector")
_POLL_SECONDS: Final = 0.1
_QUEUE_KBYTES: Final = 262_144
"""What may wait in this process for the brokers; above it requests are answered 503 at once."""


class Delivery:
    """One batch on its way: its reports come on the producer's thread, and the last one wakes the request."""

    def __init__(self, records: int, lost: Lost) -> None:
        self._loop = asyncio.get_running_loop()
        self._lost = lost
        self._left = records
        self._error: KafkaError | None = None
        self.done: asyncio.Future[KafkaError | None] = self._loop.create_future()

    def report(self, error: KafkaError | None, _message: object) -> None:
        self._error = error or self._error
        self._count()

    def report_reject(self, error: KafkaError | None, _message: object) -> None:
        """A reject that is not confirmed fails no event."""
        if error:
            self._lost(1)
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if not self.done.done():  # else its client went away
            self.done.set_result(self._error)


class KafkaSink:
    """Sends events and rejects to a topic each, keyed by visitor; makes topics that are not there.

    A record that was not confirmed within delivery_seconds is given up and its request answered 503,
    as is every request after it until the brokers answer again. Such a record may be in the topic all
    the same: the client sends it again, and silver drops the copy.
    """

    def __init__(self, settings: Settings, lost: Lost = unheard) -> None:
        self._settings, self._kafka = settings, settings.kafka
        self._lost = lost
        self._complaints = topics.Complaints()
        linger = settings.collector.group_milliseconds
        own = {"linger.ms": linger, "queue.buffering.max.kbytes": _QUEUE_KBYTES, "error_cb": self._complaints.hear}
        self._options = topics.producer_options(settings, **own)
        self._producer = Producer(self._options, logger=_log)
        self._why_down = ""
        self._is_up = False
        self._looked = asyncio.Event()
        self._healing = asyncio.create_task(self._heal())
        self._closed = threading.Event()
        self._reports = threading.Thread(target=self._poll, name="kafka", daemon=True)
        self._reports.start()

    async def write(self, batch: RequestBatch) -> None:
        await self._looked.wait()
        if not self._is_up:
            raise SinkDown(self._why_down)
        delivery = Delivery(len(batch.events) + len(batch.rejects), self._lost)
        try:
            self._send(batch, delivery)
        except (BufferError, KafkaException) as error:
            raise SinkDown(f"The producer takes nothing more: {_words(error)}.") from error
        if failure := await delivery.done:
            if failure.code() in (KafkaError._MSG_TIMED_OUT, KafkaError._TRANSPORT):
                self._lose(failure)
            raise SinkDown(f"Kafka did not confirm: {failure.str()}.")

    async def probe(self) -> str:
        try:
            await asyncio.to_thread(self._reach)
        except KafkaException as error:
            self._lose(error.args[0])
            raise SinkDown(self._why_down) from error
        return ""

    async def close(self) -> None:
        self._healing.cancel()
        self._closed.set()
        await asyncio.to_thread(self._reports.join)

    def _send(self, batch: RequestBatch, delivery: Delivery) -> None:
        headers = topics.headers(batch.source, batch.received_at)
        produce, report = self._producer.produce, delivery.report
        for payload, visitor in zip(batch.events, batch.keys, strict=True):
            produce(self._kafka.events_topic, payload, visitor or None, headers=headers, on_delivery=report)
        for payload in batch.rejects:
            produce(self._kafka.rejects_topic, payload, headers=headers, on_delivery=delivery.report_reject)

    def _poll(self) -> None:
        """Take the producer's reports; the one thread that does, and that replaces it."""
        while not self._closed.is_set():
            try:
                self._producer.poll(_POLL_SECONDS)
            except KafkaException as error:  # fatal: this producer's sequence is lost, it never writes again
                _log.error("Kafka refused this producer: %s. Another one takes its place.", _words(error))
                lost, self._producer = self._producer, Producer(self._options, logger=_log)
                with suppress(KafkaException):
                    lost.purge()
                    lost.flush(0)
        self._producer.flush(self._kafka.delivery_seconds)

    def _lose(self, error: KafkaError) -> None:
        self._why_down = f"Kafka at {self._kafka.servers} is down: {self._complaints.words(error)}."
        if self._is_up:
            _log.warning("%s Requests are answered 503 until it is back.", self._why_down)
            self._is_up = False
            self._healing = asyncio.create_task(self._heal())

    async def _heal(self) -> None:
        """Look until the brokers can take records."""
        while not self._is_up:
            try:
                await asyncio.to_thread(self._reach)
            except KafkaException as error:
                self._lose(error.args[0])
                self._looked.set()
                await asyncio.sleep(self._kafka.probe_seconds)
            else:
                self._is_up = True
                self._complaints.forget()
                self._looked.set()
        _log.info("Kafka at %s takes events.", self._kafka.servers)

    def _reach(self) -> None:
        topics.reach(self._settings, self._producer, (self._kafka.events_topic, self._kafka.rejects_topic), _log)


def _words(error: BaseException) -> str:
    """What librdkafka says, without its codes."""
    said = error.args[0]
    return said.str() if isinstance(said, KafkaError) else str(said)

"""The Kafka sink against a producer that does what a test says; tests/servers/test_kafka.py has a real broker."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("confluent_kafka", reason="the Kafka client is not installed: `make extras` brings it")

from confluent_kafka import KafkaError, KafkaException

from collector.sinks import RequestBatch, SinkDown
from collector.sinks import kafka as module
from collector.sinks.kafka import KafkaSink
from nextclick.settings import load

SETTINGS = load(environ={"NEXTCLICK_KAFKA__DELIVERY_SECONDS": "0.5", "NEXTCLICK_KAFKA__PROBE_SECONDS": "0.01"})
TWO = RequestBatch("plain", 1_767_225_600_000, (b"a", b"b"), ("ann", ""), (b"no",))


class Producer:
    """Confirms each record at the next poll, with `answer`; `fatal` and `full` happen once."""

    instances: list["Producer"]
    answer: Callable[[bytes], KafkaError | None]
    fatal: bool
    full: bool
    reachable: bool

    def __init__(self, *_: Any, **__: Any) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self._waiting: list[Callable[[], None]] = []
        Producer.instances.append(self)

    def produce(self, topic: str, value: bytes, key: str | None = None, *, headers: Any, on_delivery: Any) -> None:
        if Producer.full and self.sent:
            raise BufferError("Local: Queue full")
        self.sent.append((topic, value, key, headers))
        self._waiting.append(lambda: on_delivery(Producer.answer(value), None))

    def poll(self, _seconds: float) -> None:
        if Producer.fatal:
            Producer.fatal = False
            raise KafkaException(KafkaError(KafkaError._FATAL, "sequence lost"))
        while self._waiting:
            self._waiting.pop(0)()

    flush = poll

    def purge(self) -> None:
        self._waiting.clear()

    def list_topics(self, timeout: float) -> Any:
        if not Producer.reachable:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT, "no broker"))
        led = SimpleNamespace(partitions={0: SimpleNamespace(leader=1)})
        return SimpleNamespace(topics={SETTINGS.kafka.events_topic: led, SETTINGS.kafka.rejects_topic: led})


@pytest.fixture(autouse=True)
def producer(monkeypatch: pytest.MonkeyPatch) -> type[Producer]:
    monkeypatch.setattr(module, "Producer", Producer)
    Producer.instances, Producer.fatal, Producer.full, Producer.reachable = [], False, False, True
    Producer.answer = lambda _value: None
    return Producer


def with_sink(use: Callable[[KafkaSink], Coroutine[Any, Any, None]]) -> None:
    async def within() -> None:
        sink = KafkaSink(SETTINGS)
        await use(sink)
        await sink.close()

    asyncio.run(asyncio.wait_for(within(), 30))


async def refused(sink: KafkaSink) -> str:
    with pytest.raises(SinkDown) as down:
        await sink.write(TWO)
    return str(down.value)


async def accepted_again(sink: KafkaSink) -> None:
    for _ in range(1000):
        try:
            return await sink.write(TWO)
        except SinkDown:
            await asyncio.sleep(0.01)
    raise AssertionError("it did not heal")


def test_records_carry_their_visitor_source_and_arrival(producer: type[Producer]) -> None:
    with_sink(lambda sink: sink.write(TWO))
    headers = [("source", b"plain"), ("received_at", b"1767225600000")]
    assert producer.instances[0].sent == [
        ("nextclick.events", b"a", "ann", headers),
        ("nextclick.events", b"b", None, headers),
        ("nextclick.rejects", b"no", None, headers),
    ]


def test_one_record_that_is_not_confirmed_refuses_its_request_alone(producer: type[Producer]) -> None:
    async def use(sink: KafkaSink) -> None:
        producer.answer = lambda value: (
            KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large") if value == b"a" else None
        )
        assert "did not confirm: too large" in await refused(sink)
        await sink.write(RequestBatch("plain", 1, (b"c",), ("ann",), ()))

    with_sink(use)


def test_a_reject_that_is_not_confirmed_fails_no_event(producer: type[Producer]) -> None:
    lost: list[int] = []

    async def within() -> None:
        sink = KafkaSink(SETTINGS, lost.append)
        producer.answer = lambda value: (
            KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large") if value == b"no" else None
        )
        await sink.write(TWO)
        await sink.close()

    asyncio.run(asyncio.wait_for(within(), 30))
    assert lost == [1]


def test_a_time_out_refuses_everything_at_once_until_the_brokers_answer(producer: type[Producer]) -> None:
    async def use(sink: KafkaSink) -> None:
        await sink.write(TWO)
        producer.answer, producer.reachable = lambda _: KafkaError(KafkaError._MSG_TIMED_OUT, "timed out"), False
        assert "did not confirm" in await refused(sink)
        sent = len(producer.instances[0].sent)
        assert "is down" in await refused(sink)
        with pytest.raises(SinkDown, match="is down"):
            await sink.probe()
        assert len(producer.instances[0].sent) == sent
        producer.answer, producer.reachable = lambda _: None, True
        await accepted_again(sink)
        await sink.probe()

    with_sink(use)


def test_brokers_that_were_not_there_at_the_start_are_found_later(producer: type[Producer]) -> None:
    producer.reachable = False

    async def use(sink: KafkaSink) -> None:
        assert "no broker" in await refused(sink)
        producer.reachable = True
        await accepted_again(sink)

    with_sink(use)


def test_a_full_queue_refuses_the_request_whole(producer: type[Producer]) -> None:
    async def use(sink: KafkaSink) -> None:
        producer.full = True
        assert "Queue full" in await refused(sink)

    with_sink(use)


def test_a_producer_that_failed_for_good_is_replaced(producer: type[Producer]) -> None:
    async def use(sink: KafkaSink) -> None:
        await sink.write(TWO)
        producer.fatal = True
        while len(producer.instances) < 2:
            await asyncio.sleep(0.01)
        await accepted_again(sink)
        assert len(producer.instances[1].sent) == 3

    with_sink(use)

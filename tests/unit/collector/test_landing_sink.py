"""The landing sink tells whoever follows it what became durable, before anybody else can publish past it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from collector.sinks import RequestBatch, SinkDown
from collector.sinks.landing import LandingSink
from nextclick.errors import LakeError
from nextclick.landing.reader import segments
from nextclick.settings import Settings, load

Calls = list[tuple[list[RequestBatch] | None, list[str]]]


def batch(*events: bytes) -> RequestBatch:
    return RequestBatch("plain", 1_767_225_600_000, events, (), ())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    quick = {"NEXTCLICK_COLLECTOR__PUBLISH_SECONDS": "60", "NEXTCLICK_LANDING__SEGMENT_BYTES": "1024"}
    settings = load(tmp_path / "lake", environ=quick)
    settings.lake.prepare()
    return settings


def with_sink(settings: Settings, use: Callable[[LandingSink], Coroutine[Any, Any, None]]) -> Calls:
    calls: Calls = []

    def durable(batches: Sequence[RequestBatch] | None, published: Sequence[str]) -> None:
        calls.append((None if batches is None else list(batches), list(published)))

    async def within() -> None:
        sink = LandingSink(settings, durable=durable)
        await use(sink)
        await sink.close()

    asyncio.run(asyncio.wait_for(within(), 30))
    return calls


def test_a_batch_is_told_once_it_is_durable_and_its_segment_once_it_is_published(settings: Settings) -> None:
    calls = with_sink(settings, lambda sink: sink.write(batch(b"{}")))
    [segment] = segments(settings.lake.landing)
    assert calls == [([batch(b"{}")], []), ([], [segment.path.name])]


def test_a_batch_that_fills_a_segment_is_told_together_with_it(settings: Settings) -> None:
    large = batch(*[b'"' + b"x" * 500 + b'"'] * 3)
    calls = with_sink(settings, lambda sink: sink.write(large))
    names = [segment.path.name for segment in segments(settings.lake.landing)]
    assert calls == [([large], names[:-1]), ([], names[-1:])]
    assert len(names) > 1


def fails() -> None:
    raise LakeError("The disk is full.")


def test_after_a_write_that_failed_nobody_is_told_what_is_durable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def use(sink: LandingSink) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sink._landing, "sync", fails)
            with pytest.raises(SinkDown):
                await sink.write(batch(b'"may be durable"'))
        await sink.write(batch(b"{}"))

    calls = with_sink(settings, use)
    assert calls[:2] == [(None, []), ([batch(b"{}")], [])]


def test_a_quarantine_that_cannot_be_written_fails_no_event_beside_it_and_shows(tmp_path: Path) -> None:
    little = {"NEXTCLICK_LANDING__MAX_TOTAL_BYTES": "2000", "NEXTCLICK_LANDING__SEGMENT_BYTES": "1024"}
    settings = load(tmp_path / "lake", environ=little)
    settings.lake.prepare()
    lost: list[int] = []
    full = RequestBatch("plain", 1_767_225_600_000, (), (), (b'"' + b"x" * 2500 + b'"', b"{}"))

    async def within() -> None:
        sink = LandingSink(settings, lost=lost.append)
        assert await sink.probe() == ""
        await asyncio.gather(sink.write(full), sink.write(batch(b"{}")))
        assert lost == [2]
        assert "max_total_bytes" in await sink.probe()
        await sink.write(RequestBatch("plain", 1_767_225_600_000, (), (), (b"{}",)))
        assert (lost, await sink.probe()) == ([2], "")
        await sink.close()

    asyncio.run(asyncio.wait_for(within(), 30))
    assert [segment.lines for segment in segments(settings.lake.landing)] == [1]

"""The landing log as a sink: one fsync for all requests that wait (group commit)."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from collector.sinks import Durable, Lost, RequestBatch, SinkDown, unheard, untold
from nextclick.errors import LakeError
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings


class LandingSink:
    """Writes events to the landing log and rejects to the quarantine log, each with a segment of its own.

    Requests queue; one thread takes the whole queue, appends it, fsyncs once and wakes them. While
    it is at the disk the next group gathers, so under load the disk itself sets the group's size.
    Rejects that cannot be written are lost, and told: they fail no event of their group.
    """

    def __init__(
        self,
        settings: Settings,
        observe_group: Callable[[int], None] = lambda _: None,
        durable: Durable = untold,
        lost: Lost = unheard,
    ) -> None:
        self._published: list[str] = []
        self._landing = SegmentWriter(settings.lake.landing, settings.landing, self._published.append)
        self._quarantine = SegmentWriter(settings.lake.quarantine, settings.landing)
        self._gather = settings.collector.group_milliseconds / 1000
        self._roll_seconds = settings.collector.publish_seconds
        self._observe_group = observe_group
        self._durable = durable
        self._lost = lost
        self._why_lost = ""
        """Why rejects were last not written; empty since they were."""
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="landing")
        self._waiting: list[tuple[RequestBatch, asyncio.Future[None]]] = []
        self._work = asyncio.Event()
        self._opened_at: float | None = None
        """When the oldest record that is not published yet was written."""
        self._task = asyncio.create_task(self._run())

    async def write(self, batch: RequestBatch) -> None:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, done))
        self._work.set()
        await done

    async def probe(self) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._disk, self._try_disk)

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._commit()
        await self._roll()
        self._disk.shutdown()

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), self._until_publishing())
            self._work.clear()
            if self._waiting:
                await asyncio.sleep(self._gather)
                await asyncio.shield(self._commit())
            if self._opened_at is not None and time.monotonic() - self._opened_at >= self._roll_seconds:
                with suppress(SinkDown):  # the next round tries again
                    await self._roll()

    def _until_publishing(self) -> float | None:
        if self._opened_at is None:
            return None
        return max(0.05, self._opened_at + self._roll_seconds - time.monotonic())

    async def _commit(self) -> None:
        """Make all that waits durable, and tell each who waits what became of it."""
        group, self._waiting = self._waiting, []
        if not group:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._disk, self._append, [batch for batch, _ in group])
        except Exception as error:  # whatever it is, nobody may wait for ever
            failure: Exception | None = error
            self._tell(None)
        else:
            failure = None
            self._observe_group(len(group))
            self._tell([batch for batch, _ in group])
            self._opened_at = self._opened_at or time.monotonic()
        for _, done in group:
            if not done.done():
                done.set_exception(SinkDown(str(failure))) if failure else done.set_result(None)

    async def _roll(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._disk, self._publish)
        self._tell(())

    def _tell(self, batches: Sequence[RequestBatch] | None) -> None:
        published = self._published.copy()  # the disk's thread is idle
        self._published.clear()
        self._durable(batches, published)

    def _append(self, group: list[RequestBatch]) -> None:
        try:
            self._landing.extend_all((batch.events, batch.source, batch.received_at) for batch in group)
            self._landing.sync()
        except LakeError as error:
            raise SinkDown(str(error)) from error
        if rejects := sum(len(batch.rejects) for batch in group):
            self._set_aside(group, rejects)

    def _set_aside(self, group: list[RequestBatch], rejects: int) -> None:
        try:
            self._quarantine.extend_all((batch.rejects, batch.source, batch.received_at) for batch in group)
            self._quarantine.sync()
            self._why_lost = ""
        except LakeError as error:
            self._why_lost = str(error)
            self._lost(rejects)

    def _publish(self) -> None:
        try:
            self._landing.roll()
        except LakeError as error:
            raise SinkDown(str(error)) from error
        self._opened_at = None
        try:
            self._quarantine.roll()
        except LakeError as error:  # the rejects lie in the hidden folder; the next roll publishes them
            self._why_lost = str(error)

    def _try_disk(self) -> str:
        try:
            self._landing.probe()
        except LakeError as error:
            raise SinkDown(str(error)) from error
        try:
            self._quarantine.probe()
        except LakeError as error:
            return str(error)
        return self._why_lost

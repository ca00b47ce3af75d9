"""Whose turn it is to decide and to send.

On a disk the outbox is a file of one machine, and all workers of that machine share it. A lake in an object store has workers on any
machines: one has its turn, as long as it holds a lease (nextclick/object_store/lease.py), and the others stand by. There the outbox lies
in the store. It is fetched when a turn begins and put back, on condition that it is what this worker last saw: when something was decided
and before it is sent, every few seconds while it is sent, and at the end. A worker that slept longer than its lease is refused there,
so nothing is sent of what it decided alone. What was sent since the outbox was last put back is sent again by the next worker, with the
same ids.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from time import monotonic
from typing import Final
from uuid import uuid4

import msgspec

from nextclick.errors import LakeError
from nextclick.lake import files, locks
from nextclick.lake.paths import Lake
from nextclick.object_store import bucket
from triggers.outbox.outbox import Outbox, owner_address
from triggers.outbox.schema import OutboxContent

LOCK: Final = "triggers"
_EVERY_SECONDS: Final = 5.0
"""While webhooks are sent."""


class ReplayRequest(msgspec.Struct, frozen=True):
    """What whoever has the turn is requested: to send dead letters again, as Outbox.replay does."""

    ids: list[str]
    now: int
    until: int


class WorkerTurn:
    """The turns of one worker."""

    def __init__(self, lake: Lake, outbox: Outbox) -> None:
        self._lake, self._outbox = lake, outbox
        self._stored = _StoredOutbox(lake, outbox) if lake.address else None

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """TableBusy while another machine has its turn; LakeError where it was lost."""
        with ExitStack() as held:
            if self._stored:
                lease = locks.hold(self._lake.locks, LOCK, purpose="nextclick triggers")
                await asyncio.to_thread(held.enter_context, lease)
                await asyncio.to_thread(self._stored.fetch)
            yield

    async def keep(self, at_once: bool = True) -> None:
        """Put the outbox where the next turn finds it, where it changed; not `at_once`: where that was some seconds ago.

        LakeError where another took over: nothing may be sent any more.
        """
        if self._stored and (at_once or monotonic() > self._stored.put_at + _EVERY_SECONDS):
            await asyncio.to_thread(self._stored.put)

    async def take_requests(self) -> None:
        """Do what was requested meanwhile; a request is removed once it cannot be lost."""
        if self._stored is None:
            return
        folder = _requests(self._lake)
        addresses = [f"{folder}/{name}" for name in files.names(folder)]
        for content in map(files.read, addresses):
            if content is not None:
                request = msgspec.json.decode(content, type=ReplayRequest)
                self._outbox.replay(request.ids, request.now, request.until)
        await self.keep()
        for address in addresses:
            files.remove(address)


class _StoredOutbox:
    """The outbox in the store, and that of this machine which is made of it."""

    def __init__(self, lake: Lake, outbox: Outbox) -> None:
        self._lake, self._outbox = lake, outbox
        self._seen = str(lake.state / "triggers.etag")
        """The etag of what this machine's outbox was last the same as: if it is still there, this one is newer."""
        self._etag: str | None = None
        self._changes: int | None = None
        self.put_at = 0.0

    def fetch(self) -> None:
        """Make this machine's what the store has; the first one brings its own."""
        there = bucket.get(_address(self._lake))
        self._etag, self._changes = there.etag if there else None, None
        if there is None:
            self._outbox.refuse_another(self._lake, files.read(owner_address(self._lake)))
        elif (files.read(self._seen) or b"").decode() != there.etag:
            self._outbox.restore(_decoded(there.content))
            self._same_as(there.etag)
        self.put()

    def put(self) -> None:
        if self._outbox.changes != self._changes:
            content = zlib.compress(msgspec.msgpack.encode(self._outbox.content()), 1)
            self._same_as(self._put(content))

    def _put(self, content: bytes) -> str:
        address = _address(self._lake)
        try:
            return bucket.put_instead(address, content, self._etag) if self._etag else bucket.put_new(address, content)
        except bucket.ConditionFailed:
            there = bucket.get(address)
            if there and there.content == content:  # only the reply was lost
                return there.etag
            raise LakeError(
                f"Another worker sends the triggers of {self._lake.data} since this one last looked, so this one stops. Nothing is lost: "
                "it stands by, and takes its turn when that one ends."
            ) from None

    def _same_as(self, etag: str) -> None:
        self._etag, self._changes, self.put_at = etag, self._outbox.changes, monotonic()
        files.write(self._seen, etag.encode())


def looked_at(lake: Lake) -> Outbox | None:
    """The outbox for who only looks, as it was last put; None where there is none."""
    if not lake.address:
        return Outbox.existing(lake)
    there = bucket.get(_address(lake))
    if there is None:
        return None
    outbox = Outbox.in_memory()
    outbox.restore(_decoded(there.content))
    return outbox


def replay(lake: Lake, outbox: Outbox, ids: Sequence[str], now: int, until: int) -> int:
    """Have dead letters of an outbox that is `looked_at` sent again, until then; how many there are."""
    if not lake.address:
        return outbox.replay(ids, now, until)
    if ids:
        files.write(f"{_requests(lake)}/{uuid4().hex}.json", msgspec.json.encode(ReplayRequest([*ids], now, until)))
    return len(ids)


def _decoded(content: bytes) -> OutboxContent:
    return msgspec.msgpack.decode(zlib.decompress(content), type=OutboxContent)


def _address(lake: Lake) -> str:
    return f"{lake.shared}/triggers/outbox"


def _requests(lake: Lake) -> str:
    return f"{lake.shared}/triggers/replays"

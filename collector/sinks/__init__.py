"""Where accepted events become durable: the landing log (embedded) or Kafka."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec


class RequestBatch(msgspec.Struct, frozen=True, gc=False):
    """What one request brings: it becomes durable as a whole before the request is answered.

    Live profiles keep tens of thousands waiting; of tuples and such a struct Python's cyclic collector knows nothing,
    which would otherwise stop every request for as long as it looks through them.
    """

    source: str
    received_at: int
    events: tuple[bytes, ...]
    """Encoded events."""
    keys: tuple[str, ...]
    """Of each event its visitor: what Kafka partitions by."""
    rejects: tuple[bytes, ...]
    """Encoded rejects."""
    reasons: tuple[str, ...] = ()
    """Of each reject its reason: what is counted."""
    identities: tuple[int, ...] = ()
    """Of each event a hash of its identity."""
    unread: tuple[str, ...] = ()
    """Fields whose values could not be read: what is counted."""


Durable = Callable[[Sequence[RequestBatch] | None, Sequence[str]], None]
"""Told by a sink of batches that became durable (None: of some it is not known), and of segments published since; returns at once."""


def untold(batches: Sequence[RequestBatch] | None, published: Sequence[str]) -> None:
    """Nobody wants to know."""


Lost = Callable[[int], None]
"""Told how many rejects could not be written, though the events beside them were."""


def unheard(count: int) -> None:
    """Nobody counts."""


class SinkDown(Exception):
    """Nothing can be made durable now; the message says why. Clients are told to try again."""


class Sink(Protocol):
    """Makes batches durable; one event loop's."""

    async def write(self, batch: RequestBatch) -> None:
        """Return once `batch` is durable; SinkDown if its events are not. A reject that cannot be written fails nothing."""

    async def probe(self) -> str:
        """Return if a write of events would be durable now; SinkDown if not. What keeps rejects from being written, else ""."""

    async def close(self) -> None:
        """Make everything that waits durable and publish it."""

"""The live path: what became durable is merged into live profiles, on a thread that nobody waits for.

    sink ──durable(batches, published)──► bounded queue ──► thread ──► profiles
    landing log ──segments not marked as merged──────────────┘

A segment of the landing log is marked once all its events are merged. Whatever the thread
did not take (the queue was full, the store was down, the process was killed, an import
wrote it) lies in a segment without a mark, and is merged from there. Merging twice
changes nothing, so a mark may only ever be missing.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from collector.http.metrics import LiveMetrics
from collector.live import unmerged_segments
from collector.live.follower import PIECE, SECOND, TOGETHER, ProfileUpdater
from collector.sinks import RequestBatch
from nextclick.errors import TableBusy
from nextclick.kv.profiles.protocol import Profiles
from nextclick.lake import locks
from nextclick.landing.reader import read_segment
from nextclick.profile import features_check
from nextclick.settings import Settings

LOCK: Final = "live.catch-up"
_SWEPT: Final = 1_000
"""Profiles that are looked at for their age each second."""
_GRACE_SECONDS: Final = 10.0
"""How long a published segment is left to the worker that wrote it."""

_DONE: Final = object()


class _Group:
    """What one fsync made durable; `batches` is None where some of it is not here: the log alone has it."""

    __slots__ = ("batches", "bytes", "events", "published", "since")

    def __init__(self, batches: Sequence[RequestBatch] | None, published: Sequence[str]) -> None:
        self.batches = batches
        self.events = sum(len(batch.events) for batch in batches or ())
        self.bytes = sum(sum(map(len, batch.events)) + sum(map(len, batch.rejects)) for batch in batches or ())
        self.published = list(published)
        self.since = time.monotonic()


class LandingFollower(ProfileUpdater):
    """Keeps live profiles up to date with what one worker makes durable, and with the landing log."""

    def __init__(self, settings: Settings, store: Profiles, metrics: LiveMetrics) -> None:
        super().__init__(settings, store, metrics, "the landing log")
        self._most, self._most_bytes = settings.live.queue_events, settings.live.queue_bytes
        self._queue: deque[_Group] = deque()
        self._waiting = self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._is_open_whole = True
        """All events of the segment that is being written were merged so far."""
        self._replay: Iterator[None] | None = None
        self._next_look = self._next_sweep = 0.0

    def durable(self, batches: Sequence[RequestBatch] | None, published: Sequence[str] = ()) -> None:
        """Take what became durable (collector.sinks.Durable); never waits: what does not fit is left to the log."""
        group = _Group(batches, published)
        if batches is not None and not (group.events or published):
            return
        with self._changed:
            is_over = self._waiting + group.events > self._most or self._waiting_bytes + group.bytes > self._most_bytes
            if batches is not None and is_over:
                self._metrics.postponed.inc(group.events)
                group = _Group(None, published)
            if group.batches is None and self._queue and self._queue[-1].batches is None:
                self._queue[-1].published += published
            else:
                self._queue.append(group)
                self._waiting += group.events
                self._waiting_bytes += group.bytes
            self._changed.notify()

    def close(self) -> None:
        """Merge what waits, then end; a catch-up that is under way is left to the next start."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
        super().close()
        self._replay = None  # and with it the lock

    def _step(self) -> bool:
        groups = self._next_groups()
        if groups:
            self._merge(groups)
        elif self._closing.is_set():
            return False
        if not self._closing.is_set():
            self._chores()
        self._say_up()
        return True

    def _fail(self) -> None:
        self._is_open_whole = False
        self._replay = None

    def _next_groups(self) -> list[_Group]:
        """The next groups, about TOGETHER events; none if nothing came, or it is time for something else."""
        with self._changed:
            if not (self._queue or self._closing.is_set() or self._replay):
                self._changed.wait(SECOND)
            groups: list[_Group] = []
            events = 0
            while self._queue and events < TOGETHER:
                groups.append(self._queue.popleft())
                events += groups[-1].events
                self._waiting_bytes -= groups[-1].bytes
            self._waiting -= events
            self._metrics.waiting.set(self._waiting)
        return groups

    def _merge(self, groups: Sequence[_Group]) -> None:
        merged: list[str] = []
        is_whole = self._is_open_whole
        for group in groups:
            is_whole = is_whole and group.batches is not None
            if group.published:
                # A group may begin in one segment and end in another; the last one goes on being written.
                merged += group.published if is_whole else ()
                is_whole = group.batches is not None
        batches = (batch for group in groups for batch in group.batches or ())
        self._merge_events(((payload, batch.received_at) for batch in batches for payload in batch.events), merged)
        self._is_open_whole = is_whole
        now = time.monotonic()
        for group in groups:
            if group.events:
                self._metrics.merged.inc(group.events)
                self._metrics.seconds.observe(now - group.since)

    def _chores(self) -> None:
        """One step of whatever is due besides: catching up, and removing what is too old."""
        now = time.monotonic()
        if self._replay is None and now >= self._next_look:
            pause = self._settings.live.catch_up_seconds
            self._replay = self._catch_up(min(_GRACE_SECONDS, pause) if self._next_look else 0.0)
            self._next_look = now + pause
            if checked := features_check.read(self._settings.lake):
                self._metrics.differing.set(checked.share)
        if self._replay is not None and next(self._replay, _DONE) is _DONE:
            self._replay = None
        if now >= self._next_sweep:
            self._metrics.expired.inc(self._store.expire(self._oldest(), _SWEPT))
            self._next_sweep = now + SECOND

    def _catch_up(self, grace: float) -> Iterator[None]:
        """Merge the segments that are not marked, a piece at each step; one worker at a time does."""
        lake = self._settings.lake
        try:
            with locks.hold(lake.own_locks, LOCK, purpose="catching up live profiles"):
                upto, marked = self._store.merged_segments()
                unmerged = unmerged_segments.look(lake.landing, upto, marked, self._oldest(), grace)
                for name in unmerged.names:
                    yield from self._replay_segment(name)
                if unmerged.settled > upto:
                    self._store.settle_segments(unmerged.settled)
        except TableBusy:
            return

    def _replay_segment(self, name: str) -> Iterator[None]:
        lines = iter(read_segment(self._settings.lake.landing / name))
        while piece := list(islice(lines, PIECE)):
            self._merge_events((line.payload, line.received_at) for line in piece if line.received_at is not None)
            self._metrics.replayed.inc(len(piece))
            yield
        self._store.merge({}, [name])

"""The live path: what became durable is merged into live profiles, on a thread that nobody waits for.

    sink ──durable(batches, published)──► bounded queue ──► thread ──► profiles
    landing log ──segments not marked as merged──────────────┘

A segment of the landing log is marked once all its events are merged. Whatever the thread
did not take (the queue was full, the store was down, the process was killed, an import
wrote it) lies in a segment without a mark, and is merged from there. Merging twice
changes nothing, so a mark may only ever be missing.
"""

import asyncio
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from collector import unmerged
from collector.metrics import LiveMetrics
from collector.sinks import Batch, Sink
from nextclick import features_check, locks
from nextclick.errors import NextclickError, TableBusy
from nextclick.kv.profiles import Profiles
from nextclick.landing import read_segment
from nextclick.live_arrivals import Arrivals
from nextclick.profile import Deed
from nextclick.settings import Settings

LOCK: Final = "live.catch-up"
_TOGETHER: Final = 1_000
"""Events that are merged in one transaction: bounds how long a fresh one waits behind others."""
_PIECE: Final = 50
"""Profiles that are merged between two pauses, and lines of the log between two looks at the queue: a request waits for them at most."""
_SWEPT: Final = 1_000
"""Profiles that are looked at for their age each second."""
_SECOND: Final = 1.0
_GRACE_SECONDS: Final = 10.0
"""How long a published segment is left to the worker that wrote it."""
_TURN_SECONDS: Final = 0.0005
_DEFERENCE: Final = 10.0
"""Seconds that the thread rests after a second's work while requests keep a whole core busy."""
_DAY_MS: Final = 86_400_000

_DONE: Final = object()

_log: Final = logging.getLogger("_granian.collector")


class _Group:
    """What one fsync made durable; `batches` is None where some of it is not here: the log alone has it."""

    __slots__ = ("batches", "events", "published", "since")

    def __init__(self, batches: Sequence[Batch] | None, events: int, published: Sequence[str]) -> None:
        self.batches = batches
        self.events = events
        self.published = list(published)
        self.since = time.monotonic()


class Rest:
    """How long the thread that asks should leave interpreter and cores to the others of its process, which answer requests."""

    def __init__(self) -> None:
        self._asked, self._own, self._all = time.monotonic(), time.thread_time(), time.process_time()

    def due(self) -> float:
        """Seconds: what this thread worked since it last asked, times _DEFERENCE, times the part of a core that the others used."""
        asked, own, everything = time.monotonic(), time.thread_time(), time.process_time()
        worked = own - self._own
        others = (everything - self._all - worked) / max(asked - self._asked, 1e-9)
        self._asked, self._own, self._all = asked, own, everything
        return worked * _DEFERENCE * min(1.0, max(0.0, others))


class Live:
    """Keeps live profiles up to date with what one worker makes durable, and with the landing log."""

    def __init__(self, settings: Settings, store: Profiles, metrics: LiveMetrics) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._arrivals = Arrivals(settings)
        self._most = settings.live.queue_events
        self._keep_ms = settings.live.keep_days * _DAY_MS
        self._queue: deque[_Group] = deque()
        self._waiting = 0
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._is_open_whole = True
        """All events of the segment that is being written were merged so far."""
        self._replay: Iterator[None] | None = None
        self._next_look = self._next_sweep = 0.0
        self._is_up = True
        self._rest: Rest
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        """Begin, with what the log has: after the sink has published what killed ones left there."""
        # Without it the thread may keep the interpreter from the event loop for 5 ms at a time, and a request needs it often.
        sys.setswitchinterval(_TURN_SECONDS)
        self._thread.start()

    def durable(self, batches: Sequence[Batch] | None, published: Sequence[str] = ()) -> None:
        """Take what became durable (collector.sinks.Durable); never waits: what does not fit is left to the log."""
        events = sum(len(batch.events) for batch in batches or ())
        if batches is not None and not (events or published):
            return
        with self._changed:
            if batches is not None and self._waiting + events > self._most:
                self._metrics.postponed.inc(events)
                batches, events = None, 0
            if batches is None and self._queue and self._queue[-1].batches is None:
                self._queue[-1].published += published
            else:
                self._queue.append(_Group(batches, events, published))
                self._waiting += events
            self._changed.notify()

    def close(self) -> None:
        """Merge what waits, then end; a catch-up that is under way is left to the next start."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
        self._thread.join()
        self._replay = None  # and with it the lock

    def _run(self) -> None:
        self._rest = Rest()
        while True:
            groups = self._next_groups()
            try:
                if groups:
                    self._merge(groups)
                elif self._closing.is_set():
                    return
                if not self._closing.is_set():
                    self._chores()
                self._say_up(None)
                self._pause()
            except NextclickError as error:
                self._is_open_whole = False
                self._replay = None
                self._say_up(error)
            except Exception:
                _log.exception("Live profiles: a mistake of ours. The events are taken from the landing log later.")
                self._is_open_whole = False

    def _next_groups(self) -> list[_Group]:
        """The next groups, about _TOGETHER events; none if nothing came, or it is time for something else."""
        with self._changed:
            if not (self._queue or self._closing.is_set() or self._replay):
                self._changed.wait(_SECOND)
            groups: list[_Group] = []
            events = 0
            while self._queue and events < _TOGETHER:
                groups.append(self._queue.popleft())
                events += groups[-1].events
            self._waiting -= events
            self._metrics.waiting.set(self._waiting)
        return groups

    def _merge(self, groups: Sequence[_Group]) -> None:
        updates: dict[bytes, list[Deed]] = {}
        merged: list[str] = []
        oldest = self._oldest()
        is_whole = self._is_open_whole
        for group in groups:
            is_whole = is_whole and group.batches is not None
            for batch in group.batches or ():
                for payload in batch.events:
                    self._add(updates, payload, batch.received_at, oldest)
                    if len(updates) >= _PIECE:
                        self._store.merge(updates)
                        updates.clear()
                        self._pause()
            if group.published:
                # A group may begin in one segment and end in another; the last one goes on being written.
                merged += group.published if is_whole else ()
                is_whole = group.batches is not None
        self._store.merge(updates, merged)
        self._is_open_whole = is_whole
        now = time.monotonic()
        for group in groups:
            if group.events:
                self._metrics.merged.inc(group.events)
                self._metrics.seconds.observe(now - group.since)

    def _pause(self) -> None:
        self._closing.wait(self._rest.due())

    def _add(self, updates: dict[bytes, list[Deed]], payload: bytes, received_at: int, oldest: int) -> None:
        arrival = self._arrivals.read(payload, received_at)
        if arrival and arrival.deed.at >= oldest:
            for key in arrival.keys:
                updates.setdefault(key, []).append(arrival.deed)

    def _oldest(self) -> int:
        return time.time_ns() // 1_000_000 - self._keep_ms

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
            self._next_sweep = now + _SECOND

    def _catch_up(self, grace: float) -> Iterator[None]:
        """Merge the segments that are not marked, a piece at each step; one worker at a time does."""
        lake = self._settings.lake
        try:
            with locks.hold(lake.locks, LOCK, purpose="catching up live profiles"):
                upto, marked = self._store.merged_segments()
                found = unmerged.look(lake.landing, upto, marked, self._oldest(), grace)
                for name in found.names:
                    yield from self._replay_segment(name)
                if found.settled > upto:
                    self._store.settle_segments(found.settled)
        except TableBusy:
            return

    def _replay_segment(self, name: str) -> Iterator[None]:
        updates: dict[bytes, list[Deed]] = {}
        oldest = self._oldest()
        lines = 0
        for line in read_segment(self._settings.lake.landing / name):
            if line.received_at is not None:
                self._add(updates, line.payload, line.received_at, oldest)
            lines += 1
            if lines % _PIECE == 0:
                self._store.merge(updates)
                updates = {}
                yield
        self._store.merge(updates, [name])
        self._metrics.replayed.inc(lines)
        yield

    def _say_up(self, error: NextclickError | None) -> None:
        """Count failures, and log the first of a row of them."""
        if error is not None:
            self._metrics.failures.inc()
            if self._is_up:
                _log.warning("%s Until then events wait in the landing log.", error)
            with self._changed:
                if not self._closing.is_set():
                    self._changed.wait(_SECOND)
        elif not self._is_up:
            _log.info("Live profiles are up again.")
        self._is_up = error is None


class Followed:
    """A sink whose live path ends after it has told of everything."""

    def __init__(self, sink: Sink, live: Live) -> None:
        self._live = live
        self._sink = sink
        live.start()
        self.write = sink.write
        self.probe = sink.probe

    async def close(self) -> None:
        await self._sink.close()
        await asyncio.to_thread(self._live.close)

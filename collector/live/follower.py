"""What keeps live profiles up to date: a thread that nobody waits for, of which the landing log has one kind and Kafka another."""

import asyncio
import logging
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from collector.http.metrics import LiveMetrics
from collector.live.audience_watch import AudienceWatch
from collector.sinks import Sink
from nextclick.errors import NextclickError
from nextclick.kv.profiles.protocol import NONE_MERGED, Profiles
from nextclick.profile.live_arrivals import Arrivals
from nextclick.profile.profile import Action
from nextclick.settings import Settings

TOGETHER: Final = 1_000
"""Events that are merged in a row: bounds how long a fresh one waits behind others."""
PIECE: Final = 50
"""Profiles that are merged between two pauses: a request waits for them at most."""
SECOND: Final = 1.0
_TURN_SECONDS: Final = 0.0005
_DEFERENCE: Final = 10.0
"""Seconds that the thread rests after a second's work while requests keep a whole core busy."""

_log: Final = logging.getLogger("_granian.collector")


class Backoff:
    """How long the thread that asks should leave interpreter and cores to the others of its process, which answer requests."""

    def __init__(self) -> None:
        self._last, self._own, self._all = time.monotonic(), time.thread_time(), time.process_time()

    def due(self) -> float:
        """Seconds: what this thread worked since it last asked, times _DEFERENCE, times the part of a core that the others used."""
        now, own, everything = time.monotonic(), time.thread_time(), time.process_time()
        worked = own - self._own
        others = (everything - self._all - worked) / max(now - self._last, 1e-9)
        self._last, self._own, self._all = now, own, everything
        return worked * _DEFERENCE * min(1.0, max(0.0, others))


class ProfileUpdater(ABC):
    """A thread that merges events into live profiles, step by step; `where` says where events wait while it cannot."""

    def __init__(self, settings: Settings, store: Profiles, metrics: LiveMetrics, where: str) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._where = where
        self._arrivals = Arrivals(settings)
        self._watch = AudienceWatch(settings, store)
        self._closing = threading.Event()
        self._is_up = True
        self._rest: Backoff
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        """Begin, with what came while nobody followed."""
        # Without it the thread may keep the interpreter from the event loop for 5 ms at a time, and a request needs it often.
        sys.setswitchinterval(_TURN_SECONDS)
        self._thread.start()

    def close(self) -> None:
        """End; what is not merged then is left to the next start."""
        self._closing.set()
        self._thread.join()
        self._watch.publish(at_once=True)

    @abstractmethod
    def _step(self) -> bool:
        """Do what is due, waiting for it a second at most; whether there is a next step."""

    @abstractmethod
    def _fail(self) -> None:
        """A step ended half-way: the next one begins with what is known to be merged."""

    def _run(self) -> None:
        self._rest = Backoff()
        goes_on = True
        while goes_on:
            try:
                goes_on = self._step()
                self._watch.publish()
                self._pause()
            except Exception as error:  # even a mistake of ours must not end the thread
                self._fail()
                self._say_down(error)

    def _merge_events(
        self,
        events: Iterable[tuple[bytes, int]],
        segments: Sequence[str] = (),
        offsets: Mapping[str, int] = NONE_MERGED,
    ) -> None:
        """Merge payloads that arrived at a time (ms), resting after each piece; then keep the marks of all of them."""
        updates: dict[bytes, list[Action]] = {}
        oldest = self._oldest()
        for payload, received_at in events:
            arrival = self._arrivals.read(payload, received_at)
            if arrival and arrival.action.at >= oldest:
                for key in arrival.keys:
                    updates.setdefault(key, []).append(arrival.action)
                if not self._watch.is_idle:
                    self._watch.add(arrival.keys, arrival.event, received_at)
            if len(updates) >= PIECE:
                self._watch.look(self._store.merge(updates))
                updates.clear()
                self._pause()
        if updates and not self._watch.is_idle:
            self._watch.look(self._store.merge(updates))
            updates.clear()
        self._store.merge(updates, segments, offsets=offsets)

    def _oldest(self) -> int:
        """The time (ms) before which events count for nothing."""
        return time.time_ns() // 1_000_000 - self._settings.live.keep_ms

    def _pause(self) -> None:
        self._closing.wait(self._rest.due())

    def _say_up(self) -> None:
        if not self._is_up:
            _log.info("Live profiles are up again.")
        self._is_up = True

    def _say_down(self, error: Exception) -> None:
        """Count failures, log the first of a row of them, and wait."""
        self._metrics.failures.inc()
        if self._is_up:
            mistake = None if isinstance(error, NextclickError) else error
            _log.warning("%s Until then events wait in %s.", error, self._where, exc_info=mistake)
        self._is_up = False
        self._closing.wait(SECOND)


class Follower(Protocol):
    """What goes on beside a sink."""

    def start(self) -> None: ...

    def close(self) -> None:
        """End, once the sink has told of everything."""


class SinkWithFollowers:
    """A sink whose followers end after it has told of everything."""

    def __init__(self, sink: Sink, *followers: Follower) -> None:
        self._followers = followers
        self._sink = sink
        for follower in followers:
            follower.start()
        self.write = sink.write
        self.probe = sink.probe

    async def close(self) -> None:
        await self._sink.close()
        for follower in self._followers:
            await asyncio.to_thread(follower.close)

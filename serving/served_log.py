"""What was served, in the landing log or in Kafka: written behind the answer, never before it."""

import logging
import threading
import time
from collections import deque
from typing import Final, Protocol

from nextclick.contracts.events import SERVER
from nextclick.errors import LakeError
from nextclick.extras import importing_kafka
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings
from nextclick.web.rates import UNKNOWN, RateLimiter
from serving.metrics import ServingMetrics

_log: Final = logging.getLogger("_granian.serving")


class ServedLog(Protocol):
    """Keeps what was served."""

    is_up: bool
    """Whether the last records that were tried became durable."""

    def start(self) -> None: ...

    def put(self, record: bytes) -> bool:
        """Write an encoded event soon; returns at once whether it will be tried."""

    def close(self) -> None:
        """Write and publish what waits."""


def open_record(settings: Settings, metrics: ServingMetrics) -> ServedLog:
    """Where the settings say that events become durable; SetupError without Kafka's client, where that is asked."""
    if settings.collector.sink != "kafka":
        return Recorder(settings, metrics)
    with importing_kafka("collector.sink is kafka"):
        from serving.served_topic import TopicRecorder
    return TopicRecorder(settings, metrics)


class Recorder:
    """A thread with a segment of its own; records that come within group_milliseconds share an fsync.

    A full disk, a queue that is full, or a rate above records_per_second loses records and counts them: the answers have gone out.
    """

    def __init__(self, settings: Settings, metrics: ServingMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._gather = settings.serving.group_milliseconds / 1000
        self._roll_seconds = settings.serving.publish_seconds
        self._waiting: deque[bytes] = deque()
        self._woken = threading.Event()
        self._closing = False
        self._rate = RateLimiter(settings.serving.records_per_second)
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._writer: SegmentWriter | None = None
        self._opened_at: float | None = None
        """When the oldest record that is not published yet was written."""
        self.is_up = True

    def start(self) -> None:
        self._thread.start()

    def put(self, record: bytes) -> bool:
        limits = self._settings
        fits = len(record) <= limits.landing.max_event_bytes and len(self._waiting) < limits.serving.record_queue
        if not fits or not self._rate.take(UNKNOWN):
            self._metrics.records_lost.inc()
            return False
        self._waiting.append(record)
        if not self._woken.is_set():  # not while records come: to wake a thread costs more than to hand it one
            self._woken.set()
        return True

    def close(self) -> None:
        if self._thread.is_alive():
            self._closing = True
            self._woken.set()
            self._thread.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            if not self._closing and self._woken.wait(self._patience()):
                time.sleep(self._gather)
            ending = self._closing
            if not self._waiting:
                self._woken.clear()
            if group := [self._waiting.popleft() for _ in range(len(self._waiting))]:  # some may have come meanwhile
                self._write(group)
            if self._opened_at is not None and (ending or time.monotonic() - self._opened_at >= self._roll_seconds):
                self._publish()

    def _patience(self) -> float | None:
        """Seconds until what was written is to be published; None where nothing was."""
        if self._opened_at is None:
            return None
        return max(0.01, self._opened_at + self._roll_seconds - time.monotonic())

    def _write(self, group: list[bytes]) -> None:
        try:
            self._writer = self._writer or SegmentWriter(self._settings.lake.landing, self._settings.landing)
            self._writer.extend(group, SERVER, time.time_ns() // 1_000_000)
            self._writer.sync()
        except LakeError as error:
            _log.warning("%d records of what was served are lost: %s", len(group), error)
            self._metrics.records_lost.inc(len(group))
            self.is_up = False
        else:
            self.is_up = True
            self._metrics.recorded.inc(len(group))
            self._opened_at = self._opened_at or time.monotonic()

    def _publish(self) -> None:
        try:
            if self._writer:
                self._writer.roll()
            self._opened_at = None
        except LakeError as error:
            _log.warning("What was served is not published yet: %s", error)
            self._opened_at = time.monotonic()  # the next try

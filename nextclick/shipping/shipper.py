"""What is published on this machine goes where bronze reads it: into the lake's bucket, or to Kafka's topics.

    log ──one segment after the other, oldest first──► bucket or topic ──reply──► removed here

Killed anywhere, nothing is lost and nothing comes twice: to_bucket.py and to_kafka.py say why. One process of a machine ships at a time.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from nextclick.errors import LakeError, NextclickError, TableBusy, UsageError
from nextclick.extras import importing_kafka
from nextclick.kv import open_profiles
from nextclick.lake import locks
from nextclick.landing.reader import Segment, segments
from nextclick.settings import Settings
from nextclick.shipping import to_bucket

if TYPE_CHECKING:
    from nextclick.shipping.to_kafka import TopicCarrier

LOGS: Final = ("landing", "quarantine")
LOCK: Final = "ship"
_PATIENCE_SECONDS: Final = 600
"""So long a segment that is in the bucket stays here for live profiles that have not taken it."""
_LAST_SECONDS: Final = 10
"""So long a worker that ends waits for another one that ships."""
_log: Final = logging.getLogger("_granian.shipping")


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """What one round did."""

    segments: int = 0
    """They are where bronze reads them."""
    lines: int = 0
    bytes: int = 0
    kept: int = 0
    """Segments that are there and stay here, too, until live profiles have them."""


def has_to_ship(settings: Settings) -> bool:
    """Whether what this machine publishes is not yet where bronze reads it."""
    return settings.lake.ships or settings.collector.sink == "kafka"


class Shipper:
    """Ships by rounds; what it has shipped and keeps it knows itself."""

    def __init__(self, settings: Settings) -> None:
        if not has_to_ship(settings):
            raise UsageError(
                "There is nothing to ship: bronze reads this machine's landing log. Set streaming.source = bucket for a lake in an "
                "object store, or collector.sink and streaming.source = kafka."
            )
        self._settings = settings
        self._there: set[str] = set()
        """Segments that are in the bucket and lie here still."""
        self._merged: str | None = None
        """Up to which segment live profiles have all, as this round knows it."""
        self._carriers: dict[str, TopicCarrier] = {}

    def round(self) -> Shipped:
        """Ship what is published now. TableBusy beside another process that does; LakeError where bucket or brokers do not answer."""
        with locks.hold(self._settings.lake.own_locks, LOCK, purpose="nextclick ship"):
            done, self._merged = Shipped(), None
            published = [(log, segment) for log in LOGS for segment in segments(self._folder(log))]
            self._there &= {segment.name for _, segment in published}  # another process may have removed some
            for log, segment in published:
                done = self._ship(log, segment, done)
            return msgspec.structs.replace(done, kept=len(self._there))

    def waiting(self) -> int:
        """Segments that are published here alone."""
        return sum(segment.name not in self._there for log in LOGS for segment in segments(self._folder(log)))

    def _folder(self, log: str) -> str:
        lake = self._settings.lake
        return f"{lake.root if lake.ships else lake.outbox}/{log}"

    def _ship(self, log: str, segment: Segment, done: Shipped) -> Shipped:
        if segment.name in self._there:
            self._let_go(log, segment)
            return done
        if self._settings.lake.ships:
            path = to_bucket.put(segment, self._settings.lake.log(log))
            self._there.add(path.name)
            self._let_go(log, segment._replace(address=str(path)))
        else:
            self._carrier(log).send(segment)
        return Shipped(segments=done.segments + 1, lines=done.lines + segment.lines, bytes=done.bytes + segment.bytes)

    def _let_go(self, log: str, segment: Segment) -> None:
        """Remove what is in the bucket, unless live profiles wait for it."""
        is_wanted = log == "landing" and self._settings.live.enabled and time.time() - segment.at < _PATIENCE_SECONDS
        if is_wanted and self._merged is None:
            self._merged = self._upto()
        if not is_wanted or segment.name <= (self._merged or ""):
            segment.path.unlink(missing_ok=True)
            self._there.discard(segment.name)

    def _upto(self) -> str:
        """The segment up to which live profiles have all; "" while their store does not say, which must not hold up the others."""
        try:
            return open_profiles(self._settings).merged_segments()[0]
        except NextclickError:
            return ""

    def _carrier(self, log: str) -> "TopicCarrier":
        with importing_kafka("collector.sink is kafka"):
            from nextclick.shipping.to_kafka import TopicCarrier
        if log not in self._carriers:
            kafka = self._settings.kafka
            self._carriers[log] = TopicCarrier(
                self._settings, kafka.events_topic if log == "landing" else kafka.rejects_topic
            )
        return self._carriers[log]


def ship_now(settings: Settings) -> str:
    """One round, where there has to be one: why it was not done, "" if it was. What is left goes with the next one."""
    if not has_to_ship(settings):
        return ""
    try:
        Shipper(settings).round()
    except TableBusy:  # another process ships
        return ""
    except LakeError as error:
        return str(error)
    return ""


class ShippingThread:
    """Ships as long as it is not closed, each `collector.publish_seconds`, and once more at the end."""

    def __init__(self, settings: Settings, shipped: Callable[[int], None], waiting: Callable[[int], None]) -> None:
        """`shipped` hears how many segments were, `waiting` how many wait."""
        self._settings, self._shipped, self._waiting = settings, shipped, waiting
        self._shipper = Shipper(settings)
        self._closing = threading.Event()
        self._is_up = True
        self._thread = threading.Thread(target=self._run, name="ship", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ship what was published last, then end."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._settings.collector.publish_seconds):
            self._round()
        deadline = time.monotonic() + _LAST_SECONDS
        while not self._round() and self._is_up and time.monotonic() < deadline:
            time.sleep(0.1)

    def _round(self) -> bool:
        """Whether it was ours, and done."""
        try:
            self._shipped(self._shipper.round().segments)
        except TableBusy:  # another worker ships
            return False
        except Exception as error:  # even a mistake of ours must not end the thread
            if self._is_up:
                mistake = None if isinstance(error, NextclickError) else error
                _log.warning("What was published here is not shipped: %s", error, exc_info=mistake)
            self._is_up = False
        else:
            self._is_up = True
        self._waiting(self._shipper.waiting())
        return self._is_up

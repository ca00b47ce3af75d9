"""What the collector counts, in Prometheus' terms."""

import time
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_GROUPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_SECOND: Final = 1.0
_LAG = (0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)


class LiveMetrics:
    """What the live path counts; `own` are the keywords of the collector's metrics."""

    def __init__(self, own: dict[str, Any]) -> None:
        own = own | {"subsystem": "live"}
        self.merged = Counter("merged", "Events taken from the queue, or Kafka, and merged into live profiles.", **own)
        self.postponed = Counter(
            "postponed", "Events that the queue had no room for: merged from the log later.", **own
        )
        self.replayed = Counter("replayed", "Lines of the landing log merged into live profiles.", **own)
        self.expired = Counter("expired", "Live profiles removed because nothing new came.", **own)
        self.failures = Counter("failures", "Times that the store of profiles, or Kafka, could not be used.", **own)
        self.waiting = Gauge("waiting", "Events that wait to be merged.", multiprocess_mode="livesum", **own)
        self.behind = Gauge("behind", "Records of Kafka that are not merged yet.", multiprocess_mode="livesum", **own)
        self.seconds = Histogram("seconds", "From durable to merged.", buckets=_LAG, **own)
        self.differing = Gauge(
            "differing_share", "Of the profiles in the last `check features`.", multiprocess_mode="mostrecent", **own
        )


class CollectorMetrics:
    """What all workers count together: they meet in the folder PROMETHEUS_MULTIPROC_DIR, which `nextclick collect` sets."""

    def __init__(self) -> None:
        own: Any = {"registry": None, "namespace": "nextclick", "subsystem": "collector"}
        self.accepted = Counter("accepted", "Events made durable.", ["dialect"], **own)
        self.rejected = Counter("rejected", "Records sent to quarantine.", ["dialect", "reason"], **own)
        self.unread = Counter("unread", "Values that a field could not be read from.", ["dialect", "field"], **own)
        self.rejects_lost = Counter(
            "rejects_lost", "Rejects that were not kept: above their budget, without a known key, or with no room on the disk.",
            ["reason"], **own,
        )  # fmt: skip
        self.duplicates = Counter("duplicates", "Events whose id this worker saw a short time before.", **own)
        self.refused = Counter("refused", "Requests answered with an error.", ["status", "reason"], **own)
        self.bytes = Counter("bytes", "Bytes of bodies, as sent.", **own)
        self.seconds = Histogram(
            "acknowledgement_seconds", "From the whole body to the answer.", buckets=_LATENCY, **own
        )
        self.group = Histogram("group_requests", "Requests that shared one fsync.", buckets=_GROUPS, **own)
        self.sink_up = Gauge("sink_up", "1 if the last write was durable.", multiprocess_mode="mostrecent", **own)
        self.shipped = Counter("shipped_segments", "Segments brought where bronze reads them.", **own)
        self.unshipped = Gauge(
            "unshipped_segments",
            "Published segments that are on this machine alone.",
            multiprocess_mode="mostrecent",
            **own,
        )
        self.live = LiveMetrics(own)
        self._accepted: dict[str, Counter] = {}
        self._next_up = 0.0
        self.say_up(True)

    def accept(self, source: str, events: int, known: int) -> None:
        """Count events that became durable, `known` of which came before."""
        counter = self._accepted.get(source)
        if counter is None:
            counter = self._accepted[source] = self.accepted.labels(source)
        counter.inc(events)
        if known:
            self.duplicates.inc(known)

    def say_up(self, is_up: bool) -> None:
        """Show whether the last write was durable; a yes after a yes once a second, so that it is the newest of all workers."""
        now = time.monotonic()
        if not is_up or now >= self._next_up:
            self.sink_up.set(is_up)
            self._next_up = now + _SECOND if is_up else now

    def lose(self, reason: str) -> None:
        """Count a reject that is not kept, and why."""
        self.rejects_lost.labels(reason).inc()

"""What the API counts, in Prometheus' terms."""

from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

_LATENCY = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.007, 0.010, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0)

_MOST_LABELS = 1_024


class ServingMetrics:
    """What all workers count together: they meet in the folder PROMETHEUS_MULTIPROC_DIR, which `nextclick serve` sets."""

    def __init__(self) -> None:
        own: Any = {"registry": None, "namespace": "nextclick", "subsystem": "serving"}
        self.answers = Counter(
            "answers", "Lists, and next best actions by their kind.", ["route", "source", "degraded"], **own
        )
        self.refused = Counter("refused", "Requests answered with an error.", ["status", "reason"], **own)
        self.unproven = Counter(
            "unproven_users",
            "Requests whose user_id did not count: its signature is missing or wrong.",
            ["signature"],
            **own,
        )
        self.seconds = Histogram(
            "answer_seconds", "From the whole request to the answer.", ["route"], buckets=_LATENCY, **own
        )
        # A series is looked up once: it takes longer than to count.
        self.answered = lru_cache(_MOST_LABELS)(self.answers.labels)
        self.took = lru_cache(_MOST_LABELS)(self.seconds.labels)
        self.store_failures = Counter("store_failures", "Reads of a store that failed or took too long.", **own)
        self.recorded = Counter("recorded", "Records of what was served, made durable.", **own)
        self.records_lost = Counter("records_lost", "Records of what was served that could not be written.", **own)
        self.version = Gauge(
            "lists_version",
            "Version of the key-value table that is served; 0 before the first export.",
            multiprocess_mode="mostrecent",
            **own,
        )

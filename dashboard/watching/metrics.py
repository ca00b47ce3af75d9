"""The lake in Prometheus' terms. A figure that is absent is absent, never 0: rules say `absent(…)`."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import product
from typing import Final

import duckdb
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from dashboard.watching.lag import waiting_since
from expectations.results import TableStatus, latest_results
from ml.anomalies import table as anomalies
from nextclick.contracts.gold_anomalies import ABUSE, SEVERITIES, TRAFFIC
from nextclick.errors import NextclickError
from nextclick.lake import lists_manifest
from nextclick.lake.lists_manifest import LISTS
from nextclick.lake.table_state import table_states
from nextclick.settings import Settings

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = 10.0
"""How long what was read is told again."""
_LEADING_NUMBER: Final = re.compile(r"([\d,]+) ")
_log: Final = logging.getLogger("uvicorn.error")
_Families = Iterator[GaugeMetricFamily]


class LakeMetrics:
    """The metrics of a lake. Logs, checkpoints, gold.data_quality and gold.anomalies are read, no other row; several threads may ask."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.time) -> None:
        self._settings, self._now = settings, now
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._lock = threading.Lock()
        self._text, self._read_at = b"", float("-inf")

    def text(self) -> bytes:
        """In Prometheus' format, as old as ten seconds at most."""
        with self._lock:
            if self._now() - self._read_at >= _SECONDS:
                self._text, self._read_at = generate_latest(self._registry), self._now()
            return self._text

    def describe(self) -> _Families:
        """Nothing: so the registry reads no lake when it is made."""
        return iter(())

    def collect(self) -> _Families:
        """All of them, read now; what cannot be read costs its own metrics alone."""
        readable = _family("readable", "Whether these metrics could be read: 1, or 0.", "metrics")
        sources = {
            "tables": self._tables,
            "lag": self._waiting,
            "checks": self._checks,
            "lists": self._lists,
            "anomalies": self._anomalies,
        }
        for name, source in sources.items():
            try:
                yield from [*source()]
            except (NextclickError, duckdb.Error, OSError) as error:
                _log.warning("the metrics of %s cannot be read: %s", name, error)
                readable.add_metric([name], 0)
            else:
                readable.add_metric([name], 1)
        yield readable

    def _tables(self) -> _Families:
        rows = _family("table_rows", "Rows of a table's newest version.", "table")
        versions = _family("table_version", "Delta version of a table.", "table")
        written = _family("table_written_timestamp_seconds", "Time of a table's newest commit.", "table")
        for name, state in table_states(self._settings.lake).items():
            if state.version is not None:
                rows.add_metric([name], state.rows)
                versions.add_metric([name], state.version)
                if state.updated_at:
                    written.add_metric([name], state.updated_at.timestamp())
        yield from (rows, versions, written)

    def _waiting(self) -> _Families:
        doc = "Seconds that the oldest news waits which a table's job has not taken; 0: none waits."
        lag = _family("table_lag_seconds", doc, "table")
        for table, since in waiting_since(self._settings.lake).items():
            lag.add_metric([table], 0 if since is None else max(self._now() - since, 0))
        yield lag

    def _checks(self) -> _Families:
        return _of_checks(latest_results(self._settings.lake))

    def _anomalies(self) -> _Families:
        open_ = _family("anomalies_open", "Anomalies that last, by what they are.", "kind", "severity")
        rows = anomalies.read(self._settings.lake)
        for row in product((TRAFFIC, *ABUSE), SEVERITIES) if rows is not None else ():
            open_.add_metric([*row], sum((one.kind, one.severity) == row for one in rows or ()))
        yield open_

    def _lists(self) -> _Families:
        from serving.export import export  # it brings the key-value table's client

        generated = _family(
            "lists_generated_timestamp_seconds", f"When the lists of {LISTS} were made, or last updated."
        )
        exported = _family("lists_exported_timestamp_seconds", "When the lists that are served were exported.")
        version = _family("lists_exported_version", "Version of the key-value table that is served.")
        if manifest := lists_manifest.read(self._settings.lake):
            generated.add_metric([], manifest.generated_at.timestamp())
        if served := export.current(self._settings):
            exported.add_metric([], datetime.fromisoformat(served["exported_at"]).timestamp())
            version.add_metric([], served["version"])
        yield from (generated, exported, version)


def _of_checks(statuses: Mapping[str, TableStatus]) -> _Families:
    """By the newest check of each table."""
    stops = _family("open_stops", "Failed checks that stop work, and that nobody overrode.", "table")
    failed = _family("checks_failed", "Checks that fail.", "table", "severity")
    checked = _family("checked_timestamp_seconds", "When a table was last checked.", "table")
    residual = _family("residual_events", "Accepted events that were nowhere at the last check; must be 0.")
    for name, status in statuses.items():
        stops.add_metric([name], len(status.stops))
        for severity in ("stop", "warn"):
            fails = [check for check in status.checks.values() if check.severity == severity and not check.success]
            failed.add_metric([name, severity], len(fails))
        if status.checks:
            checked.add_metric([name], max(check.checked_at.timestamp() for check in status.checks.values()))
        if "residual" in status.checks and (number := _number(status.checks["residual"].observed)) is not None:
            residual.add_metric([], number)
    yield from (stops, failed, checked, residual)


def _number(observed: str | None) -> int | None:
    """The count that a check's words begin with.

    >>> _number("1,234 events are nowhere (5,678 accepted)"), _number("no event yet"), _number(None)
    (1234, None, None)
    """
    match = _LEADING_NUMBER.match(observed or "")
    return int(match[1].replace(",", "")) if match else None


def _family(name: str, doc: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"nextclick_{name}", doc, labels=labels)

"""Whether every event is accounted for, what stops or was overridden, what waits, and examples of what was rejected."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from analytics.answers import Reports
from dashboard.address import PageAddress
from dashboard.watching.lag import waiting_since
from expectations.results import Result, TableStatus, latest_results
from ml.anomalies import table as anomalies
from nextclick.contracts.gold_anomalies import OPEN
from nextclick.lake.table_state import table_state
from nextclick.settings import Settings

_ACCOUNT: Final = (
    ("bronze.events", "missing"),
    ("bronze.events", "unexpected"),
    ("silver.events", "residual"),
    ("silver.events", "double_counted"),
)
"""Checks that must see none, in the order of the data's way: docs/jobs/check.md says what each counts."""
_MOST: Final = 20
"""Anomalies that are shown."""
_EACH, _LONGEST = 3, 600
"""Examples of a reason, and characters of each one's payload."""


def account(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """The newest checks: the account of silver.events, and failures that stop or that somebody overrode."""
    statuses = latest_results(settings.lake)
    checks = [statuses[table].checks.get(name) for table, name in _ACCOUNT if table in statuses]
    return {
        "checks": [(check, table_state(settings.lake, check.table_name).version) for check in checks if check],
        "stops": [stop for status in statuses.values() for stop in _stops(status)],
    }


def _stops(status: TableStatus) -> Sequence[tuple[Result, Result | None]]:
    """Failures of severity stop, and who overrode them."""
    failed = [check for check in status.checks.values() if check.stops]
    return [(check, status.overrides.get(check.expectation)) for check in failed]


def lag(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """For how long news has waited for the job of each table, the longest first; 0 where none waits."""
    now = time.time()
    waited = {
        table: 0.0 if since is None else max(now - since, 0) for table, since in waiting_since(settings.lake).items()
    }
    return {"waited": sorted(waited.items(), key=lambda each: -each[1]), "most": max(waited.values(), default=0) or 1}


def unusual(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """What is out of the ordinary, open ones first, then the newest of the range; a link that was handed on names no visitor."""
    standing = anomalies.read(settings.lake, every=True)
    rows = [one for one in standing or () if one.state == OPEN or view.first <= one.step_start.date() <= view.last]
    return {
        "looked": standing is not None,
        "is_sealed": view.seal is not None,
        "left_out": max(len(rows) - _MOST, 0),
        "rows": sorted(rows, key=lambda one: one.state != OPEN)[:_MOST],
    }


def rejects(settings: Settings, reports: Reports, view: PageAddress) -> Mapping[str, Any]:
    """The newest rejects of each reason, of the days of the address and later, cut; none by a link that was handed on."""
    from collector.replay.replay import (
        examples,  # with the whole collector, for which a server that starts should not wait
    )

    records = [] if view.seal else examples(settings, view.first, _EACH, _LONGEST)
    reasons = dict.fromkeys(record.reason for record in records)
    return {
        "longest": _LONGEST,
        "is_sealed": view.seal is not None,
        "reasons": {reason: [record for record in records if record.reason == reason] for reason in reasons},
    }

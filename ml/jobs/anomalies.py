"""What is out of the ordinary: traffic, abuse by rules, visitors who behave as bots → gold.anomalies and gold.suspects.

docs/anomalies.md says how each is seen. No event is dropped for it.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ml.anomalies import standing
from ml.anomalies.detect import Row, detect
from ml.anomalies.window import open_window
from ml.models.protocol import Stages, quiet
from nextclick.contracts import arrow
from nextclick.contracts.gold_anomalies import ANOMALIES, OPEN, SUSPECTS
from nextclick.lake import commits, duck, locks
from nextclick.lake.paths import Lake
from nextclick.report import JobReport
from nextclick.settings import Settings


def run(settings: Settings, progress: Stages = quiet, now: datetime | None = None) -> JobReport:
    """Look at the last days anew, as of `now`; TableMissing without silver.events. With nothing new no table gets a version."""
    started, lake, now = time.monotonic(), settings.lake, now or datetime.now(UTC)
    with locks.hold(lake.locks, ANOMALIES.name, SUSPECTS.name, purpose=ANOMALIES.job):
        progress("anomalies", 0, 2)
        with duck.answering(lake, "What is out of the ordinary") as database:
            spans, version = open_window(database, settings, now)
            seen = detect(database, settings, spans)
        progress("anomalies", 1, 2)
        begin = standing.since(lake, spans)
        suspects, changed = _suspects(lake, seen.suspects, begin, version)
        present = commits.create(lake, ANOMALIES).to_pyarrow_table().to_pylist()
        rows = standing.anomalies(present, seen.anomalies, begin, now, version)
        written = len(standing.changed(ANOMALIES, present, rows))
        facts = standing.looked_at(lake, spans)
        if written or facts:
            commits.write(lake, ANOMALIES, pa.Table.from_pylist(rows, arrow.schema(ANOMALIES)), "overwrite", facts)
        progress("anomalies", 2, 2)
    details: dict[str, Any] = {
        "open": sum(row["state"] == OPEN for row in rows),
        "suspects": sum(row["is_suspect"] for row in suspects),
        "reason": "; ".join(f"{site}: {why}" for site, why in seen.unlearned.items()) or None,
    }
    seconds = time.monotonic() - started
    return JobReport(job=ANOMALIES.job, read=len(spans), written=written + changed, seconds=seconds, details=details)


def _suspects(
    lake: Lake, seen: Sequence[Row], begin: Mapping[str, datetime], version: int
) -> tuple[Sequence[Row], int]:
    """The rows of the days that were looked at, written where they differ; and how many are new, or other ones than before."""
    first = min(begin.values(), default=datetime.max).date()
    recent = pc.field("date") >= pa.scalar(first)
    present = commits.create(lake, SUSPECTS).to_pyarrow_dataset().to_table(filter=recent).to_pylist()
    rows = standing.suspects(present, seen, begin, version)
    changed, gone = (standing.changed(SUSPECTS, *pair) for pair in ((present, rows), (rows, present)))
    if days := {row["date"] for row in (*changed, *gone)}:
        commits.replace_days(lake, SUSPECTS, [row for row in rows if row["date"] in days], days)
    return rows, len(changed)

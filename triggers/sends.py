"""The step `sends`: decisions in silver.events → silver.sends, a row an occasion: what was sent stays sent.

Only files that came since the last time are read; without a JVM.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from nextclick.contracts import arrow
from nextclick.contracts.events import SERVER, TRIGGER_DECISION
from nextclick.contracts.silver import EVENTS
from nextclick.contracts.silver_served import SENDS
from nextclick.lake import commits, delta, duck, locks
from nextclick.lake.day_changes import DayCursor, changed_files, cursor_at, last_cursor
from nextclick.report import JobReport
from nextclick.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable

_CURSOR: Final = "nextclick.silver.events"
"""In a commit's information: of which version of silver.events the rows were made."""
_ROWS: Final = f"""
WITH new AS (
    SELECT site, properties['send_id'] AS send_id, properties['trigger'] AS trigger, properties['person_id'] AS person_id, visitor_id,
        properties['outcome'] AS outcome, make_timestamptz(properties['due_at']::BIGINT * 1000) AS due_at, client_time AS decided_at,
        occurred_at AS ended_at, properties['holdout']::DOUBLE AS holdout, properties['window_s']::BIGINT AS window_s,
        properties['tries']::INT AS tries, from_json(properties['items'], '["VARCHAR"]') AS items, properties['error'] AS error
    FROM events WHERE event = '{TRIGGER_DECISION}' AND source = '{SERVER}'
)
SELECT * FROM (FROM new UNION ALL BY NAME FROM present SEMI JOIN new USING (site, send_id))
QUALIFY row_number() OVER (PARTITION BY site, send_id ORDER BY outcome = 'sent' DESC, ended_at DESC) = 1
ORDER BY site, send_id
"""


def run(settings: Settings, progress: Callable[..., None] = lambda *_: None) -> JobReport:
    """Bring in the decisions that came since the last time; called twice, it changes nothing."""
    started, lake = time.monotonic(), settings.lake
    with locks.hold(lake.locks, SENDS.name, purpose=SENDS.job):
        events = delta.require(lake, EVENTS.name)
        commits.create(lake, SENDS)
        cursor = cursor_at(events)
        last = last_cursor(lake, SENDS.name, _CURSOR)
        rows = _rows(settings, events, last) if last != cursor else None
        if rows is not None:
            changed = commits.differing(lake, SENDS, rows) if len(rows) else rows
            most = commits.MOST_MERGED
            *others, final = [changed.slice(start, most) for start in range(0, max(1, len(changed)), most)]
            for part in others:  # what a crash leaves undone differs still, and is brought in again
                commits.merge(lake, SENDS, part, None)
            if len(final):
                commits.merge(lake, SENDS, final, None, cursor.fact(_CURSOR))
            else:
                commits.write(lake, SENDS, final, "append", cursor.fact(_CURSOR))
    written = len(changed) if rows is not None else 0
    return JobReport(job=SENDS.job, read=len(rows or ()), written=written, seconds=time.monotonic() - started)


def _rows(settings: Settings, events: "DeltaTable", last: DayCursor | None) -> pa.Table:
    """The newest word of each occasion that new files speak of, what the table has among it."""
    lake = settings.lake
    changed = changed_files(lake, EVENTS.name, events, last)
    with duck.answering(lake, SENDS.name) as database:
        duck.show(database, "events", lake, EVENTS.name, events, changed.came if changed else None)
        duck.show(database, "present", lake, SENDS.name, delta.open_table(lake, SENDS.name))
        return database.sql(_ROWS).to_arrow_table().cast(arrow.schema(SENDS))

"""The step `audience_changes`: what the landing log says of entering and leaving → silver.audience_changes.

The log may say a change twice (after a crash, from two processes, after the live standings were lost): a row is what says other than
the one before it, by time. So the table follows from the set of the events, in whatever order and however often they came.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from nextclick.audiences import definitions
from nextclick.contracts import arrow
from nextclick.contracts.events import AUDIENCE_CHANGES as KINDS
from nextclick.contracts.events import SERVER
from nextclick.contracts.silver import AUDIENCE_CHANGES, EVENTS
from nextclick.lake import commits, delta, duck, locks
from nextclick.report import JobReport
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CURSOR: Final = "nextclick.silver.events"
"""In a commit's information: which version of silver.events the rows were made of."""
_OF_SUBJECT: Final = "PARTITION BY site, audience, subject_kind, subject_id"
_CHANGES: Final = f"""
CREATE TEMP TABLE changes AS
SELECT site, audience, subject_kind, subject_id, changed_at, entered, event_id
FROM (
    SELECT site, properties['audience'] AS audience, CASE WHEN user_id IS NULL THEN 'visitor' ELSE 'user' END AS subject_kind,
           coalesce(user_id, visitor_id) AS subject_id, occurred_at AS changed_at, event = '{KINDS[0]}' AS entered, event_id
    FROM events WHERE event IN {KINDS} AND source = '{SERVER}' AND properties['audience'] IS NOT NULL
    QUALIFY row_number() OVER ({_OF_SUBJECT}, changed_at ORDER BY event_id) = 1
)
QUALIFY entered <> coalesce(lag(entered) OVER ({_OF_SUBJECT} ORDER BY changed_at), false)
"""
_DIFFERING: Final = "SELECT count(*) FROM (({0} EXCEPT ALL {1}) UNION ALL ({1} EXCEPT ALL {0}))"


def run(settings: Settings, progress: Callable[..., None] = lambda *_: None) -> JobReport:
    """Make the table what the events say, where they changed; none in a lake that never had an audience that is on."""
    started, lake = time.monotonic(), settings.lake
    events = delta.require(lake, EVENTS.name)
    read = f"{events.metadata().id} {events.version()}"
    with locks.hold(lake.locks, AUDIENCE_CHANGES.name, purpose=AUDIENCE_CHANGES.job):
        if delta.newest_fact(lake, AUDIENCE_CHANGES.name, _CURSOR) == read:
            return _report(started, "Nothing new.")
        with duck.answering(lake, "Who entered and left audiences") as database:
            duck.show(database, "events", lake, EVENTS.name, events)
            written = _write(settings, database, read)
    return _report(started, written=written)


def _write(settings: Settings, database: "DuckDBPyConnection", read: str) -> int:
    """How many rows there are now; 0 where they were the same."""
    lake, name = settings.lake, AUDIENCE_CHANGES.name
    database.execute(_CHANGES)
    there = delta.open_table(lake, name)
    duck.show(database, "before", lake, name, there)
    if not database.execute(_DIFFERING.format("FROM changes", "FROM before")).fetchall()[0][0]:
        if there is None and any(not one.off for one in definitions.load(settings.conf_dir / "audiences")):
            commits.create(lake, AUDIENCE_CHANGES)  # the step after this one waits for it
        return 0
    rows = database.sql("FROM changes ORDER BY ALL").to_arrow_table().cast(arrow.schema(AUDIENCE_CHANGES))
    commits.write(lake, AUDIENCE_CHANGES, rows, "overwrite", {_CURSOR: read})
    return len(rows)


def _report(started: float, reason: str | None = None, written: int = 0) -> JobReport:
    return JobReport(
        job=AUDIENCE_CHANGES.job, written=written, seconds=time.monotonic() - started, details={"reason": reason}
    )

"""The step `audience_changes`: what the landing log says of entering and leaving → silver.audience_changes.

The log may say a change twice (after a crash, from two processes, after the live standings were lost): a row is what says other than
the one before it, by time. So the table follows from the set of the events, in whatever order and however often they came.

Only files that came since the last time are looked into, without a JVM. From the oldest change among them on, and from the oldest event of
a file that went, events are read anew; what the table says of the time before stands, since it says all that later rows depend on.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from analytics.journeys.days import EVER
from nextclick.audiences import definitions
from nextclick.contracts import arrow
from nextclick.contracts.events import AUDIENCE_CHANGES as KINDS
from nextclick.contracts.events import SERVER
from nextclick.contracts.silver import EVENTS
from nextclick.contracts.silver_served import AUDIENCE_CHANGES
from nextclick.lake import commits, delta, duck, locks
from nextclick.lake.day_changes import DayCursor, changed_files, cursor_at, last_cursor
from nextclick.report import JobReport
from nextclick.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

_CURSOR: Final = "nextclick.silver.events.read"
"""In a commit's information: of which version of silver.events the rows were made."""
_SAYS: Final = f"event IN {KINDS} AND source = '{SERVER}' AND properties['audience'] IS NOT NULL"
_OF_SUBJECT: Final = "PARTITION BY site, audience, subject_kind, subject_id"
_CHANGES: Final = f"""
CREATE TEMP TABLE changes AS
SELECT site, audience, subject_kind, subject_id, changed_at, entered, event_id
FROM (
    SELECT * FROM (
        SELECT site, properties['audience'] AS audience, CASE WHEN user_id IS NULL THEN 'visitor' ELSE 'user' END AS subject_kind,
               coalesce(user_id, visitor_id) AS subject_id, occurred_at AS changed_at, event = '{KINDS[0]}' AS entered, event_id
        FROM events WHERE {_SAYS} AND occurred_at >= $since
        UNION ALL BY NAME FROM before WHERE changed_at < $since
    )
    QUALIFY row_number() OVER ({_OF_SUBJECT}, changed_at ORDER BY event_id) = 1
)
QUALIFY entered <> coalesce(lag(entered) OVER ({_OF_SUBJECT} ORDER BY changed_at), false)
"""
_DIFFERING: Final = "SELECT count(*) FROM (({0} EXCEPT ALL {1}) UNION ALL ({1} EXCEPT ALL {0}))"


def run(settings: Settings, progress: Callable[..., None] = lambda *_: None) -> JobReport:
    """Make the table what the events say, where they changed; none in a lake that never had an audience that is on."""
    started, lake, name = time.monotonic(), settings.lake, AUDIENCE_CHANGES.name
    if not (delta.exists(lake, name) or any(not one.off for one in definitions.load(settings.conf_dir / "audiences"))):
        return _report(started, "No audience is on: docs/audiences.md.")
    events = delta.require(lake, EVENTS.name)
    with locks.hold(lake.locks, name, purpose=AUDIENCE_CHANGES.job):
        there, last, cursor = (
            commits.create(lake, AUDIENCE_CHANGES),
            last_cursor(lake, name, _CURSOR),
            cursor_at(events),
        )
        if last == cursor:
            return _report(started, "Nothing new.")
        with duck.answering(lake, "Who entered and left audiences") as database:
            duck.show(database, "before", lake, name, there)
            since = _since(settings, database, events, last)
            written = _write(settings, database, events, since, cursor)
    return _report(started, written=written)


def _since(
    settings: Settings, database: "DuckDBPyConnection", events: "DeltaTable", last: DayCursor | None
) -> datetime | None:
    """From when on the events may say other than they did; None: they say the same."""
    changed = changed_files(settings.lake, EVENTS.name, events, last)
    if changed is None:
        return EVER[0]
    duck.show(database, "events", settings.lake, EVENTS.name, events, changed.came)
    [(came,)] = database.execute(f"SELECT min(occurred_at) FROM events WHERE {_SAYS}").fetchall()
    return min((at for at in (came, changed.oldest_gone("occurred_at")) if at), default=None)


def _write(
    settings: Settings,
    database: "DuckDBPyConnection",
    events: "DeltaTable",
    since: datetime | None,
    cursor: DayCursor,
) -> int:
    """How many rows there are now; 0 where they were the same. In any case the table says how far it was read."""
    lake, rows = settings.lake, arrow.schema(AUDIENCE_CHANGES).empty_table()
    if since is not None:
        some = duck.within(events, "occurred_at", since, EVER[1])
        duck.show(database, "events", lake, EVENTS.name, events, some)
        database.execute(_CHANGES, {"since": since})
        if database.execute(_DIFFERING.format("FROM changes", "FROM before")).fetchall()[0][0]:
            rows = database.sql("FROM changes ORDER BY ALL").to_arrow_table().cast(arrow.schema(AUDIENCE_CHANGES))
            commits.write(lake, AUDIENCE_CHANGES, rows, "overwrite", cursor.fact(_CURSOR))
            return len(rows)
    commits.write(lake, AUDIENCE_CHANGES, rows, "append", cursor.fact(_CURSOR))
    return 0


def _report(started: float, reason: str | None = None, written: int = 0) -> JobReport:
    return JobReport(
        job=AUDIENCE_CHANGES.job, written=written, seconds=time.monotonic() - started, details={"reason": reason}
    )

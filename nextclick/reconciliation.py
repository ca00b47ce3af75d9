"""Where every accepted event is: in silver.events, in silver.quarantine, or a copy. Nothing may be elsewhere.

Counted by joins over the Delta tables, never by subtraction, and without a JVM. Of
bronze.events that version is read which build_events has taken, so the answer is exact
while `nextclick stream` runs, too.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from nextclick.errors import LakeError
from nextclick.lake import checkpoints, files
from nextclick.lake.delta import open_table
from nextclick.lake.duck import connect, show
from nextclick.lake.paths import Lake
from nextclick.landing import reader
from nextclick.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

_TAKER = "build_events"
"""The job that takes rows of bronze.events."""


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of events by where they are. Each accepted one is in exactly one of the four places after it."""

    accepted: int = 0
    """Rows of bronze.events that build_events has taken."""
    silver: int = 0
    """Of them: their `seq` is in silver.events."""
    quarantined: int = 0
    """Of them: their `seq` is in silver.quarantine (origin silver or operator)."""
    duplicates: int = 0
    """Of them: in neither, but their identity is in silver.events, or was moved out of it, under the `seq` of an earlier copy."""
    residual: int = 0
    """Of them: nowhere. Must be 0."""
    double_counted: int = 0
    """Rows beyond one for each of them in silver.events and silver.quarantine together. Must be 0."""
    rejected: int = 0
    """What the door (collector, import) refused: rows of silver.quarantine with origin door."""
    waiting: int = 0
    """Accepted and on their way: lines of segments that bronze has not read, rows that build_events has not taken.
    What still lies in Kafka alone is known to Kafka alone, and in none of these counts."""
    waiting_segments: int = 0
    """Landing segments that bronze has not read."""
    missing: int = 0
    """Lines that segments were published with and that bronze lacks, though it read those segments: damage on disk.
    Of Kafka: offsets between the first and the last that bronze has of a partition and that it lacks."""
    unexpected: int = 0
    """Lines that bronze has beyond those: damage, or a segment that was read twice. Of Kafka: offsets that it has twice."""


def reconcile(settings: Settings) -> Reconciliation:
    """Account for every event in the lake: seconds for millions. Raises LakeError if a table cannot be read."""
    import duckdb

    try:
        return _reconcile(settings)
    except duckdb.Error as error:
        raise LakeError(
            f"The tables of {settings.lake.data} cannot be read: {error}. See docs/jobs/recovery.md."
        ) from error


def _reconcile(settings: Settings) -> Reconciliation:
    lake = settings.lake
    bronze = open_table(lake, "bronze.events")
    taken = taken_version(lake, bronze) if bronze else None  # before silver, which may then only hold more
    with connect(lake) as duck:
        for name in ("silver.events", "silver.quarantine"):
            _show(duck, lake, name, open_table(lake, name))
        _show(duck, lake, "bronze.events", bronze)
        lines = _log_against_bronze(lake, dict(duck.execute(_LINES_BY_SEGMENT).fetchall()))
        lines["missing"] += (gaps := _row(duck, _KAFKA_GAPS))[0]
        lines["unexpected"] += gaps[1]
        arrived, rejected = _row(duck, _ARRIVED)
        if bronze and taken is not None and taken < bronze.version():
            _show(duck, lake, "bronze.events", open_table(lake, "bronze.events", taken))
        elif taken is None:
            _show(duck, lake, "bronze.events", None)
        places = dict(
            zip(("accepted", "silver", "quarantined", "double_counted", "unplaced"), _row(duck, _PLACES), strict=True)
        )
        duplicates, residual = _copies(duck, settings.site) if places.pop("unplaced") else (0, 0)
    lines["waiting"] += arrived - places["accepted"]
    return Reconciliation(**places, **lines, duplicates=duplicates, residual=residual, rejected=rejected)


_LINES_BY_SEGMENT = "SELECT seq.segment, count(*) FROM bronze_events GROUP BY ALL"
_KAFKA_GAPS = """
SELECT coalesce(sum(last - first + 1 - offsets), 0), coalesce(sum(records - offsets), 0)
FROM (
    SELECT min(seq.position) AS first, max(seq.position) AS last, count(DISTINCT seq.position) AS offsets, count(*) AS records
    FROM bronze_events
    WHERE regexp_matches(seq.segment, '-[0-9]+$')  -- topic-partition; segments end in .log
    GROUP BY seq.segment
)
"""
_ARRIVED = """
SELECT (SELECT count(*) FROM bronze_events), (SELECT count(*) FROM silver_quarantine WHERE origin = 'door')
"""
_PLACES = """
SELECT coalesce(sum(bronze), 0),
       coalesce(sum(bronze) FILTER (silver > 0), 0),
       coalesce(sum(bronze) FILTER (quarantine > 0), 0),
       coalesce(sum(silver + quarantine - bronze) FILTER (silver + quarantine > bronze), 0),
       coalesce(sum(bronze) FILTER (silver + quarantine = 0), 0)
FROM (
    SELECT sum(b) AS bronze, sum(s) AS silver, sum(q) AS quarantine
    FROM (
        SELECT seq, 1 AS b, 0 AS s, 0 AS q FROM bronze_events
        UNION ALL SELECT seq, 0, 1, 0 FROM silver_events
        UNION ALL SELECT seq, 0, 0, 1 FROM silver_quarantine WHERE origin <> 'door'
    )
    GROUP BY seq
)
WHERE bronze > 0  -- what silver took after the bronze version that is read here does not count
"""
_IDENTITY = """
SELECT CASE WHEN json_valid(payload) THEN coalesce(payload ->> 'site', $site) END AS site,
       CASE WHEN json_valid(payload) THEN payload ->> 'event_id' END AS event_id,
       CASE WHEN json_valid(payload) THEN try_cast(payload ->> 'client_time' AS BIGINT) END AS client_ms
"""
_UNPLACED = f"""
CREATE TEMP TABLE unplaced AS
{_IDENTITY} FROM bronze_events ANTI JOIN (
    SELECT seq FROM silver_events UNION ALL SELECT seq FROM silver_quarantine WHERE origin <> 'door'
) USING (seq)
"""
_IDENTITIES = f"""
CREATE TEMP TABLE identities AS SELECT site, event_id, epoch_ms(client_time) AS client_ms FROM silver_events
UNION ALL {_IDENTITY} FROM silver_quarantine WHERE origin = 'operator'
"""
_COPIES = """
SELECT (SELECT count(*) FROM unplaced SEMI JOIN identities USING (site, event_id, client_ms)),
       (SELECT count(*) FROM unplaced ANTI JOIN identities USING (site, event_id, client_ms))
"""


def _copies(duck: "DuckDBPyConnection", site: str) -> tuple[int, int]:
    """Of the rows that are in neither table: how many are copies, how many are nowhere."""
    duck.execute(_UNPLACED, {"site": site})
    duck.execute(_IDENTITIES, {"site": site})
    copies, nowhere = _row(duck, _COPIES)
    return copies, nowhere


def _show(duck: "DuckDBPyConnection", lake: Lake, name: str, table: "DeltaTable | None") -> None:
    """Make `silver.events` the view silver_events."""
    show(duck, name.replace(".", "_"), lake, name, table)


def _row(duck: "DuckDBPyConnection", query: str) -> tuple[int, ...]:
    return tuple(int(value) for value in duck.execute(query).fetchall()[0])


def _log_against_bronze(lake: Lake, lines: Mapping[str, int]) -> dict[str, int]:
    """The landing log's listing, here and where it is shipped to, against the lines that bronze has of each segment."""
    by_name = reader.everywhere(lake, "landing")
    read = [segment for name, segment in by_name.items() if name in lines or not segment.bytes]
    unread = [segment for name, segment in by_name.items() if name not in lines and segment.bytes]
    beyond = [lines.get(segment.name, 0) - segment.lines for segment in read]
    return {
        "waiting": sum(segment.lines for segment in unread),
        "waiting_segments": len(unread),
        "missing": -sum(count for count in beyond if count < 0),
        "unexpected": sum(count for count in beyond if count > 0),
    }


def taken_version(lake: Lake, bronze: "DeltaTable") -> int | None:
    """The newest version of bronze.events whose rows build_events has taken; None if it has taken nothing.

    Its checkpoint says so. Without one everything counts as taken, so that a loss cannot hide as a delay.
    """
    checkpoint = lake.checkpoint(_TAKER)
    done = checkpoints.newest(checkpoint, "commits")
    if done is None:
        return None if files.exists(checkpoint) or open_table(lake, "silver.events") is None else bronze.version()
    offset = checkpoints.offsets(checkpoint, done)[-1]
    if offset["reservoirId"] != str(bronze.metadata().id):
        return bronze.version()
    whole = offset["index"] >= 0  # else the offset lies before the first file of its version
    return min(int(offset["reservoirVersion"]) - (not whole), bronze.version())

"""Up to when silver knows what happened: before that, what is absent did not happen."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from nextclick.contracts.bronze import EVENTS as BRONZE
from nextclick.contracts.silver import EVENTS
from nextclick.lake import delta, duck
from nextclick.landing.reader import everywhere
from nextclick.reconciliation import taken_version
from nextclick.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable

_LONGEST_SEGMENT: Final = timedelta(days=1)
"""A segment is published sooner after its first event."""


def known_until(settings: Settings, now: datetime) -> datetime | None:
    """`now` less triggers.settle_seconds where silver has all that arrived, else the newest arrival that it has; None without events.

    So nobody is taken for silent because a job is late. What lies in Kafka alone cannot be seen: there the newest arrival counts.
    """
    table = delta.open_table(settings.lake, EVENTS.name)
    newest = _newest_arrival(table) if table else None
    if newest is None:
        return None
    settled = now - timedelta(seconds=settings.triggers.settle_seconds)
    behind = settings.streaming.source == "kafka" or _waits(settings, newest)
    return min(settled, newest) if behind else settled


def _newest_arrival(table: "DeltaTable") -> datetime | None:
    """By the bounds that the log keeps of each file."""
    added = delta.added(table)
    if "max.received_at" not in added.column_names:
        return None
    newest: datetime | None = pc.max(added["max.received_at"]).as_py()
    return newest if newest is None or newest.tzinfo else newest.replace(tzinfo=UTC)


def _waits(settings: Settings, newest: datetime) -> bool:
    """Whether events that arrived are not in silver yet: bronze has rows that silver did not take, or a segment is not in bronze."""
    lake = settings.lake
    since = newest - _LONGEST_SEGMENT
    near = {each.name for each in everywhere(lake, "landing").values() if each.bytes and each.at >= since.timestamp()}
    bronze = delta.open_table(lake, BRONZE.name)
    if bronze is None:
        return bool(near)
    taken = taken_version(lake, bronze)
    if taken is None or taken < bronze.version():
        return True
    if not near:
        return False
    with duck.answering(lake, "What silver has") as database:
        some = duck.within(bronze, "received_at", since - _LONGEST_SEGMENT, datetime.max.replace(tzinfo=UTC))
        duck.show(database, "bronze", lake, BRONZE.name, bronze, some)
        read = {row[0] for row in database.execute("SELECT DISTINCT seq.segment FROM bronze").fetchall()}
    return bool(near - read)

"""How long ago the newest event arrived."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nextclick.lake import delta

if TYPE_CHECKING:
    from deltalake import DeltaTable


def hours_since_arrival(events: "DeltaTable") -> float | None:
    """Hours since the newest `received_at`, by the log's statistics alone; None for a table without rows."""
    import pyarrow.compute as pc

    actions = delta.added(events)
    newest = pc.max(actions["max.received_at"]).as_py() if "max.received_at" in actions.schema.names else None
    if newest is None:
        return None
    newest = newest if newest.tzinfo else newest.replace(tzinfo=UTC)
    return float((datetime.now(UTC) - newest).total_seconds() / 3600)

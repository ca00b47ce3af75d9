"""What became cheaper, or can be had again: from the change feed of silver.items, version by version."""

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from nextclick.contracts.silver import ITEMS
from nextclick.lake import delta, duck
from nextclick.lake.day_changes import DayCursor, cursor_at
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable

PRICE_DROP: Final = "price_drop"
BACK_IN_STOCK: Final = "back_in_stock"
_log: Final = logging.getLogger(__name__)
_COLUMNS: Final = ("site", "item_id", "price", "currency", "available", "latest")
_PAIRS: Final = f"""
WITH feed AS (
    SELECT *, _change_type IN ('insert', 'update_postimage') AS is_after FROM feed_rows
), pairs AS (
    SELECT old, new FROM (SELECT feed AS old FROM feed WHERE NOT is_after) JOIN (SELECT feed AS new FROM feed WHERE is_after)
        ON old._commit_version = new._commit_version AND old.site = new.site AND old.item_id = new.item_id
)
SELECT new.site, new.item_id, '{PRICE_DROP}', new.latest.price.at, new.latest.price.id,
    old.price::VARCHAR, new.price::VARCHAR, new.currency
FROM pairs WHERE new.price < old.price AND new.currency IS NOT DISTINCT FROM old.currency AND new.latest.price.at IS NOT NULL
UNION ALL SELECT new.site, new.item_id, '{BACK_IN_STOCK}', new.latest.available.at, new.latest.available.id,
    NULL, new.price::VARCHAR, new.currency
FROM pairs WHERE new.available AND NOT old.available AND new.latest.available.at IS NOT NULL
ORDER BY ALL
"""


class ItemChange(NamedTuple):
    """A change of an item that people who viewed it may want to know of."""

    site: str
    item_id: str
    kind: str
    at: datetime
    """Of the event or record that says so."""
    event_id: str
    old_price: str | None
    new_price: str | None
    currency: str | None


class FeedRead(NamedTuple):
    """What the feed said since a cursor, and the cursor behind it."""

    changes: list[ItemChange]
    cursor: DayCursor | None
    """None: the table was never written."""


def read(lake: Lake, since: DayCursor | None) -> FeedRead:
    """The changes after `since`; without a cursor, or where the feed does not reach back to it, none: it begins now."""
    table = delta.open_table(lake, ITEMS.name)
    if table is None:
        return FeedRead([], None)
    now = cursor_at(table)
    if since == now or since is None or since.table_id != now.table_id or since.version > now.version:
        return FeedRead([], now)
    try:
        rows = _rows(table, since.version + 1, now.version)
    except delta.errors() as error:
        _log.warning(
            "The change feed of %s after version %d cannot be read: %s. It begins anew.",
            ITEMS.name,
            since.version,
            error,
        )
        return FeedRead([], now)
    with duck.answering(lake, "What changed of items") as database:
        database.register("feed_rows", rows)
        return FeedRead([ItemChange(*row) for row in database.execute(_PAIRS).fetchall()], now)


def _rows(table: "DeltaTable", first: int, last: int) -> Any:
    import pyarrow as pa

    return pa.table(table.load_cdf(first, last, columns=[*_COLUMNS, "_change_type", "_commit_version"]))

"""A price drop, or something back in stock, of what a person viewed."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Final

import pyarrow as pa

from nextclick.contracts.silver import ITEMS
from nextclick.lake import delta, duck
from triggers.definition import BackInStock, PriceDrop, TriggerDefinition
from triggers.occasions.item_feed import BACK_IN_STOCK, PRICE_DROP, ItemChange
from triggers.occasions.looking import Looking
from triggers.occasions.occasion import Occasion

_VIEWED: Final = """
WITH views AS (
    SELECT person_id, place, max(occurred_at) AS viewed_at FROM acts JOIN changed USING (item_id)
    WHERE event IN ('view_item', 'page_view', 'click', 'add_to_cart') AND occurred_at BETWEEN changed_at - $viewed AND changed_at
    GROUP BY ALL
), bought AS (
    SELECT person_id, item_id, max(occurred_at) AS bought_at FROM acts WHERE event = 'purchase' AND pieces > 0 GROUP BY ALL
)
SELECT person_id, place FROM views JOIN changed USING (place) JOIN items USING (item_id) LEFT JOIN bought USING (person_id, item_id)
WHERE items.site = $site AND items.available IS DISTINCT FROM false AND (wanted_price IS NULL OR items.price <= wanted_price)
    AND viewed_at > coalesce(bought_at, '-infinity')
ORDER BY person_id, place
"""
"""What is no longer so cheap, or is gone again, is nobody's occasion."""


def find(looking: Looking, trigger: TriggerDefinition, when: PriceDrop | BackInStock) -> Iterator[Occasion]:
    """The people who viewed what changed within `keep` before this moment; a person's occasion is known by the item and its event."""
    changes = _wanted(looking, trigger, when)
    if not changes:
        return
    viewed = timedelta(days=when.viewed_days)
    looking.show_acts(trigger.site, min(change.at for change in changes) - viewed)
    database = looking.database
    duck.show(database, "items", looking.lake, ITEMS.name, delta.open_table(looking.lake, ITEMS.name))
    database.register("changed", _as_table(changes, isinstance(when, PriceDrop)))
    for person, place in database.execute(_VIEWED, {"viewed": viewed, "site": trigger.site}).fetchall():
        change = changes[place]
        prices = (
            (change.old_price, change.new_price, change.currency or "")
            if change.old_price and change.new_price
            else None
        )
        key = f"{change.item_id}@{change.at.isoformat()}/{change.event_id}"
        yield Occasion(trigger.name, trigger.site, person, key, change.at, (change.item_id,), prices)


def _wanted(looking: Looking, trigger: TriggerDefinition, when: PriceDrop | BackInStock) -> list[ItemChange]:
    """The changes that the trigger is about, those of the largest drop first."""
    kind = PRICE_DROP if isinstance(when, PriceDrop) else BACK_IN_STOCK
    near = [
        change
        for change in looking.changes
        if change.site == trigger.site and change.kind == kind
        if looking.as_of - trigger.keep <= change.at <= looking.as_of
        if not isinstance(when, PriceDrop) or _percent(change) >= when.least_percent
    ]
    return sorted(near, key=lambda change: (-_percent(change), change.item_id, change.at))


def _percent(change: ItemChange) -> float:
    """By how many per cent the price fell; 0 where nobody says."""
    if not change.old_price or not change.new_price:
        return 0.0
    old, new = Decimal(change.old_price), Decimal(change.new_price)
    return float(100 * (old - new) / old) if old else 0.0


def _as_table(changes: list[ItemChange], by_price: bool) -> pa.Table:
    prices = [Decimal(change.new_price) if by_price and change.new_price else None for change in changes]
    return pa.table(
        {
            "place": pa.array(range(len(changes)), pa.int64()),
            "item_id": pa.array([change.item_id for change in changes], pa.string()),
            "changed_at": pa.array([change.at for change in changes], pa.timestamp("us", "UTC")),
            "wanted_price": pa.array(prices, pa.decimal128(18, 4)),
        }
    )

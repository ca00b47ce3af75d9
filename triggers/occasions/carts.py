"""A cart that was left: something lies in it, and the person does nothing more."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from triggers.definition import CartLeft, TriggerDefinition
from triggers.occasions.looking import Looking
from triggers.occasions.occasion import Occasion

MOST_ITEMS: Final = 20
"""Of a cart that a message names, the newest."""
_LEFT: Final = f"""
WITH ends AS (
    SELECT person_id, max(occurred_at) AS last_at, max(occurred_at) FILTER (event = 'purchase' AND pieces > 0) AS bought_at
    FROM acts GROUP BY person_id
), taken_out AS (
    SELECT person_id, item_id, max(occurred_at) AS out_at FROM acts WHERE event = 'remove_from_cart' AND pieces > 0 GROUP BY ALL
)
SELECT person_id, last_at + $after AS due_at, max(put_at) AS newest, list(item_id ORDER BY put_at DESC, item_id)[:{MOST_ITEMS}]
FROM (
    SELECT person_id, item_id, max(occurred_at) AS put_at FROM acts
    WHERE event = 'add_to_cart' AND pieces > 0 AND item_id IS NOT NULL GROUP BY ALL
) JOIN ends USING (person_id) LEFT JOIN taken_out USING (person_id, item_id)
WHERE put_at > coalesce(bought_at, '-infinity') AND put_at > coalesce(out_at, '-infinity') AND put_at > last_at - $cart
GROUP BY person_id, last_at
HAVING due_at BETWEEN $as_of - $keep AND $as_of
ORDER BY person_id
"""
"""A purchase ends the whole cart, whichever items it names."""


def find(looking: Looking, trigger: TriggerDefinition, when: CartLeft) -> Iterator[Occasion]:
    """The carts whose time came within `keep` before this moment; a cart is known by when its newest item was put there."""
    after, cart = timedelta(minutes=when.after_minutes), timedelta(hours=when.cart_hours)
    looking.show_acts(trigger.site, looking.as_of - trigger.keep - after - cart)
    limits = {"after": after, "cart": cart, "keep": trigger.keep, "as_of": looking.as_of}
    for person, due_at, newest, items in looking.database.execute(_LEFT, limits).fetchall():
        yield Occasion(trigger.name, trigger.site, person, newest.isoformat(), due_at, tuple(items))

"""Rows of silver.events by whose they are, and as the actions that live profiles keep of them: for whoever counts them from the tables."""

from collections.abc import Sequence
from typing import Any, Final

from nextclick.contracts.events import OUTSIDE_SESSIONS, Event
from nextclick.identity.persons import ACCOUNT
from nextclick.profile import profile
from nextclick.profile.profile import Action

FIELDS: Final = (
    "event", "event_id", "client_time", "occurred_at", "item_id", "category", "price", "quantity", "query", "dwell_ms",
)  # fmt: skip


def owned_sql(view: str, visitor: str, user: str, where: str) -> str:
    """SQL: every row of `view` (silver.events) that holds `where`, for its visitor and for its user.

    `kind` is `visitor` or `user` as the caller calls them; with `site`, `owner`, `received_at` and FIELDS. Times are milliseconds. What
    nobody did at the site is left out.
    """
    return f"""
WITH actions AS (
    SELECT * REPLACE (epoch_ms(client_time) AS client_time, epoch_ms(occurred_at) AS occurred_at,
                      epoch_ms(received_at) AS received_at, price::VARCHAR AS price)
    FROM {view} WHERE event NOT IN {OUTSIDE_SESSIONS} AND {where}
), owned AS (
    SELECT '{visitor}' AS kind, visitor_id AS owner, * FROM actions
    WHERE visitor_id IS DISTINCT FROM user_id AND NOT starts_with(visitor_id, '{ACCOUNT}')
    UNION ALL SELECT '{user}', user_id, * FROM actions WHERE user_id <> ''
)
SELECT kind, site, owner, received_at, {", ".join(FIELDS)} FROM owned
"""


def action(received_at: int, fields: Sequence[Any]) -> Action | None:
    """The action of a row, whose `fields` are in the order of FIELDS."""
    return profile.action_of(Event(**dict(zip(FIELDS, fields, strict=True))), received_at)

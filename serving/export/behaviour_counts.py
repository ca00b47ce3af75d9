"""What people do and ask next, and how many buy, counted from silver at the time of a full export."""

import msgspec

from nextclick.errors import TableMissing
from nextclick.kv.lists.packing import CONVERSION, QUERIES, TRANSITIONS
from nextclick.kv.lists.protocol import Entry
from nextclick.profile import conversion
from nextclick.settings import Settings
from serving import human_events
from serving.index.next_action import ACTIONS, LEAVE

_RECENT = "occurred_at > (SELECT max(occurred_at) FROM events) - to_days($days)"
_ACTS = f"""
    SELECT *, CASE event {" ".join(f"WHEN '{kind}' THEN '{action}'" for kind, action in ACTIONS.items())} END AS action
    FROM events WHERE site = $site AND event IN ({", ".join(f"'{kind}'" for kind in ACTIONS)}) AND {_RECENT}
"""
_TRANSITIONS = f"""
    WITH steps AS (
        SELECT action, occurred_at,
            lag(action) OVER visit AS before, lag(occurred_at) OVER visit AS earlier,
            lead(action) OVER visit AS after, lead(occurred_at) OVER visit AS later
        FROM ({_ACTS}) WINDOW visit AS (PARTITION BY visitor_id ORDER BY occurred_at, event_id)
    )
    SELECT CASE WHEN occurred_at - earlier <= to_seconds($gap) THEN before ELSE '' END AS before, action,
        CASE WHEN later - occurred_at <= to_seconds($gap) THEN after ELSE '{LEAVE}' END AS after, count(*) AS n
    FROM steps WHERE later IS NOT NULL OR (SELECT max(occurred_at) FROM events) - steps.occurred_at > to_seconds($gap)
    GROUP BY ALL ORDER BY ALL
"""
_QUERIES = f"""
    SELECT lower(trim(query)) AS asked, count(*) AS n
    FROM events WHERE site = $site AND event = 'search' AND length(trim(query)) BETWEEN 1 AND 100 AND {_RECENT}
    GROUP BY asked HAVING count(DISTINCT visitor_id) >= $visitors ORDER BY n DESC, asked LIMIT $most
"""

Transitions = list[tuple[str, str, str, int]]
"""(action before or "", action, what came after, times)."""
Queries = list[tuple[str, int]]
"""(query in lower case, times), the most frequent first."""


def entries(settings: Settings, site: str) -> list[Entry]:
    """The counts of the last ranking.habit_days; none before silver.events is there.

    The last act of a visitor counts as leaving only once a session's gap has passed since.
    """
    limits = settings.ranking
    try:
        with human_events.events(settings, learned=True) as silver:
            basic = {"site": site, "days": limits.habit_days}
            gap = basic | {"gap": settings.sessions.gap_for(site).total_seconds()}
            transitions = silver.duck.execute(_TRANSITIONS, gap).fetchall()
            most = basic | {"visitors": limits.suggest_min_visitors, "most": limits.suggest_queries}
            queries = silver.duck.execute(_QUERIES, most).fetchall()
    except TableMissing:
        return []
    counts = {QUERIES: queries, TRANSITIONS: transitions, CONVERSION: conversion.count(settings, site)}
    return [(key, msgspec.msgpack.encode(counted)) for key, counted in counts.items()]

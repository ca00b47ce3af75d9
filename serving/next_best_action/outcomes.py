"""Trials: decisions that were answered, and whether what counts happened in their period; read from silver.

Whether an action was seen does not matter: of `none` nothing can be, so all that was answered counts alike. A person in a place
and period is one trial, by the first answer; a period counts once it is over, as of the newest answer.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from nextclick.contracts.events import WITH_PIECES
from nextclick.settings import Settings
from serving.human_events import events
from serving.next_best_action.decisions import DECISION, HOUR_MS, Decision, decode


class DecisionTrial(NamedTuple):
    """One person in one place and period."""

    person: str
    decision: Decision
    outcome: bool


class DecisionTrials(NamedTuple):
    """All trials of a site within a window, and the version of silver.events that they come from."""

    version: int
    rows: list[DecisionTrial]


_QUERY = f"""
WITH answers AS (
    SELECT request_id, min(visitor_id) AS visitor_id, min(user_id) AS user_id,
        min(epoch_ms(occurred_at)) AS answered_ms, min(properties['{DECISION}']) AS decision
    FROM events
    WHERE site = $site AND event = 'served' AND source = 'server' AND properties['{DECISION}'] IS NOT NULL
    GROUP BY request_id
), newest AS (
    SELECT max(answered_ms) AS newest_ms FROM answers
), parted AS (
    SELECT *, answered_ms // $period AS number, (answered_ms // $period + 1) * $period AS end_ms FROM answers
), ripe AS (
    SELECT * FROM parted, newest WHERE answered_ms > newest_ms - $window AND end_ms <= newest_ms
), acts AS (
    SELECT visitor_id, user_id, epoch_ms(occurred_at) AS acted_ms FROM events
    WHERE site = $site AND event = $outcome AND NOT (event IN {WITH_PIECES} AND coalesce(quantity, 1) = 0)
), happened AS (
    SELECT request_id FROM ripe JOIN acts USING (visitor_id) WHERE acted_ms >= answered_ms AND acted_ms < end_ms
    UNION
    SELECT request_id FROM ripe JOIN acts USING (user_id) WHERE acted_ms >= answered_ms AND acted_ms < end_ms
)
SELECT coalesce('user:' || user_id, 'visitor:' || visitor_id), number, decision,
    request_id IN (SELECT request_id FROM happened)
FROM ripe ORDER BY answered_ms, request_id
"""


def read(settings: Settings, outcome: str) -> DecisionTrials:
    """The trials of the last actions.window_days, back from the newest answer, in periods of actions.period_hours, in the order of time:
    those that may be learned from.
    """
    days, hours = settings.actions.window_days, settings.actions.period_hours
    with events(settings, learned=True) as (duck, version):
        values = {"site": settings.site, "outcome": outcome, "window": days * 24 * HOUR_MS, "period": hours * HOUR_MS}
        cursor = duck.execute(_QUERY, values)
        return DecisionTrials(version, list(_firsts(iter(cursor.fetchone, None))))


def _firsts(rows: Iterator[tuple[Any, ...]]) -> Iterator[DecisionTrial]:
    counted = set[tuple[str, str, int]]()
    for person, number, text, outcome in rows:
        decision = decode(text)
        if (key := (person, decision.place, number)) not in counted:
            counted.add(key)
            yield DecisionTrial(person, decision, outcome)

"""Moments of sessions, as they were known then: what conversion_session learns from, and is judged by.

Of each session and level (nextclick/profile/conversion.py) at most one moment, so that long sessions do not count more: some seconds
after an event, drawn between one second and the gap, where no other event came before it. The visitor's profile of that moment is
made of what was known then, and nextclick/profile/predict_features.py makes the terms of it, as in answers. The label is a purchase
later in the same session; sessions that may still go on are left out.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.predictions.foreseen import Foreseen, foreseen, lacking
from ml.predictions.history import DAY, KnownEvents
from ml.predictions.learn import Rows, Task
from nextclick.contracts.events import Event
from nextclick.profile import profile
from nextclick.profile.predict_features import TERMS, SessionRules, session_terms
from nextclick.profile.predictions import SESSION
from nextclick.profile.profile import Action
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


_JUDGED_FROM: Final = 0.75


class SessionMoments(NamedTuple):
    """Moments by rising start of their session."""

    rows: Rows
    started: NDArray[np.int64]
    """When the session began; microseconds. All moments of one session have the same."""
    until: NDArray[np.int64]
    """Until when its label looked; microseconds."""

    def between(self, first: float, last: float) -> Rows:
        """Those of the sessions of a share of all moments, by their start; none whose label looks into the next part."""
        begin, end = (self._bound(share) for share in (first, last))
        return self.rows.where((self.started >= begin) & (self.started < end) & (self.until <= end))

    def _bound(self, share: float) -> int:
        """Where a part begins; after the last one, the end of time."""
        place = int(share * len(self.started))
        return int(self.started[place]) if place < len(self.started) else int(np.iinfo(np.int64).max)


_MOMENTS: Final = """
CREATE OR REPLACE TEMP TABLE moments AS
WITH turns AS (
    SELECT visitor_id, user_id, event_id, event, happened, known_from,
        coalesce(happened - lag(happened) OVER visitor > $gap, true) AS opens, lead(happened) OVER visitor AS next_at
    FROM history WHERE happened >= $since WINDOW visitor AS (PARTITION BY visitor_id ORDER BY happened, event_id)
), sessions AS (
    SELECT *, count_if(opens) OVER so_far AS session, count_if(event = 'purchase') OVER so_far AS bought
    FROM turns WINDOW so_far AS (PARTITION BY visitor_id ORDER BY happened, event_id ROWS UNBOUNDED PRECEDING)
), deep AS (
    SELECT *, count_if(event = 'view_item') OVER since AS views, count_if(event = 'add_to_cart') OVER since AS carts,
        min(happened) OVER whole AS started, max(happened) OVER whole AS ended,
        max(happened) FILTER (event = 'purchase') OVER whole AS last_bought,
        happened + 1000 * ceil(1000 * pow($gap / 1e6, (hash(event_id, happened) >> 11) / 9007199254740992))::BIGINT AS as_of
    FROM sessions WINDOW
        since AS (PARTITION BY visitor_id, session, bought ORDER BY happened, event_id ROWS UNBOUNDED PRECEDING),
        whole AS (PARTITION BY visitor_id, session)
), drawn AS (
    SELECT visitor_id, user_id, as_of, started, ended + $gap AS until, coalesce(last_bought >= as_of, false) AS label,
        CASE WHEN carts >= 1 THEN 4 ELSE (views >= 1)::INT + (views >= 2)::INT + (views >= 5)::INT END AS level
    FROM deep WHERE known_from < as_of AND coalesce(next_at >= as_of, true) AND ended + $gap <= $newest
    QUALIFY row_number() OVER (PARTITION BY visitor_id, session, level ORDER BY hash(event_id), event_id) = 1
)
SELECT row_number() OVER (ORDER BY started, visitor_id, as_of) AS moment, *
FROM (FROM drawn ORDER BY started DESC, visitor_id, as_of LIMIT $most)
"""
_FIELDS: Final = ("event", "event_id", "item_id", "category", "price", "quantity", "query", "dwell_ms")
_KNOWN: Final = """
SELECT moment, h.rowid AS line, least(happened // 1000, received_ms) AS reached
FROM moments m JOIN history h ON h.{who} = m.{who} AND h.happened < m.as_of AND h.known_from < m.as_of
"""
_OF_MOMENTS: Final = f"""
CREATE OR REPLACE TEMP TABLE of_moments AS
SELECT moment, line FROM ({_KNOWN.format(who="visitor_id")} UNION {_KNOWN.format(who="user_id")})
QUALIFY rank() OVER (PARTITION BY moment ORDER BY reached DESC) <= {profile.K}
"""
_ACTIONS: Final = f"""
SELECT rowid, received_ms, client_ms, happened // 1000, {", ".join(_FIELDS)} FROM history
WHERE rowid IN (SELECT line FROM of_moments)
"""


def session_moments(database: "DuckDBPyConnection", settings: Settings, history: KnownEvents) -> SessionMoments:
    """The newest moments of `history`."""
    chosen, gap_ms = settings.predictions, settings.sessions.gap_ms_for(settings.site)
    since = history.newest - round(chosen.session_days * DAY)
    params = {"gap": gap_ms * 1000, "since": since, "newest": history.newest, "most": chosen.max_moments}
    database.execute(_MOMENTS, params)
    drawn = database.execute(
        "SELECT as_of, started, until, label, hash(visitor_id) AS side FROM moments ORDER BY moment"
    ).fetchnumpy()
    rules = SessionRules.of(settings, settings.site)
    terms = [
        session_terms(known, as_of // 1000, rules) or (0.0,) * len(TERMS)
        for as_of, known in zip(drawn["as_of"].tolist(), _profiles(database), strict=True)
    ]
    columns = np.array(terms, np.float64).reshape(-1, len(TERMS)).T
    side = (drawn["side"] >> np.uint64(11)) / 2.0**53
    rows = Rows(dict(zip(TERMS, columns, strict=True)), drawn["label"].astype(np.float64), side)
    return SessionMoments(rows, drawn["started"], drawn["until"])


def _profiles(database: "DuckDBPyConnection") -> Iterator[profile.Profile]:
    """The profile of each moment, in order: of the visitor and, where one was logged in, of the user."""
    database.execute(_OF_MOMENTS)
    actions: dict[int, Action] = {}
    events = database.execute(_ACTIONS)
    while rows := events.fetchmany(10_000):
        for line, received_ms, client_ms, occurred_ms, *fields in rows:
            event = Event(client_time=client_ms, occurred_at=occurred_ms, **dict(zip(_FIELDS, fields, strict=True)))
            if action := profile.action_of(event, received_ms):
                actions[line] = action
    grouped = database.execute(
        "SELECT list(line) FROM moments LEFT JOIN of_moments USING (moment) GROUP BY moment ORDER BY moment"
    )
    while lists := grouped.fetchmany(10_000):
        for (lines,) in lists:
            yield profile.merge(profile.EMPTY, [actions[line] for line in lines if line in actions])


def foresee(database: "DuckDBPyConnection", settings: Settings, history: KnownEvents) -> Foreseen | str:
    """conversion_session, or why there is none: learned from the earlier sessions, judged on the last."""
    moments = session_moments(database, settings, history)
    learned, judged = moments.between(0, _JUDGED_FROM), moments.between(_JUDGED_FROM, 1)
    if reason := lacking(settings, "moments of sessions", learned, judged):
        return reason
    return foreseen(settings, Task(SESSION, 0, "depth"), learned, judged)

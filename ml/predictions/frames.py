"""Point-in-time frames: people as of one moment, what was known of each then, and what each did in the time after.

What a frame may hold (docs/predictions.md says why):

    features   of events that happened before `as_of` and were known before it; sessions are cut there, and who is who is what
               these events say
    labels     of events from `as_of` on, before `as_of` + horizon; that end is no later than the newest event
    people     of `active_days` before `as_of`; no feature looks back further than `lookback_days`, which the data covers in each frame

One query makes the features of a frame that is learned from, of one that is judged and of the one that people are scored by.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml.predictions.history import DAY
from nextclick.errors import ModelError
from nextclick.lake.people import persons

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Floats = NDArray[np.float64]
NUMBERS: Final = (
    "recency", "tenure", "events", "sessions", "active_days", "events_1d", "events_3d", "events_7d", "per_session", "gap",
    "recency_over_gap", "item_views", "carts", "purchases", "hour",
)  # fmt: skip
"""Times in days, but `hour`: that of the last event, in UTC. `gap` is the mean time between the starts of sessions."""
WORDS: Final = ("channel", "device")
"""Of the last event."""


class Window(NamedTuple):
    """What decides what a frame is, besides its moment."""

    gap: int
    """A longer pause of a person opens a session; microseconds."""
    lookback: int
    """How far features look back; microseconds."""
    active: int
    """People without an event in this time before `as_of` are not in the frame; microseconds."""
    horizons: dict[str, int]
    """How far each label looks ahead; microseconds."""
    nobody_words: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Frame:
    """People by rising id; a column has an entry for each."""

    as_of: int
    """Microseconds since 1970-01-01 UTC, as all times."""
    people: pa.StringArray
    numbers: dict[str, Floats]
    words: dict[str, NDArray[Any]]
    labels: dict[str, Floats]
    """0 or 1 by what is foreseen; none of a frame that people are scored by."""
    label_until: dict[str, int]

    def __len__(self) -> int:
        return len(self.people)


_KNOWN: Final = """
CREATE OR REPLACE TEMP TABLE known AS
SELECT $site AS site, visitor_id, user_id, event_id, event, occurred_at, happened, channel, device
FROM history WHERE happened < $as_of AND known_from < $as_of AND happened >= $since
"""
_LINKED_THEN: Final = """
CREATE OR REPLACE TEMP TABLE linked_then AS SELECT * FROM linked WHERE happened < $as_of AND known_from < $as_of
"""
_FEATURES: Final = f"""
CREATE OR REPLACE TEMP TABLE features AS
WITH acts AS (
    SELECT *, coalesce(happened - lag(happened) OVER person > $gap, true) AS opens
    FROM known_people WINDOW person AS (PARTITION BY person_id ORDER BY happened, event_id)
), counted AS (
    SELECT person_id, ($as_of - max(happened)) / {DAY} AS recency, ($as_of - min(happened)) / {DAY} AS tenure,
        count(*) AS events, count_if(opens) AS sessions, count(DISTINCT ($as_of - happened - 1) // {DAY}) AS active_days,
        count_if(happened >= $as_of - 1 * {DAY}) AS events_1d, count_if(happened >= $as_of - 3 * {DAY}) AS events_3d,
        count_if(happened >= $as_of - 7 * {DAY}) AS events_7d,
        (max(happened) FILTER (opens) - min(happened)) / {DAY} / greatest(sessions - 1, 1) AS gap,
        count_if(event = 'view_item') AS item_views, count_if(event = 'add_to_cart') AS carts,
        count_if(event = 'purchase') AS purchases, max(happened) % {DAY} / {DAY // 24} AS hour,
        arg_max(coalesce(channel, ''), (happened, event_id)) AS channel, arg_max(coalesce(device, ''), (happened, event_id)) AS device
    FROM acts GROUP BY person_id HAVING max(happened) >= $as_of - $active
)
SELECT person_id, {{columns}}
FROM (SELECT *, events / sessions AS per_session, recency / greatest(gap, 0.25) AS recency_over_gap FROM counted)
ORDER BY person_id
"""
_LABELS: Final = """
WITH of_user AS (
    SELECT user_id, arg_max(person_id, (happened, event_id)) AS person_id FROM known_people WHERE user_id IS NOT NULL GROUP BY user_id
), of_visitor AS (
    SELECT visitor_id, arg_max(person_id, (happened, event_id)) AS person_id FROM known_people GROUP BY visitor_id
), later AS (
    SELECT coalesce(u.person_id, v.person_id) AS person_id, happened, event
    FROM history LEFT JOIN of_user u USING (user_id) LEFT JOIN of_visitor v USING (visitor_id) WHERE happened >= $as_of
)
SELECT person_id, bool_or(happened < $churn) AS returned, bool_or(event = 'purchase' AND happened < $conversion_7d) AS bought
FROM later GROUP BY person_id
"""


def frame(database: "DuckDBPyConnection", site: str, as_of: int, window: Window, newest: int | None = None) -> Frame:
    """The frame of one moment, of `history` and `linked`; with `newest`, the time up to which these are whole, also its labels.

    ModelError where a label would look beyond `newest`: it would say that nobody comes back.
    """
    until = {name: as_of + horizon for name, horizon in window.horizons.items()}
    if newest is not None and (late := [name for name, end in until.items() if end > newest]):
        raise ModelError(
            f"The frame of {np.datetime64(as_of, 'us')} has no ripe labels for {', '.join(late)}: they end after the newest event."
        )
    _show_known(database, site, as_of, window)
    columns = ", ".join((*(f"{name}::DOUBLE AS {name}" for name in NUMBERS), *WORDS))
    database.execute(_FEATURES.format(columns=columns), {"as_of": as_of, "gap": window.gap, "active": window.active})
    rows = database.sql("FROM features ORDER BY person_id").to_arrow_table().combine_chunks()
    people = pa.chunked_array(rows["person_id"], pa.string()).combine_chunks()
    labels = _labels(database, as_of, until) if newest is not None else {}
    return Frame(
        as_of=as_of,
        people=people,
        numbers={name: rows[name].to_numpy() for name in NUMBERS},
        words={name: rows[name].to_numpy(zero_copy_only=False) for name in WORDS},
        labels=labels,
        label_until=until if labels else {},
    )


def _show_known(database: "DuckDBPyConnection", site: str, as_of: int, window: Window) -> None:
    """What was known at `as_of`, with the person that each event was of by what was known then."""
    database.execute(_KNOWN, {"site": site, "as_of": as_of, "since": as_of - window.lookback})
    database.execute(_LINKED_THEN, {"as_of": as_of})
    persons.link(database, "linked_then", window.nobody_words)
    persons.of_links(database, "known_people", "known")


def _labels(database: "DuckDBPyConnection", as_of: int, until: dict[str, int]) -> dict[str, Floats]:
    """By person of `features`: no event of the person's own before the end of `churn`; a purchase before that of `conversion_7d`."""
    joined = f"SELECT returned, bought FROM features LEFT JOIN ({_LABELS}) USING (person_id) ORDER BY person_id"
    ends = {name: until.get(name, as_of) for name in ("churn", "conversion_7d")}
    rows = database.execute(joined, {"as_of": as_of, **ends}).fetchnumpy()
    returned, bought = (np.ma.filled(rows[name], False).astype(np.float64) for name in ("returned", "bought"))
    every = {"churn": 1.0 - returned, "conversion_7d": bought}
    return {name: every[name] for name in until}

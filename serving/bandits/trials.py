"""Trials: what bandits drew and was really shown, and whether it was clicked; read from silver.

A `served` record carries its draws in the property `draws`. An event that names the request and the arm
(`item_id`, or the property `banner`) says that the arm was shown; if that event is a click, it was rewarded.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from nextclick.settings import Settings
from serving.human_events import events

DRAWS = "draws"
"""The property of a served record that holds a JSON array of `Draw`."""


class Draw(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One arm that a bandit drew for an answer."""

    bandit: str
    arm: str
    """Id of the banner, or of the item."""
    propensity: float
    """The probability with which it was drawn; of an item in several places, for this place."""
    arms: int
    """How many there were to choose from."""
    position: int | None = None
    """The place in the list that it fills, from 1; None: it is a banner."""
    context: list[float] = []
    """What was known of the visitor, whether the method takes it into account or not."""


class Trial(NamedTuple):
    """A draw that was shown."""

    request_id: str
    draw: Draw
    clicked: bool


class Trials(NamedTuple):
    """All trials of a site within a window, and the version of silver.events that they come from."""

    version: int
    rows: list[Trial]


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Draw]).decode

_QUERY = f"""
WITH answers AS (
    SELECT request_id, properties['{DRAWS}'] AS draws, occurred_at
    FROM events
    WHERE site = $site AND event = 'served' AND source = 'server' AND properties['{DRAWS}'] IS NOT NULL
), recent AS (
    SELECT request_id, min(draws) AS draws FROM answers
    WHERE occurred_at > (SELECT max(occurred_at) FROM answers) - to_days($days)
    GROUP BY request_id
), named AS (
    SELECT request_id, coalesce(properties['banner'], item_id) AS arm, bool_or(event = 'click') AS clicked
    FROM events
    WHERE site = $site AND event <> 'served' AND request_id IS NOT NULL
    GROUP BY ALL
)
SELECT request_id, any_value(draws), map_from_entries(list((arm, clicked)))
FROM recent JOIN named USING (request_id)
WHERE arm IS NOT NULL
GROUP BY request_id
ORDER BY request_id
"""


def read(settings: Settings, learned: bool = False) -> Trials:
    """The trials of the last bandits.window_days, back from the newest answer, in the order of their requests.

    Each draw counts once, however often its events were sent: silver holds each event once, and
    several events of one request and arm are one trial. `learned` as in nextclick.lake.people.human_events.
    """
    with events(settings, learned) as (duck, version):
        cursor = duck.execute(_QUERY, {"site": settings.site, "days": settings.bandits.window_days})
        return Trials(version, list(_trials(iter(cursor.fetchone, None))))


def _trials(rows: Iterator[tuple[str, str, dict[str, bool]]]) -> Iterator[Trial]:
    for request_id, draws, shown in rows:
        for draw in {(draw.bandit, draw.arm): draw for draw in _decode(draws)}.values():
            if draw.arm in shown:
                yield Trial(request_id, draw, shown[draw.arm])

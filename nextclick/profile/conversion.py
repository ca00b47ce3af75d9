"""The chance that the session which is open now ends in a purchase: counted rates, smoothed.

A session is at the highest level that it has reached since its last purchase. Its chance is that of
all sessions of people on the site that reached the level, drawn towards the rate of all sessions where few did:

    p(level) = (bought + STRENGTH · r) / (sessions + STRENGTH),  r = (all bought + 1) / (all sessions + 2)

This is the mean of a Beta posterior whose prior is the overall rate with the weight of STRENGTH sessions.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import msgspec

from nextclick.contracts.silver import SESSIONS
from nextclick.lake.delta import open_table
from nextclick.lake.duck import connect
from nextclick.lake.people import human_events
from nextclick.profile.profile import Action
from nextclick.settings import Settings

LEVELS: Final = ("item_views >= 0", "item_views >= 1", "item_views >= 2", "item_views >= 5", "carts >= 1")
"""What a session of silver.sessions has done to have reached a level, the highest last."""
STRENGTH: Final = 20.0
_VIEWS: Final = (0, 1, 2, 5)


class ConversionRates(msgspec.Struct, frozen=True):
    """Of each level the sessions that reached it, and those of them with a purchase."""

    sessions: tuple[int, ...] = (0,) * len(LEVELS)
    bought: tuple[int, ...] = (0,) * len(LEVELS)

    def chance(self, level: int) -> float:
        overall = (self.bought[0] + 1) / (self.sessions[0] + 2)
        return (self.bought[level] + STRENGTH * overall) / (self.sessions[level] + STRENGTH)


def count(settings: Settings, site: str) -> ConversionRates:
    """Rates of the sessions of people on a site that may be learned from; none where silver.sessions was never written.

    Seconds for millions, without a JVM.
    """
    table = open_table(settings.lake, SESSIONS.name)
    if table is None:
        return ConversionRates()
    reached = ", ".join(f"count(*) FILTER ({level})" for level in LEVELS)
    bought = ", ".join(f"count(*) FILTER ({level} AND purchases > 0)" for level in LEVELS)
    with connect(settings.lake) as duck:
        human_events.show(duck, "sessions", settings, SESSIONS.name, table, learned=True)
        row = duck.execute(f"SELECT {reached}, {bought} FROM sessions WHERE site = $site", {"site": site}).fetchall()[0]
    return ConversionRates(row[: len(LEVELS)], row[len(LEVELS) :])


def probability(session: Sequence[Action], rates: ConversionRates) -> float:
    """For the actions of the open session (live_features.open_session), the newest first."""
    since = list(takewhile(lambda action: action.kind != "purchase", session))
    if any(action.kind == "add_to_cart" for action in since):
        return rates.chance(len(LEVELS) - 1)
    views = sum(action.kind == "view_item" for action in since)
    return rates.chance(max(level for level, least in enumerate(_VIEWS) if views >= least))

"""What a live profile says of the session that is open: the terms of conversion_session.

The one function of it: answers call it with the profile of the moment, training with profiles made of what was known at a past moment.
So the same actions give the same numbers, bit for bit (plain floats of `math`, no arrays).
"""

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import Final, Self

import msgspec

from nextclick.profile.live_features import open_session
from nextclick.profile.profile import Action, Profile
from nextclick.settings import Settings

_HOUR: Final = 3_600_000
TERMS: Final = (
    "depth", "acts", "views", "views_2", "views_5", "carts", "in_cart", "removed", "searches", "items", "views_of_last", "since_start",
    "since_last", "dwell", "cart_value", "viewed_value", "bought_now", "bought_before", "since_bought", "acts_before", "since_before",
    "hour_sin", "hour_cos",
)  # fmt: skip
"""docs/predictions.md defines them."""


class SessionRules(msgspec.Struct, frozen=True):
    """What the terms depend on besides the profile; milliseconds."""

    gap_ms: int
    keep_ms: int
    """Older actions count for nothing: the store may have dropped them."""

    @classmethod
    def of(cls, settings: Settings, site: str) -> Self:
        return cls(settings.sessions.gap_ms_for(site), settings.live.keep_ms)


def session_terms(profile: Profile, now: int, rules: SessionRules) -> tuple[float, ...] | None:
    """In the order of TERMS; None where no session is open."""
    actions = profile.since(now - rules.keep_ms).actions
    session = open_session(actions, now, rules.gap_ms)
    if not session:
        return None
    before = actions[len(session) :]
    since = list(takewhile(lambda action: action.kind != "purchase", session))
    views = [action for action in since if action.kind == "view_item"]
    carts = [action for action in since if action.kind == "add_to_cart"]
    bought = next((action.at for action in actions if action.kind == "purchase"), None)
    hour = 2 * math.pi * (now % (24 * _HOUR)) / (24 * _HOUR)
    log = math.log1p
    return (
        float(depth(since)),
        log(len(since)),
        log(len(views)),
        float(len(views) >= 2),
        float(len(views) >= 5),
        log(len(carts)),
        float(bool(carts)),
        log(_count(since, "remove_from_cart")),
        log(_count(since, "search")),
        log(len({action.item for action in since if action.item})),
        log(sum(action.item == views[0].item for action in views)) if views else 0.0,
        log(max(0, now - session[-1].at) / 1000),
        log(max(0, now - session[0].at) / 1000),
        log(sum(action.dwell_ms for action in session) / 1000),
        log(sum(action.value for action in carts) / 10_000),
        log(views[0].value / 10_000) if views else 0.0,
        log(_count(session, "purchase")),
        log(_count(before, "purchase")),
        log(max(0, now - bought) / _HOUR) if bought is not None else 0.0,
        log(len(before)),
        log(max(0, session[-1].at - before[0].at) / _HOUR) if before else 0.0,
        math.sin(hour),
        math.cos(hour),
    )


def depth(since: Sequence[Action]) -> int:
    """The level of nextclick.profile.conversion that a session has reached since its last purchase: 4 with something in the cart, 3
    with five items viewed, 2 with two, 1 with one, else 0."""
    if any(action.kind == "add_to_cart" for action in since):
        return 4
    views = _count(since, "view_item")
    return (views >= 1) + (views >= 2) + (views >= 5)


def _count(actions: Sequence[Action], kind: str) -> int:
    return sum(action.kind == kind for action in actions)

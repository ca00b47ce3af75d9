"""Attribution, retention, a funnel and an audience as the generator knows them: counted from what it did, event by event.

Nothing here is shared with the reports whose answers stand beside it.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from demo.traffic.trackers import Fields

OUTSIDE_VISITS: Final = ("impression", "identify", "alias", "email_delivered", "email_open", "email_click")
"""What is no part of a visit."""
DAYS_LATER: Final = 7
STEPS: Final = ("view_item", "add_to_cart", "purchase")
"""The funnel `order` of conf/demo.toml."""
WITHIN: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
LOOKED_AT: Final = 3
_CHANNELS: Final = {"newsletter": "email", "searchads": "paid_search", "chatter": "organic_social"}
"""By utm_source of the shop's links."""


class DemoFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Answers, which the generator knows and reports give."""

    credited: dict[str, int]
    """Orders by the channel of the last visit up to them that did not come directly; by `direct` where all did."""
    first_seen: int
    """Visitors whose first day lies at least DAYS_LATER days before the newest."""
    seen_again: int
    """Those of them who came on exactly that day after their first."""
    funnel: tuple[int, ...]
    """Visitors by the step that they reached, or went beyond."""
    lookers: int
    """Visitors who belong to the audience of conf/audiences/example.toml at the end of the last day."""


class Visit(NamedTuple):
    """Events of one visitor, oldest first, with their epoch ms."""

    visitor: str
    events: list[tuple[int, Fields]]


def visits_of(acts: Iterable[tuple[int, Fields]], gap: timedelta) -> list[Visit]:
    """All visits, those of a visitor in order of time. A gap longer than `gap` opens a new one."""
    longest = gap // timedelta(milliseconds=1)
    inside = [(event["visitor_id"], at, event) for at, event in acts if event["event"] not in OUTSIDE_VISITS]
    visits: list[Visit] = []
    for visitor, at, event in sorted(inside, key=itemgetter(0, 1)):
        if not visits or visits[-1].visitor != visitor or at - visits[-1].events[-1][0] > longest:
            visits.append(Visit(visitor, []))
        visits[-1].events.append((at, event))
    return visits


def figures(visits: list[Visit], end: int) -> DemoFigures:
    """Of visits as `visits_of` has them; the last day ends at `end` (epoch ms)."""
    first_seen, seen_again = _retained(visits)
    return DemoFigures(
        credited=_credited(visits),
        first_seen=first_seen,
        seen_again=seen_again,
        funnel=_funnel(visits),
        lookers=_lookers(visits, end),
    )


def _lookers(visits: list[Visit], end: int) -> int:
    """Who viewed three distinct items within the day before `end`, and bought nothing in it."""
    viewed: dict[str, set[str]] = {}
    buyers = set()
    for visitor, events in visits:
        for _, event in (each for each in events if end - DAY // timedelta(milliseconds=1) < each[0] <= end):
            if event["event"] == "purchase":
                buyers.add(visitor)
            elif event["event"] == "view_item" and "item_id" in event:
                viewed.setdefault(visitor, set()).add(event["item_id"])
    return sum(len(items) >= LOOKED_AT and visitor not in buyers for visitor, items in viewed.items())


def _credited(visits: list[Visit]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for _, theirs in groupby(visits, key=lambda visit: visit.visitor):
        last = "direct"
        orders: set[str] = set()
        for visit in theirs:
            came_by = _channel(visit.events[0][1])
            last = last if came_by == "direct" else came_by
            new = {event["order_id"] for _, event in visit.events if event["event"] == "purchase"} - orders
            counts[last] += len(new)
            orders |= new
    return {channel: count for channel, count in sorted(counts.items()) if count}


def _channel(first: Fields) -> str:
    if "utm_source" in first:
        return _CHANNELS[first["utm_source"]]
    return "referral" if "referrer" in first else "direct"


def _retained(visits: list[Visit]) -> tuple[int, int]:
    days: dict[str, set[date]] = {}
    for visitor, events in visits:
        days.setdefault(visitor, set()).update(datetime.fromtimestamp(at / 1000, UTC).date() for at, _ in events)
    later = timedelta(DAYS_LATER)
    newest = max(max(theirs) for theirs in days.values())
    lived = [theirs for theirs in days.values() if min(theirs) + later <= newest]
    return len(lived), sum(min(theirs) + later in theirs for theirs in lived)


def _funnel(visits: list[Visit]) -> tuple[int, ...]:
    """From each first step the earliest second one is the best, and so on."""
    times: dict[str, dict[str, list[int]]] = {}
    for visitor, events in visits:
        for at, event in events:
            times.setdefault(visitor, {}).setdefault(event["event"], []).append(at)
    reached = [max((_depth(theirs, at) for at in theirs.get(STEPS[0], [])), default=0) for theirs in times.values()]
    return tuple(sum(depth > step for depth in reached) for step in range(len(STEPS)))


def _depth(times: dict[str, list[int]], start: int) -> int:
    """How many steps a chain has that begins with a first step at `start`."""
    at = start
    for depth, step in enumerate(STEPS[1:], 1):
        later = times.get(step, [])
        place = bisect_left(later, at)
        if place == len(later) or later[place] > start + WITHIN // timedelta(milliseconds=1):
            return depth
        at = later[place]
    return len(STEPS)

"""The plain recomputation of visits, and of what is counted of them by day: standard Python over landed events, as tests/oracle.py.

Of goals it knows one, `pro`: an add_to_cart whose property `plan` is pro.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests import oracle
from tests.oracle import Event, Rows, day, is_robot

VIEWS = {"page_view", "view_item", "screen_view"}
PASSIVE = {"engagement", "scroll", "pause", "refund"}
AGENTS = {True: "bot", False: "desktop"}


class Visit(NamedTuple):
    """A visit of a person, its events in order."""

    visitor: str
    rows: Rows

    @property
    def start(self) -> int:
        return self.rows[0][0]

    @property
    def events(self) -> list[Event]:
        return [event for _, _, event in self.rows]

    def orders(self) -> set[Any]:
        """What a purchase of it belongs to: an order, or the visit."""
        return {event.get("order_id", self.start) for event in self.events if event["event"] == "purchase"}


def people_visits(events: Iterable[Event], gap_ms: int, gaps_ms: Any) -> list[Visit]:
    """Without those that start with a robot's agent."""
    found = (Visit(*visit) for visit in oracle.visits(events, gap_ms, gaps_ms))
    return [visit for visit in found if not is_robot(visit.events[0])]


def _revenue(events: Iterable[Event]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for event in events:
        if event["event"] == "purchase" and "price" in event:
            total[event.get("currency", "")] += Decimal(event["price"]) * event.get("quantity", 1)
    return dict(total)


def _views(events: Iterable[Event]) -> int:
    return sum(event["event"] in VIEWS for event in events)


def _is_pro(event: Event) -> bool:
    return (event["event"], event.get("properties", {}).get("plan")) == ("add_to_cart", "pro")


def _source(event: Event) -> tuple[str, bool]:
    """Where the event's visitor came from, and whether that is the site itself."""
    page, referrer = (urlsplit(event.get(name, "")) for name in ("page_url", "referrer"))
    tagged = parse_qs(page.query).get("utm_source")
    internal = not tagged and bool(referrer.netloc) and referrer.netloc == page.netloc
    return (tagged or [referrer.netloc or "(direct)"])[0], internal


def _page(event: Event) -> str | None:
    return oracle.cleaned(event["page_url"]).partition("?")[0] if "page_url" in event else None


def rows(visits: Iterable[Visit], zone: str) -> Counter[tuple[Any, ...]]:
    """(day, visitor, start, events, views, items, orders, source, user, goals, revenue) of every visit."""
    return Counter(
        (
            day(visit.start, zone),
            visit.visitor,
            visit.start,
            len(visit.rows),
            _views(visit.events),
            len({event["item_id"] for event in visit.events if "item_id" in event}),
            len(visit.orders()),
            _source(visit.events[0])[0],
            next((event["user_id"] for event in reversed(visit.events) if "user_id" in event), None),
            sum(map(_is_pro, visit.events)),
            tuple(sorted(_revenue(visit.events).items())),
        )
        for visit in visits
    )


def visitor_days(visits: Iterable[Visit], zone: str) -> dict[tuple[date, str], tuple[Any, ...]]:
    """(day, visitor) → visits that began, events, views, orders, goals, revenue."""
    began = Counter[Any]()
    events: dict[Any, list[Event]] = defaultdict(list)
    orders: dict[Any, set[Any]] = defaultdict(set)
    for visit in visits:
        began[day(visit.start, zone), visit.visitor] += 1
        for at, _, event in visit.rows:
            key = day(at, zone), visit.visitor
            events[key].append(event)
            if event["event"] == "purchase":
                orders[key].add(event.get("order_id", visit.start))
    return {
        key: (began[key], len(some), _views(some), len(orders[key]), sum(map(_is_pro, some)), _revenue(some))
        for key, some in events.items()
    }


def events_a_day(events: Iterable[Event], visits: Iterable[Visit], zone: str) -> dict[Any, tuple[int, int, int]]:
    """(day, kind, platform) → events, visitors, visits: those of people's visits, and outside visits those of people."""
    kinds = oracle.IGNORED - {"item_update"}
    alone = ((event, None) for event in events if event["event"] in kinds and not is_robot(event))
    found: dict[Any, list[tuple[str, Any]]] = defaultdict(list)
    for event, start in (*alone, *((event, visit.start) for visit in visits for event in visit.events)):
        platform = AGENTS[is_robot(event)] if "user_agent" in event else "unknown"
        key = day(oracle.at(event), zone), event["event"], platform
        found[key].append((oracle.visitor_of(event), start))
    return {
        key: (len(some), len({visitor for visitor, _ in some}), len({one for one in some if one[1] is not None}))
        for key, some in found.items()
    }


def pages_a_day(visits: Iterable[Visit], zone: str, most: int) -> dict[Any, tuple[int, ...]]:
    """(day, page) → views, visitors, entries, exits, entries that bounced; beyond `most` pages a day `(other)`."""
    looks: dict[date, list[tuple[str, str, tuple[int, ...]]]] = defaultdict(list)
    for visit in visits:
        for at, _, event in visit.rows:
            if page := _page(event):
                looks[day(at, zone)].append((page, visit.visitor, (int(event["event"] in VIEWS), 0, 0, 0)))
        seen = [page for event in visit.events if (page := _page(event))]
        if seen:
            bounced = sum(event["event"] not in PASSIVE for event in visit.events) <= 1
            began = looks[day(visit.start, zone)]
            began += [(seen[0], visit.visitor, (0, 1, 0, bounced)), (seen[-1], visit.visitor, (0, 0, 1, 0))]
    found: dict[Any, tuple[int, ...]] = {}
    for on, some in looks.items():
        views = Counter[str]()
        for page, _, counts in some:
            views[page] += counts[0]
        named = {page for page, _ in sorted(views.items(), key=lambda item: (-item[1], item[0]))[:most]}
        for page in {page if page in named else "(other)" for page, _, _ in some}:
            here = [one for one in some if (one[0] if one[0] in named else "(other)") == page]
            viewed, *others = (sum(column) for column in zip(*(counts for _, _, counts in here), strict=True))
            found[on, page] = (viewed, len({visitor for _, visitor, counts in here if counts[0]}), *others)
    return found


def conversions(visits: Iterable[Visit], zone: str, lookback_ms: int) -> dict[Any, tuple[Any, ...]]:
    """(visitor, goal, order or start of the visit) → time, day, revenue, pieces, (start, source) of each touch."""
    parts: dict[Any, list[tuple[int, Event]]] = defaultdict(list)
    touches: dict[str, list[tuple[int, str, bool]]] = defaultdict(list)
    for visit in visits:
        touches[visit.visitor].append((visit.start, *_source(visit.events[0])))
        for at, _, event in visit.rows:
            if event["event"] == "purchase":
                parts[visit.visitor, "purchase", event.get("order_id", visit.start)].append((at, event))
            elif _is_pro(event):
                parts[visit.visitor, "pro", visit.start].append((at, event))
    return {key: _conversion(key, some, touches[key[0]], zone, lookback_ms) for key, some in parts.items()}


def _conversion(
    key: Any, parts: list[tuple[int, Event]], touches: list[tuple[int, str, bool]], zone: str, lookback_ms: int
) -> tuple[Any, ...]:
    at = min(when for when, _ in parts)
    events = [event for _, event in parts if key[1] == "purchase"]
    near = sorted(touch for touch in touches if at - lookback_ms < touch[0] <= at)
    path = [touch for touch in near if not touch[2]] or near
    pieces = sum(event.get("quantity", 1) for event in events)
    return at, day(at, zone), _revenue(events), pieces, tuple((start, source) for start, source, _ in path)

"""The plain recomputation that the streams must equal: standard Python over landed events, sharing no code with them."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

Event = Mapping[str, Any]
Fates = dict[tuple[str, str], dict[str, Any]]
Rows = list[tuple[int, str, Event]]

IGNORED = {"served", "impression", "identify", "alias", "item_update", "request"}


def first_arrivals(events: Iterable[Event]) -> tuple[list[Event], int, int]:
    """Good events in order of arrival → (first of each identity, duplicates, collisions)."""
    first: dict[tuple[Any, ...], Event] = {}
    duplicates = collisions = 0
    times = ("client_time", "occurred_at", "sent_at")
    for event in events:
        identity = (event.get("site", "default"), event["event_id"], event["client_time"])
        if identity not in first:
            first[identity] = event
        elif all(first[identity].get(k) == event.get(k) for k in {*first[identity], *event} if k not in times):
            duplicates += 1
        else:
            collisions += 1
    return list(first.values()), duplicates, collisions


def visitor_of(event: Event) -> str:
    """The device; of a user's event without one, what no device is called."""
    return str(event.get("visitor_id") or f" user:{event['user_id']}")


def visits(events: Iterable[Event], gap_ms: int, gaps_ms: Mapping[str, int] = {}) -> Iterator[tuple[str, Rows]]:
    """(visitor, [(time, id, event), …] in order) of every session; sites of `gaps_ms` have a gap of their own."""
    by_visitor: dict[tuple[str, str], Rows] = defaultdict(list)
    for event in events:
        if event["event"] not in IGNORED:
            owner = event.get("site", "default"), visitor_of(event)
            by_visitor[owner].append((at(event), event["event_id"], event))
    for (site, visitor), rows in by_visitor.items():
        gap = gaps_ms.get(site, gap_ms)
        rows.sort(key=lambda row: row[:2])
        start = 0
        for index in range(1, len(rows) + 1):
            if index == len(rows) or rows[index][0] - rows[index - 1][0] > gap:
                yield visitor, rows[start:index]
                start = index


def sessions(events: Iterable[Event], gap_ms: int, gaps_ms: Mapping[str, int] = {}) -> Counter[tuple[Any, ...]]:
    """(visitor, start, end, events, item views, purchases, revenue, first page, last page) of every session."""
    return Counter(_session(visitor, rows) for visitor, rows in visits(events, gap_ms, gaps_ms))


def items_a_day(events: Iterable[Event], zone: str) -> Counter[tuple[date, str, str]]:
    """(day, item, `views` | `carts` | `purchases`) → events, without robots'."""
    columns = {"page_view": "views", "view_item": "views", "add_to_cart": "carts", "purchase": "purchases"}
    counted = (event for event in events if "item_id" in event and event["event"] in columns and not is_robot(event))
    return Counter((day(at(event), zone), event["item_id"], columns[event["event"]]) for event in counted)


def is_robot(event: Event) -> bool:
    """As far as the tests' own agents go."""
    return "bot" in event.get("user_agent", "").lower()


def cleaned(url: str) -> str:
    """The address without parameters of campaigns, clicks and sessions, and without e-mail addresses, as far as the tests use them."""
    before, _, fragment = url.partition("#")
    page, mark, query = before.partition("?")
    kept = [part for part in query.split("&") if not _tells(*part.partition("=")[::2])]
    return page + ("?" + "&".join(kept) if mark and any(kept) else "") + ("#" + fragment if fragment else "")


def _tells(name: str, value: str) -> bool:
    user, at, host = value.lower().replace("%40", "@").partition("@")
    email = bool(at and user[-1:].isalnum() and host.partition(".")[2].isalpha())
    token = name.lower() == "sid" and len(value) >= 16
    return (
        email or token or name.lower().startswith("utm_") or name.lower() in {"gclid", "fbclid", "phpsessid", "mc_eid"}
    )


def at(event: Event) -> int:
    """When it happened, in milliseconds."""
    time: int = event.get("occurred_at", event["client_time"])
    return time


def day(at_ms: int, zone: str) -> date:
    """The day of a time in a time zone."""
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).date()


def _session(visitor: str, rows: Rows) -> tuple[Any, ...]:
    kinds = Counter(event["event"] for _, _, event in rows)
    pages = [cleaned(event["page_url"]) for _, _, event in rows if "page_url" in event]
    paid = [e for _, _, e in rows if e["event"] == "purchase" and "price" in e]
    revenue = Counter[str]()
    for event in paid:
        revenue[event.get("currency", "")] += Decimal(event["price"]) * event.get("quantity", 1)
    return (
        visitor,
        rows[0][0],
        rows[-1][0],
        len(rows),
        kinds["view_item"],
        kinds["purchase"],
        tuple(sorted((currency, Decimal(amount)) for currency, amount in revenue.items())),
        pages[0] if pages else None,
        pages[-1] if pages else None,
    )


def persons(events: Iterable[Event]) -> dict[str, str]:
    """event_id → person: the event's user, else the visitor's user at that time, else `visitor:` and the visitor; merges closed."""
    times: dict[str, dict[str, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
    aliases: dict[tuple[str, str], tuple[int, str]] = {}
    rows = list(events)
    for event in rows:
        user, visitor, mark = event.get("user_id"), event.get("visitor_id"), (at(event), event["event_id"])
        previous = event.get("properties", {}).get("previous_id") if event["event"] == "alias" else None
        if user and previous:
            aliases[previous, user] = max(aliases.get((previous, user), mark), mark)
            times[previous][user].append(mark)
        elif user and visitor and user != visitor and event["event"] != "alias":
            times[visitor][user].append(mark)
    merged = merges({pair: mark for pair, mark in aliases.items() if pair[0] != pair[1]})
    result: dict[str, str] = {}
    for event in rows:
        visitor = visitor_of(event)
        user = event.get("user_id") or (_owner(times[visitor], at(event)) if visitor in times else None)
        result[event["event_id"]] = merged.get(user, user) if user else f"visitor:{visitor}"
    return result


def merges(aliases: Mapping[tuple[str, str], tuple[int, str]]) -> dict[str, str]:
    """(merged, into) → when, last → each of these ids with the one that stands for all that hang together, by union-find."""
    parent = {name: name for pair in aliases for name in pair}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for one, other in aliases:
        parent[root(one)] = root(other)
    onward = {one for one, _ in aliases}
    best: dict[str, tuple[bool, tuple[int, str], str]] = {}
    for (_, into), mark in aliases.items():
        last = (into not in onward, mark, into)
        best[root(into)] = max(best.get(root(into), last), last)
    return {name: best[root(name)][2] for name in parent}


def _owner(users: Mapping[str, list[tuple[int, str]]], at: int) -> str:
    spans = [(min(marks)[0], max(marks), user) for user, marks in users.items()]
    before = [(min(last[0], at), first, last[1], user) for first, last, user in spans if first <= at]
    if before:
        return max(before)[3]
    return max((-first, last[1], user) for first, last, user in spans)[2]


def interactions(
    events: Iterable[Event], weights: Mapping[str, float], half_life_ms: float
) -> dict[tuple[str, str], tuple[float, int]]:
    """(person, item) → (strength rounded to 1e-9, events that count), for pairs of positive strength; without robots."""
    rows = list(events)
    person = persons(rows)
    pairs: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for event in rows:
        if "item_id" in event and weights.get(event["event"]) and not is_robot(event) and _may_be_learned(event):
            pairs[person[event["event_id"]], event["item_id"]].append((at(event), weights[event["event"]]))
    result = {}
    for pair, terms in pairs.items():
        last = max(at for at, _ in terms)
        strength = sum(weight * 2.0 ** ((at - last) / half_life_ms) for at, weight in sorted(terms))
        if strength > 0:
            result[pair] = (round(strength, 9), len(terms))
    return result


def _may_be_learned(event: Event) -> bool:
    return event.get("consent", {}).get("personalization") is not False


ACTS = {"shown": "impression", "clicked": "click", "carted": "add_to_cart", "purchased": "purchase"}


def served_items(events: Iterable[Event], request_minutes: int, click_minutes: int, purchase_minutes: int) -> Fates:
    """(request, item) → place, when it was served, shown, clicked, carted and purchased, its revenue, and its agent."""
    rows = list(events)
    done = [event for event in rows if event["event"] in ACTS.values() and "item_id" in event]
    served: dict[tuple[str, str], dict[str, Any]] = {}
    for event in rows:
        if event["event"] == "served":
            for place, item in enumerate(json.loads(event["properties"]["items"]), 1):
                row = {"position": place, "visitor": event["visitor_id"], "served": at(event), "acts": []}
                served.setdefault((event["request_id"], item), row | {"agent": event.get("user_agent")})
    for key, row in served.items():
        near = [e for e in done if (e.get("request_id"), e["item_id"]) == key]
        row["acts"] = [e for e in near if abs(at(e) - row["served"]) <= request_minutes * 60_000]
        row["shown"] = min(map(at, row["acts"]), default=None)
        named = sorted((at(e), e["event_id"], e["user_agent"]) for e in row["acts"] if "user_agent" in e)
        row["agent"] = named[0][2] if named else row["agent"]
    for event in done:
        if "request_id" not in event:
            limit = 60_000 * {"impression": -1, "click": click_minutes}.get(event["event"], purchase_minutes)
            shown = [(row["shown"], *key) for key, row in served.items() if _follows(event, key[1], row, limit)]
            if shown:
                served[max(shown)[1:]]["acts"].append(event)
    return {key: _outcome(row) for key, row in served.items()}


def _follows(event: Event, item: str, row: Mapping[str, Any], limit_ms: int) -> bool:
    """Whether this visitor was shown the item at most so long before the event."""
    same = event["item_id"] == item and event["visitor_id"] == row["visitor"] and row["shown"] is not None
    return same and 0 <= at(event) - row["shown"] <= limit_ms


def _outcome(row: Mapping[str, Any]) -> dict[str, Any]:
    first = {
        name: min((at(event) for event in row["acts"] if event["event"] == kind), default=None)
        for name, kind in ACTS.items()
    }
    revenue = Counter[str]()
    for event in row["acts"]:
        if event["event"] == "purchase" and "price" in event:
            revenue[event.get("currency", "")] += Decimal(event["price"]) * event.get("quantity", 1)
    kept = {name: row[name] for name in ("position", "served", "agent")}
    return kept | first | {"shown": row["shown"], "revenue": dict(revenue)}


def performance(rows: Iterable[Mapping[str, Any]], zone: str) -> Counter[tuple[date, int, str]]:
    """(day, place, count) of items that were served, without robots'."""
    counts = Counter[tuple[date, int, str]]()
    for row in rows:
        if "bot" not in (row["agent"] or "").lower():
            reached = [name for name in ("served", *ACTS) if row[name] is not None]
            counts.update((day(row["served"], zone), row["position"], name) for name in reached)
    return counts


CAMPAIGN = ("date", "site", "channel", "source", "medium", "campaign", "content", "currency")
PAID = ("impressions", "clicks", "cost", "visits")


def campaigns(visits: Iterable[Event], costs: Iterable[Event]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """CAMPAIGN → PAID, of rows of gold.visits and of silver.costs that have a channel; what nobody says is None."""
    table: dict[tuple[Any, ...], list[Any]] = {}
    for row in (*visits, *costs):
        key = [row.get(name) for name in CAMPAIGN]
        into = table.setdefault((*key[:6], key[6] or "(none)", key[7] or ""), [None, None, None, 0])
        into[3] += "cost" not in row
        for place, name in enumerate(PAID[:3]):
            if row.get(name) is not None:
                into[place] = (into[place] or 0) + row[name]
    return {key: tuple(values) for key, values in table.items()}

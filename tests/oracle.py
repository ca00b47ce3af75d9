"""The plain recomputation that the streams must equal: standard Python over landed events, sharing no code with them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

Event = Mapping[str, Any]

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


def sessions(events: Iterable[Event], gap_ms: int) -> Counter[tuple[Any, ...]]:
    """(visitor, start, end, events, item views, purchases, revenue, first page, last page) of every session."""
    by_visitor: dict[str, list[tuple[int, str, Event]]] = defaultdict(list)
    for event in events:
        if event["event"] not in IGNORED:
            at = event.get("occurred_at", event["client_time"])
            by_visitor[event.get("visitor_id") or event["user_id"]].append((at, event["event_id"], event))
    found: Counter[tuple[Any, ...]] = Counter()
    for visitor, rows in by_visitor.items():
        rows.sort(key=lambda row: row[:2])
        start = 0
        for index in range(1, len(rows) + 1):
            if index == len(rows) or rows[index][0] - rows[index - 1][0] > gap_ms:
                found[_session(visitor, rows[start:index])] += 1
                start = index
    return found


def _session(visitor: str, rows: list[tuple[int, str, Event]]) -> tuple[Any, ...]:
    kinds = Counter(event["event"] for _, _, event in rows)
    pages = [event["page_url"] for _, _, event in rows if "page_url" in event]
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
    """event_id → person: the event's user, else the visitor's latest user, else the visitor; then one alias."""
    latest: dict[str, tuple[int, str, str]] = {}
    merged: dict[str, tuple[int, str, str]] = {}
    rows = list(events)
    for event in rows:
        at = event.get("occurred_at", event["client_time"])
        user, visitor = event.get("user_id"), event.get("visitor_id")
        if event["event"] == "alias":
            if user and "previous_id" in event.get("properties", {}):
                previous = event["properties"]["previous_id"]
                merged[previous] = max(
                    merged.get(previous, (at, event["event_id"], user)), (at, event["event_id"], user)
                )
        elif user and visitor and user != visitor:
            latest[visitor] = max(latest.get(visitor, (at, event["event_id"], user)), (at, event["event_id"], user))
    result: dict[str, str] = {}
    for event in rows:
        own = event.get("visitor_id") or event["user_id"]
        person: str = event.get("user_id") or (latest[own][2] if own in latest else own)
        result[event["event_id"]] = merged[person][2] if person in merged else person
    return result


def interactions(
    events: Iterable[Event], weights: Mapping[str, float], half_life_ms: float
) -> dict[tuple[str, str], tuple[float, int]]:
    """(person, item) → (strength rounded to 1e-9, events that count), for pairs of positive strength."""
    rows = list(events)
    person = persons(rows)
    pairs: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for event in rows:
        if "item_id" in event and weights.get(event["event"]):
            at = event.get("occurred_at", event["client_time"])
            pairs[person[event["event_id"]], event["item_id"]].append((at, weights[event["event"]]))
    result = {}
    for pair, terms in pairs.items():
        last = max(at for at, _ in terms)
        strength = sum(weight * 2.0 ** ((at - last) / half_life_ms) for at, weight in sorted(terms))
        if strength > 0:
            result[pair] = (round(strength, 9), len(terms))
    return result

"""Random histories of a few visitors for the whole path: what they do, and answers to them with what followed."""

import json
import random
from typing import Any

from tests.spark.conftest import MINUTE, RECEIVED

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
ROBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


def clicks(seed: int, size: int = 120) -> list[dict[str, Any]]:
    """A random history: visitors, one named like a user, users, items, purchases, logins, an alias, robots, a few copies and collisions."""
    draw = random.Random(seed)
    events: list[dict[str, Any]] = []
    for number in range(size):
        kind = draw.choice(
            ["page_view", "view_item", "view_item", "add_to_cart", "remove_from_cart", "purchase", "identify", "alias"]
        )
        event: dict[str, Any] = {
            "event": kind,
            "event_id": f"e{number:03}",
            "client_time": RECEIVED - draw.randrange(4 * 1440) * MINUTE,
            "visitor_id": draw.choice(["v0", "v1", "v2", "u0"]),
        }
        if consent := draw.choice([None, None, {"analytics": True}, {"personalization": False}]):
            event["consent"] = consent
        if kind == "page_view":
            address = draw.choice(["", "?utm_source=news&page=2", "?page=2&mail=ann@example.org"])
            event["page_url"] = f"https://shop.example/p{number % 7}{address}"
            if referrer := draw.choice([None, "https://shop.example/", "https://blog.example/lamps"]):
                event["referrer"] = referrer
        elif kind == "identify":
            event["user_id"] = f"u{draw.randrange(2)}"
        elif kind == "alias":
            event |= (
                {"user_id": draw.choice(["u1", "u2"]), "properties": {"previous_id": draw.choice(["u0", "v2", "u1"])}}
                if number % 3 == 0
                else {}
            )
        else:
            event |= {"item_id": f"i{draw.randrange(5)}", "name": f"name {number}"}
        if kind == "purchase":
            event |= {"price": f"{draw.randrange(1, 9)}.50", "currency": draw.choice(["EUR", "USD"]), "quantity": 2}
            if number % 3:  # no item twice in an order: whose sends count is told by sites/orders.py
                event |= {"order_id": f"O{number // 30}", "item_id": f"i{number % 30}"}
        elif kind == "add_to_cart":
            event["properties"] = {"plan": draw.choice(["pro", "free"])}
        if agent := draw.choice([None, None, BROWSER, ROBOT]):
            event["user_agent"] = agent
        events.append(event)
    events += [dict(event) for event in draw.sample(events, size // 10)]
    events += [event | {"name": "another"} for event in draw.sample(events[:size], 3)]
    draw.shuffle(events)
    return events


def answers(seed: int, size: int = 20) -> list[dict[str, Any]]:
    """Answers to three visitors, and what followed: shown or not, clicked by name or not, carts, purchases; some too late to count."""
    draw = random.Random(seed)
    events: list[dict[str, Any]] = []
    before, owner = 0.0, ""

    def add(kind: str, minute: float, **fields: Any) -> None:
        event = {"event": kind, "event_id": f"{kind}{len(events)}", "client_time": RECEIVED - round(minute * MINUTE)}
        events.append(event | fields)

    for number in range(size):
        minute, visitor, items = draw.uniform(0, 5700), f"v{draw.randrange(3)}", draw.sample(range(4), 2)
        if number % 2:  # shortly after the one before, so that two answers compete for an act
            minute, visitor = before - draw.uniform(0, 90), owner
        before, owner = minute, visitor
        listed = [f"i{item}" for item in items]
        properties = {"items": json.dumps([*listed, listed[0]]), "propensities": "[0.5, 1, 1]", "source": "model"}
        properties |= {"features": json.dumps({"popularity": [0.25, None, 1]})} if number % 3 else {}
        page = {"visitor_id": visitor, "request_id": f"r{number}"}
        agent = {"user_agent": draw.choice([BROWSER, ROBOT])} if number % 4 == 0 else {}
        request = {"surface": "home", "model_version": "3"} if number % 5 else {}
        add("served", minute, **page, **request, **agent, properties=properties)
        for item in listed:
            gone = {"visitor_id": visitor, "item_id": item}
            if draw.random() < 0.7:
                add("impression", minute - draw.uniform(0, 140), **page, **agent, item_id=item)
            if draw.random() < 0.3:
                add("click", minute - draw.uniform(0, 20), **page, item_id=item)
            for kind in ("click", "add_to_cart", "purchase"):
                price = {"price": "2.50", "currency": draw.choice(["EUR", "USD"])} if draw.random() < 0.8 else {}
                if draw.random() < 0.5:
                    add(kind, minute - draw.uniform(0, 200), **gone, **price)
    draw.shuffle(events)
    return events

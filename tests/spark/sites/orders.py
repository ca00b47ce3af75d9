"""An order counts once, however often and whenever it is sent; no pieces are no purchase; a refund is negative."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from nextclick.settings import Settings
from tests.spark import path
from tests.spark.sites import DAY, act
from tests.table_rows import NOON

SITE = "orders"


def bought(minute: int, event_id: str, price: str, order: str | None = "O1", **fields: Any) -> dict[str, Any]:
    money = {"price": price, "currency": "EUR", "order_id": order, "event_id": event_id, "item_id": "lamp"}
    return act(minute, "purchase", "ann", SITE, **(money | fields))


FIRST = [
    act(-1, "served", "ann", SITE, request_id="answer", properties={"items": '["lamp"]'}),
    bought(DAY, "r#0", "10", quantity=2),
]
"""An answer; and the page of thanks, opened once more the next day, arrives before all else of the order."""
SECOND = [
    bought(0, "a#0", "10", request_id="answer"),
    bought(0, "a#1", "12"),  # another size: the order holds the lamp twice
    bought(0, "c#0", "10"),  # a server that tells the order's own time each time
    bought(0, "c#1", "12"),
    bought(1, "b#0", "10"),
    bought(1, "b#1", "12"),
    bought(2, "none", "10", "O2", quantity=0),
    bought(3, "x", "1", "undefined", currency="USD"),
    bought(4, "y", "1", "undefined", currency="USD"),
    bought(5, f"{0:032}#0", "1", "O4", currency="GBP"),  # a tracker that gives its events no ids
    bought(5, f"{1:032}#1", "2", "O4", currency="GBP"),
    bought(5, f"{2:032}#0", "1", "O4", currency="GBP"),
    bought(5, "back", "10", event="refund"),
    bought(6, "other", "10", visitor_id="bob"),
]
LATE = bought(40 * DAY, "late", "3", event="refund", currency=None)
THIRD = [
    LATE,
    LATE | {"event_id": "who", "order_id": "O9"},
    LATE | {"event_id": "bob", "visitor_id": "bob", "item_id": "rug"},
    act(41 * DAY, "served", "ann", SITE, request_id="next", properties={"items": '["lamp"]'}),
    bought(41 * DAY + 1, "again", "5", "O3", request_id="next"),
]
"""What is paid back of the order, of one that nobody knows, and of another person's; and another answer."""


def sessions(settings: Settings) -> list[Any]:
    rows = sorted(path.rows(settings, "silver.sessions", SITE), key=lambda row: (row.visitor_id, row.started_at))
    return [(row.visitor_id, row.events, row.purchases, row.refunds, row.revenue) for row in rows]


def assert_first(settings: Settings) -> None:
    assert sessions(settings) == [("ann", 1, 1, 0, {"EUR": 20})]


def assert_second(settings: Settings) -> None:
    assert sessions(settings) == [
        ("ann", 13, 6, 1, {"EUR": 12, "GBP": 3, "USD": 2}),  # 10 + 12 − 10
        ("ann", 1, 0, 0, {}),
        ("bob", 1, 1, 0, {"EUR": 10}),
    ]
    rows = partial(path.rows, settings, site=SITE)
    days = sorted(rows("gold.item_daily"), key=lambda row: row.date)
    assert [(row.purchases, row.refunds, row.revenue) for row in days] == [(7, 1, {"EUR": 22, "GBP": 3, "USD": 2})]
    pairs = {row.person_id: row for row in rows("gold.interactions")}
    assert {person: (row.purchases, row.events) for person, row in pairs.items()} == {
        "visitor:ann": (6, 7),
        "visitor:bob": (1, 1),
    }
    assert pairs["visitor:ann"].strength == pytest.approx(8.0 * 6 - 8.0, rel=1e-3)  # within minutes of each other
    assert _earned(settings) == {"answer": {"EUR": 12, "GBP": 3, "USD": 2}}


def assert_third(settings: Settings) -> None:
    """A refund takes from what it pays back, however late it comes."""
    assert _earned(settings) == {"answer": {"EUR": 9, "GBP": 3, "USD": 2}, "next": {"EUR": 5}}


def _earned(settings: Settings) -> dict[str, dict[str, Decimal]]:
    """What the lamp earned for each answer."""
    rows = {row.request_id: row for row in path.rows(settings, "silver.served_items", SITE)}
    assert rows["answer"].purchased_at.replace(tzinfo=None) == NOON.replace(tzinfo=None)
    return {request: dict(row.revenue) for request, row in rows.items()}

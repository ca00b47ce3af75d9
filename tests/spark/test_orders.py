"""An order counts once, however often and whenever it is sent; no pieces are no purchase; a refund is negative."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from nextclick.contracts import silver
from nextclick.settings import Settings
from spark_jobs import tables
from spark_jobs.jobs import build_interactions, build_item_daily, build_served_items, build_sessions
from tests.spark import path
from tests.table_rows import NOON, write

pytestmark = pytest.mark.spark

DAY = 24 * 60


def bought(minute: int, event_id: str, price: str, order: str | None = "O1", **fields: Any) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    times = dict.fromkeys(("client_time", "occurred_at", "received_at"), at)
    basic = {"event": "purchase", "event_id": event_id, "visitor_id": "ann", "site": "s", "item_id": "lamp"}
    money = {"price": Decimal(price), "currency": "EUR", "order_id": order}
    return basic | money | times | fields


RELOADED = [bought(DAY, "r#0", "10", quantity=2)]
"""The page of thanks, opened once more the next day; this arrives first."""

ORDER = [
    bought(0, "a#0", "10", request_id="answer"),
    bought(0, "a#1", "12"),  # another size: the order holds the lamp twice
    bought(1, "b#0", "10"),
    bought(1, "b#1", "12"),
    bought(2, "none", "10", "O2", quantity=0),
    bought(3, "x", "1", "undefined", currency="USD"),
    bought(4, "y", "1", "undefined", currency="USD"),
    bought(5, "back", "10", event="refund"),
    bought(6, "other", "10", visitor_id="bob"),
]


def test_an_order_counts_once_at_its_first_send_even_if_that_comes_later(
    spark: SparkSession, settings: Settings
) -> None:
    write(settings.lake, "silver.user_agents", [{"user_agent": "a browser", "is_bot": False}])
    tables.ensure(spark, settings, silver.IDENTITIES)
    answer = {"items": '["lamp"]'}
    served = bought(
        -1, "answer", "0", event="served", source="server", request_id="answer", properties=list(answer.items())
    )

    def run(events: list[dict[str, Any]]) -> None:
        write(settings.lake, "silver.events", events)
        for job in (build_sessions, build_item_daily, build_interactions, build_served_items):
            job.run(spark, settings)

    def sessions() -> list[Any]:
        rows = sorted(path.rows(settings, "silver.sessions"), key=lambda row: (row.visitor_id, row.started_at))
        return [(row.visitor_id, row.events, row.purchases, row.refunds, row.revenue) for row in rows]

    run([*RELOADED, served])
    assert sessions() == [("ann", 1, 1, 0, {"EUR": 20})]
    run(ORDER)
    assert sessions() == [
        ("ann", 8, 4, 1, {"EUR": 12, "USD": 2}),  # 10 + 12 − 10
        ("ann", 1, 0, 0, {}),
        ("bob", 1, 1, 0, {"EUR": 10}),
    ]
    days = sorted(path.rows(settings, "gold.item_daily"), key=lambda row: row.date)
    assert [(row.purchases, row.refunds, row.revenue) for row in days] == [(5, 1, {"EUR": 22, "USD": 2})]
    pairs = {row.person_id: row for row in path.rows(settings, "gold.interactions")}
    assert {person: (row.purchases, row.events) for person, row in pairs.items()} == {
        "visitor:ann": (4, 5),
        "visitor:bob": (1, 1),
    }
    assert pairs["visitor:ann"].strength == pytest.approx(8.0 * 4 - 8.0, rel=1e-3)  # within minutes of each other

    def revenue() -> dict[str, Decimal]:
        [row] = path.rows(settings, "silver.served_items")
        assert row.purchased_at.replace(tzinfo=None) == NOON.replace(tzinfo=None)
        return dict(row.revenue)

    assert revenue() == {"EUR": 12, "USD": 2}
    late = bought(40 * DAY, "late", "3", event="refund", currency=None)
    strange = (
        late | {"event_id": "who", "order_id": "O9"},
        late | {"event_id": "bob", "visitor_id": "bob", "item_id": "rug"},
    )
    write(settings.lake, "silver.events", [late, *strange])
    build_served_items.run(spark, settings)
    assert revenue() == {"EUR": 9, "USD": 2}, "a refund takes from what it pays back, however late it comes"

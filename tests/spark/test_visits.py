"""Visits, and what is counted of them: events that a reader follows by eye, before and after late ones came."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from pyspark.sql import Row, SparkSession

from nextclick.lake import delta
from nextclick.settings import Goal, Settings
from spark_jobs import tables
from spark_jobs.jobs import build_sessions, build_visits
from spark_jobs.plans import held
from spark_jobs.streaming import forget
from tests.spark import path
from tests.table_rows import NOON, write

pytestmark = pytest.mark.spark

TABLES = ("gold.visits", "gold.visitor_days", "gold.page_daily", "gold.event_daily", "gold.conversions")
SHOP, PHONE, CRAWLER = "https://shop.example", "a phone", "a crawler"


def act(day: int, minute: int, event: str, visitor: str, **fields: Any) -> dict[str, Any]:
    """An event so many days and minutes after noon (UTC) of January 1."""
    at = NOON + timedelta(days=day, minutes=minute)
    times = dict.fromkeys(("client_time", "occurred_at", "received_at"), at)
    names = {"event": event, "event_id": f"{visitor} {day} {minute} {event}", "visitor_id": visitor, "site": "shop"}
    if "properties" in fields:
        fields["properties"] = list(fields["properties"].items())
    return names | {"channel": "direct"} | times | fields


def bought(day: int, event: str, item: str, price: int, order: str | None, quantity: int = 1) -> dict[str, Any]:
    money = {"price": Decimal(price), "currency": "EUR", "quantity": quantity, "order_id": order}
    return act(day, 3, event, "ann", item_id=item, **money)


AD = {"channel": "paid_search", "utm_source": "google", "utm_medium": "cpc", "utm_campaign": "lamps"}
FIRST = [
    act(0, 0, "page_view", "ann", page_url=f"{SHOP}/a?x=1#top", referrer="https://www.google.com/", user_agent=PHONE, **AD),
    act(0, 1, "view_item", "ann", page_url=f"{SHOP}/a", item_id="lamp", dwell_ms=4_000, scroll_pct=50.0),
    act(0, 2, "scroll", "ann", page_url=f"{SHOP}/a", dwell_ms=5_000, scroll_pct=80.0),
    bought(10, "purchase", "lamp", 10, "O1", quantity=2),
    act(10, 20, "page_view", "ann", page_url=f"{SHOP}/#/thanks?o=1", user_id="Ann"),
    # Days are those of Berlin: this visit begins on January 2 at 23:59, and goes on on January 3.
    act(1, 659, "sign_up", "bob", properties={"plan": "pro"}, channel="internal"),
    act(1, 661, "sign_up", "bob", properties={"plan": "free", "platform": "ios", "error": "false", "value": "2.5"}),
    act(1, 690, "page_view", "bob", page_url=f"{SHOP}/b", referrer=f"{SHOP}/a", channel="internal"),
    act(1, 691, "app_crash", "bob", properties={"app_version": "1.2", "platform": "ios", "error": "E7", "value": "x"}),
    act(1, 692, "level_complete", "bob", properties={"level": "7", "platform": "ios", "value": " 0.25 "}),
    act(1, 692, "impression", "bob", experiment="e", variant="b"),
    act(1, 0, "page_view", "crawler", page_url=f"{SHOP}/b", user_agent=CRAWLER),
    act(1, 0, "impression", "crawler", user_agent=CRAWLER),
]  # fmt: skip
LATE = [
    act(5, 0, "page_view", "ann", channel="email", utm_source="letter", page_url=f"{SHOP}/b"),
    act(9, 0, "page_view", "ann", channel="internal"),
    bought(12, "purchase", "rug", 5, "O1"),
    bought(40, "refund", "lamp", 10, "O1"),
    bought(41, "purchase", "mug", 3, None),
]
"""A visit before the order, one that is no touch, another line of the order, its refund a month later, and a purchase that names none."""


@pytest.fixture
def shop(settings: Settings) -> Settings:
    analytics = msgspec.structs.replace(
        settings.analytics,
        timezones={"shop": "Europe/Berlin"},
        goals={"sign_up": Goal(event="sign_up", where={"plan": "pro"})},
        lookback_days=30,
    )
    return msgspec.structs.replace(settings, analytics=analytics)


def read(settings: Settings, table: str, *names: str) -> list[tuple[Any, ...]]:
    """These columns of the rows, in order."""
    rows: list[Row] = path.rows(settings, table)
    return sorted((tuple(row[name] for name in names) for row in rows), key=repr)


def test_late_visits_orders_and_bots_give_what_a_rebuild_gives(
    spark: SparkSession, shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By plans for many rows: tests/spark/test_path.py compares those for few with the oracle."""
    for module, names in (
        (build_visits, ("_FEW", "_FEW_VISITORS")),
        (tables, ("_FEW", "_HELD_ROWS")),
        (held, ("_FEW_BYTES",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, 0)

    def run(events: list[dict[str, Any]]) -> None:
        write(shop.lake, "silver.events", events)
        build_sessions.run(spark, shop)
        build_visits.run(spark, shop)

    write(shop.lake, "silver.user_agents", [{"user_agent": PHONE, "device": "phone", "is_bot": False, "os": "iOS"}])
    run(FIRST)
    _assert_first(shop)
    write(shop.lake, "silver.user_agents", [{"user_agent": CRAWLER, "device": "bot", "is_bot": True}])
    run(LATE)
    _assert_late(shop)
    before = {table: path.digest(shop, table) for table in TABLES}
    forget(shop, "build_visits")
    build_visits.run(spark, shop)
    assert {table: path.digest(shop, table) for table in TABLES} == before
    assert {(*delta.require(shop.lake, table).metadata().partition_columns,) for table in TABLES} == {("date",)}


def _assert_first(shop: Settings) -> None:
    came = ("visitor_id", "date", "source", "medium", "campaign", "referrer_host", "device", "os")
    assert read(shop, "gold.visits", *came) == [
        ("ann", date(2026, 1, 1), "google", "cpc", "lamps", "google.com", "phone", "iOS"),
        ("ann", date(2026, 1, 11), "(direct)", "(none)", "(none)", None, "unknown", None),
        ("bob", date(2026, 1, 2), "(direct)", "(none)", "(none)", None, "unknown", None),
        ("crawler", date(2026, 1, 2), "(direct)", "(none)", "(none)", None, "unknown", None),
    ]
    did = (
        "visitor_id",
        "events",
        "views",
        "items",
        "orders",
        "crashes",
        "is_bounce",
        "is_engaged",
        "goals",
        "app_version",
        "user_id",
    )
    assert read(shop, "gold.visits", *did) == [
        ("ann", 2, 1, 1, 1, 0, False, True, {}, None, "Ann"),
        ("ann", 3, 2, 1, 0, 0, False, True, {}, None, None),
        ("bob", 5, 1, 0, 0, 1, False, True, {"sign_up": 1}, "1.2", None),
        ("crawler", 1, 1, 0, 0, 0, True, False, {}, None, None),
    ]
    days = read(shop, "gold.visitor_days", "visitor_id", "date", "visits", "events", "top_level")
    assert [day[1:] for day in days if day[0] == "bob"] == [(date(2026, 1, 2), 1, 1, None), (date(2026, 1, 3), 0, 4, 7)]
    pages = (
        "date",
        "page",
        "views",
        "visitors",
        "entries",
        "exits",
        "entry_bounces",
        "engaged_ms",
        "scroll_sum",
        "scroll_n",
    )
    assert read(shop, "gold.page_daily", *pages) == [
        (date(2026, 1, 1), f"{SHOP}/a", 2, 1, 1, 1, 0, 9_000, 80.0, 1),
        (date(2026, 1, 11), f"{SHOP}/#/thanks", 1, 1, 1, 1, 0, 0, 0.0, 0),
        (date(2026, 1, 2), f"{SHOP}/b", 1, 1, 2, 2, 1, 0, 0.0, 0),  # viewed by the crawler
        (date(2026, 1, 3), f"{SHOP}/b", 1, 1, 0, 0, 0, 0, 0.0, 0),
    ]
    kinds = ("event", "platform", "events", "visitors", "visits", "with_error", "value_sum", "value_n")
    of_bob = {"app_crash", "impression", "level_complete", "sign_up"}
    assert [row for row in read(shop, "gold.event_daily", *kinds) if row[0] in of_bob] == [
        ("app_crash", "ios", 1, 1, 1, 1, 0.0, 0),
        ("impression", "unknown", 1, 1, 0, 0, 0.0, 0),
        ("impression", "unknown", 1, 1, 0, 0, 0.0, 0),
        ("level_complete", "ios", 1, 1, 1, 0, 0.25, 1),
        ("sign_up", "ios", 1, 1, 1, 0, 2.5, 1),
        ("sign_up", "unknown", 1, 1, 1, 0, 0.0, 0),
    ]
    assert _conversions(shop) == [
        ("purchase", date(2026, 1, 11), {"EUR": 20}, 2, ["google", "(direct)"]),
        ("sign_up", date(2026, 1, 2), {}, 0, ["(direct)"]),  # there is only the visit that came from the site itself
    ]


def _assert_late(shop: Settings) -> None:
    assert "crawler" not in {row[0] for row in read(shop, "gold.visits", "visitor_id")}
    assert [row[0] for row in read(shop, "gold.event_daily", "events", "event") if row[1] == "impression"] == [1]
    days = [row for row in read(shop, "gold.visitor_days", "visitor_id", "date", "orders", "revenue") if row[2]]
    assert days == [
        ("ann", date(2026, 1, 11), 1, {"EUR": 20}),
        ("ann", date(2026, 1, 13), 1, {"EUR": 5}),
        ("ann", date(2026, 2, 11), 1, {"EUR": 3}),
    ]
    assert _conversions(shop) == [
        ("purchase", date(2026, 1, 11), {"EUR": 15}, 3, ["google", "letter", "(direct)"]),
        ("purchase", date(2026, 2, 11), {"EUR": 3}, 1, ["(direct)", "(direct)", "(direct)"]),
        ("sign_up", date(2026, 1, 2), {}, 0, ["(direct)"]),
    ]


def _conversions(shop: Settings) -> list[tuple[Any, ...]]:
    rows = read(shop, "gold.conversions", "goal", "date", "revenue", "items", "path")
    return [(*row[:-1], [touch.source for touch in row[-1]]) for row in rows]

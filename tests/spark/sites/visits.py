"""Visits, and what is counted of them: events that a reader follows by eye, before and after late ones came."""

from datetime import date
from typing import Any

from nextclick.settings import Goal, Settings
from tests.spark import path
from tests.spark.histories import ROBOT
from tests.spark.sites import DAY, act

SITE, SITE_OF_THIRD = "shop", "shop that goes on in the third cut"
ZONES = dict.fromkeys((SITE, SITE_OF_THIRD), "Europe/Berlin")
GOALS = {"sign_up": Goal(event="sign_up", where={"plan": "pro"})}
SHOP = "https://shop.example"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
AD = "utm_source=google&utm_medium=cpc&utm_campaign=lamps"


def seen(minute: int, visitor: str, page: str, event: str = "page_view", **fields: Any) -> dict[str, Any]:
    return act(minute, event, visitor, SITE, page_url=f"{SHOP}/{page}", **fields)


def bought(minute: int, event: str, item: str, price: int, order: str | None, quantity: int = 1) -> dict[str, Any]:
    money = {"price": str(price), "currency": "EUR", "quantity": quantity, "order_id": order}
    return act(minute, event, "ann", SITE, item_id=item, **money)


BEFORE = [
    seen(0, "ann", f"a?x=1&{AD}#top", referrer="https://www.google.com/", user_agent=PHONE),
    seen(1, "ann", "a", "view_item", item_id="lamp", dwell_ms=4_000),
    seen(2, "ann", "a", "scroll", dwell_ms=5_000, scroll_pct=80),
    bought(1380, "purchase", "lamp", 10, "O1", quantity=2),
    seen(1400, "ann", "#/thanks?o=1", user_id="Ann"),
    # Days are those of Berlin: this visit begins on January 4 at 23:59, and goes on on January 5.
    seen(3 * DAY + 659, "bob", "b", "sign_up", properties={"plan": "pro"}, referrer=f"{SHOP}/a"),
    act(3 * DAY + 661, "sign_up", "bob", SITE,
        properties={"plan": "free", "platform": "ios", "error": "false", "value": "2.5"}),
    seen(3 * DAY + 690, "bob", "b", referrer=f"{SHOP}/a"),
    act(3 * DAY + 691, "app_crash", "bob", SITE,
        properties={"app_version": "1.2", "platform": "ios", "error": "E7", "value": "x"}),
    act(3 * DAY + 692, "level_complete", "bob", SITE, properties={"level": "7", "platform": "ios", "value": " 0.25 "}),
    act(3 * DAY + 692, "impression", "bob", SITE, experiment="e", variant="b"),
    seen(3 * DAY, "crawler", "b", user_agent=ROBOT),
    act(3 * DAY, "impression", "crawler", SITE, user_agent=ROBOT),
    seen(5 * DAY, "crawler", "b", user_agent=ROBOT),
]  # fmt: skip
LATE = [
    seen(300, "ann", "b?utm_source=letter&utm_medium=email"),
    seen(1200, "ann", "b", referrer=f"{SHOP}/a"),
    bought(12 * DAY, "purchase", "rug", 5, "O1"),
    bought(40 * DAY + 1, "refund", "lamp", 10, "O1"),
    bought(41 * DAY, "purchase", "mug", 3, None),
]
"""A visit before the order, one that is no touch, another line of the order, its refund a month later, and a purchase that names none."""


FIRST = [*BEFORE, *(event | {"site": SITE_OF_THIRD} for event in BEFORE)]
SECOND = LATE
THIRD = [event | {"site": SITE_OF_THIRD} for event in LATE]


def read(settings: Settings, table: str, *names: str, site: str = SITE) -> list[tuple[Any, ...]]:
    """These columns of the rows, in order."""
    return sorted((tuple(row[name] for name in names) for row in path.rows(settings, table, site)), key=repr)


def assert_first(settings: Settings) -> None:
    """Who is a robot, and what has a telephone, is not known yet."""
    came = ("visitor_id", "date", "channel", "source", "medium", "campaign", "referrer_host", "device")
    assert read(settings, "gold.visits", *came) == [
        ("ann", date(2026, 1, 1), "paid_search", "google", "cpc", "lamps", "google.com", "unknown"),
        ("ann", date(2026, 1, 2), "direct", "(direct)", "(none)", "(none)", None, "unknown"),
        ("bob", date(2026, 1, 4), "internal", "shop.example", "(none)", "(none)", "shop.example", "unknown"),
        *(("crawler", date(2026, 1, day), "direct", "(direct)", "(none)", "(none)", None, "unknown") for day in (4, 6)),
    ]
    did = ("visitor_id", "events", "views", "items", "orders", "crashes", "is_bounce", "is_engaged", "goals",
           "app_version", "user_id")  # fmt: skip
    assert read(settings, "gold.visits", *did) == [
        ("ann", 2, 1, 1, 1, 0, False, True, {}, None, "Ann"),
        ("ann", 3, 2, 1, 0, 0, False, True, {}, None, None),
        ("bob", 5, 1, 0, 0, 1, False, True, {"sign_up": 1}, "1.2", None),
        *[("crawler", 1, 1, 0, 0, 0, True, False, {}, None, None)] * 2,
    ]
    days = read(settings, "gold.visitor_days", "visitor_id", "date", "visits", "events", "top_level")
    assert [day[1:] for day in days if day[0] == "bob"] == [(date(2026, 1, 4), 1, 1, None), (date(2026, 1, 5), 0, 4, 7)]
    pages = ("date", "page", "views", "visitors", "entries", "exits", "entry_bounces", "engaged_ms", "scroll_sum", "scroll_n")  # fmt: skip
    assert read(settings, "gold.page_daily", *pages) == [
        (date(2026, 1, 1), f"{SHOP}/a", 2, 1, 1, 1, 0, 9_000, 80.0, 1),
        (date(2026, 1, 2), f"{SHOP}/#/thanks", 1, 1, 1, 1, 0, 0, 0.0, 0),
        (date(2026, 1, 4), f"{SHOP}/b", 1, 1, 2, 2, 1, 0, 0.0, 0),  # viewed by the crawler
        (date(2026, 1, 5), f"{SHOP}/b", 1, 1, 0, 0, 0, 0, 0.0, 0),
        (date(2026, 1, 6), f"{SHOP}/b", 1, 1, 1, 1, 1, 0, 0.0, 0),
    ]
    kinds = ("event", "platform", "events", "visitors", "visits", "with_error", "value_sum", "value_n")
    of_bob = {"app_crash", "impression", "level_complete", "sign_up"}
    assert [row for row in read(settings, "gold.event_daily", *kinds) if row[0] in of_bob] == [
        ("app_crash", "ios", 1, 1, 1, 1, 0.0, 0),
        ("impression", "unknown", 1, 1, 0, 0, 0.0, 0),
        ("impression", "unknown", 1, 1, 0, 0, 0.0, 0),
        ("level_complete", "ios", 1, 1, 1, 0, 0.25, 1),
        ("sign_up", "ios", 1, 1, 1, 0, 2.5, 1),
        ("sign_up", "unknown", 1, 1, 1, 0, 0.0, 0),
    ]
    assert _conversions(settings, SITE) == [
        ("purchase", date(2026, 1, 2), {"EUR": 20}, 2, ["google", "(direct)"]),
        (
            "sign_up",
            date(2026, 1, 4),
            {},
            0,
            ["shop.example"],
        ),  # there is only the visit that came from the site itself
    ]


def assert_late_came(settings: Settings, site: str) -> None:
    assert "crawler" not in {row[0] for row in read(settings, "gold.visits", "visitor_id", site=site)}
    shown = read(settings, "gold.event_daily", "events", "event", site=site)
    assert [events for events, event in shown if event == "impression"] == [1]
    assert ("ann", date(2026, 1, 1), "phone", "iOS") in read(
        settings, "gold.visits", "visitor_id", "date", "device", "os", site=site
    )
    days = read(settings, "gold.visitor_days", "visitor_id", "date", "orders", "revenue", site=site)
    assert [row for row in days if row[2]] == [
        ("ann", date(2026, 1, 13), 1, {"EUR": 5}),
        ("ann", date(2026, 1, 2), 1, {"EUR": 20}),
        ("ann", date(2026, 2, 11), 1, {"EUR": 3}),
    ]
    assert _conversions(settings, site) == [
        ("purchase", date(2026, 1, 2), {"EUR": 15}, 3, ["google", "letter", "(direct)"]),
        ("purchase", date(2026, 2, 11), {"EUR": 3}, 1, ["(direct)", "(direct)"]),
        ("sign_up", date(2026, 1, 4), {}, 0, ["shop.example"]),
    ]


def _conversions(settings: Settings, site: str) -> list[tuple[Any, ...]]:
    rows = read(settings, "gold.conversions", "goal", "date", "revenue", "items", "path", site=site)
    return [(*row[:-1], [touch.source for touch in row[-1]]) for row in rows]

"""Rules of fraud and abuse, each on rows that a reader counts, and the false discovery rate against plain Python."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.anomalies.rules import RULES, Abuse, abuse, discoveries, tail
from ml.anomalies.window import open_window
from nextclick.contracts.gold_anomalies import ABUSE
from nextclick.lake import duck
from nextclick.settings import load
from tests.hypothesis_settings import generated
from tests.table_rows import write

DAY = datetime(2026, 1, 5, tzinfo=UTC)
Row = dict[str, Any]


def act(visitor: str, event: str, second: float, **more: Any) -> Row:
    at = DAY + timedelta(seconds=second)
    return {"visitor_id": visitor, "event": event, "occurred_at": at, "received_at": at, "user_agent": "a"} | more


def crowd() -> list[Row]:
    """120 people who view, click and put into the cart a few things, each at another time of the day."""
    rows = []
    for person in range(120):
        for n in range(3):
            second = 700 * person + 40 * n
            rows += [act(f"p{person}", kind, second, item_id=f"i{n}") for kind in ("view_item", "click", "add_to_cart")]
        rows.append(act(f"p{person}", "purchase", 700 * person + 300, order_id=f"o{person}"))
    return rows


@pytest.fixture
def seen(tmp_path: Path) -> Any:
    """What the rules say of the crowd and of these rows beside it."""
    settings = load(tmp_path, profile="test", environ={})
    settings.lake.prepare()

    def look(*rows: Row, agents: Iterable[Row] = ()) -> list[Abuse]:
        numbered = [row | {"site": "s", "event_id": str(n)} for n, row in enumerate([*crowd(), *rows])]
        write(settings.lake, "silver.events", numbered, mode="overwrite")
        write(settings.lake, "silver.user_agents", agents, mode="overwrite")
        with duck.connect(settings.lake) as database:
            open_window(database, settings, DAY + timedelta(days=400))
            return abuse(database, 0.01)

    return look


def kinds(found: list[Abuse]) -> list[tuple[str, str, float, tuple[str, ...]]]:
    return [(one.kind, one.subject, one.n, one.visitors) for one in found]


def test_every_kind_has_a_rule() -> None:
    assert [*RULES] == [*ABUSE]


def test_a_crowd_does_nothing_wrong(seen: Any) -> None:
    assert seen() == []


def test_a_click_flood_is_of_few_visitors_and_names_who_did_a_fifth_of_it(seen: Any) -> None:
    flood = [act(f"bad{n % 2}", "click", 40_201 + n, item_id="i9") for n in range(80)]
    by_stander = act("good", "click", 40_300, item_id="i9")
    [one] = seen(*flood, by_stander)
    assert (one.kind, one.subject, one.n, one.tolerated) == ("click_flood", "i9", 81, 20)
    assert one.visitors == ("bad0", "bad1")
    assert (one.start, one.end) == (DAY + timedelta(seconds=40_200), DAY + timedelta(seconds=40_800))
    assert one.p_value < 1e-20


def test_many_visitors_who_click_one_item_are_a_success(seen: Any) -> None:
    assert seen(*(act(f"fan{n}", "click", 40_201 + n, item_id="i9") for n in range(100))) == []


def test_a_cart_bomb(seen: Any) -> None:
    assert kinds(seen(*(act("bad", "add_to_cart", 40_201 + n, item_id=f"i{n}") for n in range(150)))) == [
        ("cart_bomb", "bad", 150, ("bad",))
    ]


def test_one_visitor_of_many_agents(seen: Any) -> None:
    several = [act("home", "page_view", 40_000 + n, user_agent=f"b{n}") for n in range(5)]
    many = [act("bad", "page_view", 40_000 + n, user_agent=f"b{n}") for n in range(20)]
    assert kinds(seen(*several, *many)) == [("many_agents", "bad", 20, ("bad",))]


def test_an_order_that_is_sent_again_and_again_and_the_page_that_is_loaded_twice(seen: Any) -> None:
    lines = [act("basket", "purchase", 40_000 + n, order_id="basket", item_id=f"i{n}") for n in range(30)]
    twice = [act("twice", "purchase", 40_000 + 3_600 * n, order_id="twice") for n in range(2)]
    again = [act("bad", "purchase", 30_000 + 600 * n, order_id="bad") for n in range(12)]
    assert kinds(seen(*lines, *twice, *again)) == [("repeated_order", "bad", 11, ("bad",))]


def test_an_order_id_that_all_share_is_a_broken_tracker_and_makes_nobody_a_suspect(seen: Any) -> None:
    assert kinds(seen(*(act(f"buyer{n}", "purchase", 40_000 + n, order_id="0") for n in range(40)))) == [
        ("repeated_order", "0", 39, ())
    ]


def test_more_than_three_views_a_second_for_a_minute(seen: Any) -> None:
    quick = [act("quick", "view_item", 39_960 + n / 3, item_id="i1") for n in range(170)]
    bad = [act("bad", "view_item", 40_020 + n / 4, item_id="i1") for n in range(230)]
    assert kinds(seen(*quick, *bad)) == [("impossible_speed", "bad", 230, ("bad",))]


def test_who_clicks_nearly_every_banner(seen: Any) -> None:
    def banners(visitor: str, shown: int, clicked: int) -> list[Row]:
        one = [
            act(visitor, "impression", 40_000 + n, request_id=f"{visitor}{n}", properties=[("banner", "b")])
            for n in range(shown)
        ]
        return one + [row | {"event": "click"} for row in one[:clicked]]

    keen = banners("keen", 30, 10) + banners("few", 8, 8)
    # far apart, so that the flood of clicks is not what is seen
    bad = [row | {"occurred_at": DAY + timedelta(minutes=11 * n)} for n, row in enumerate(banners("bad", 25, 24)[:25])]
    clicks = [row | {"event": "click"} for row in bad[:24]]
    assert kinds(seen(*keen, *bad, *clicks)) == [("self_clicks", "bad", 24, ("bad",))]


def test_one_coupon_for_many_orders_of_a_visitor(seen: Any) -> None:
    def orders(visitor: str, number: int) -> list[Row]:
        return [
            act(visitor, "purchase", 30_000 + 700 * n, order_id=f"{visitor}{n}", properties=[("coupon", "WELCOME")])
            for n in range(number)
        ]

    fair = [row for n in range(50) for row in orders(f"fair{n}", 1)]
    assert kinds(seen(*fair, *orders("bad", 12))) == [("coupon_abuse", "WELCOME bad", 11, ("bad",))]


def test_whose_agent_says_that_it_is_a_bot_is_left_out_already(seen: Any) -> None:
    flood = [act("bot", "click", 40_201 + n, item_id="i9", user_agent="bot") for n in range(80)]
    assert seen(*flood, agents=[{"user_agent": "bot", "is_bot": True}]) == []


def test_the_tail_of_a_poisson_is_its_sum() -> None:
    for n, mean in ((1, 0.5), (5, 0.5), (12, 7.0), (60, 20.0)):
        below = sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(n))
        assert float(tail(np.array([n]), np.array([mean]))[0]) == pytest.approx(1 - below, abs=1e-12)


@generated(100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 50), st.floats(0.001, 0.5))
def test_discoveries_are_those_of_benjamini_and_hochberg(p: list[float], more: int, rate: float) -> None:
    tests = len(p) + more
    ordered = sorted(p)
    last = max((value for i, value in enumerate(ordered, 1) if value <= rate * i / tests), default=-1.0)
    passed = discoveries(np.array(p), tests, rate).tolist()
    assert passed == [value <= last for value in p]


def test_of_uniform_p_values_hardly_anything_is_a_discovery() -> None:
    rng = np.random.default_rng(0)
    with_any = sum(discoveries(rng.random(1_000), 1_000, 0.01).any() for _ in range(500))
    assert with_any <= 14, "1 % of 500, and three standard deviations"

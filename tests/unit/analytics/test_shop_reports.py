"""Items, recommendations, campaigns, sites beside sites, and the tables themselves, on rows that are counted by eye."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from typing import Any

from analytics.answers import Reports
from nextclick.lake.memory import TableMemory
from nextclick.lake.paths import lake_at
from tests.report_rows import SETTINGS, Rows, answer, answer_of, figures
from tests.table_rows import NOON, write

ONE, TWO = date(2026, 1, 1), date(2026, 1, 2)


def money(**amounts: float) -> list[tuple[str, Decimal]]:
    return [(currency, Decimal(amount)) for currency, amount in amounts.items()]


def test_items_with_their_names_and_their_money_by_currency() -> None:
    rows = [
        {"date": ONE, "item_id": "i", "views": 10, "carts": 4, "purchases": 2, "revenue": money(EUR=6)},
        {"date": TWO, "item_id": "i", "views": 30, "carts": 0, "purchases": 2, "revenue": money(EUR=1, USD=5)},
        {"date": TWO, "item_id": "j", "views": 1, "carts": 0, "purchases": 0, "revenue": money(USD=-2)},
    ]
    tables: Rows = {"gold.item_daily": rows, "silver.items": [{"item_id": "i", "name": "lamp"}]}
    there = answer("items", tables)
    assert figures(there, "item_views", "view_to_cart", "cart_to_purchase", "revenue") == {
        ("i", "lamp"): (40, 0.1, 1, None),
        ("j", None): (1, 0, None, -2),
    }
    assert figures(answer("items", tables, by=("currency",)), "item_views", "revenue") == {
        "EUR": (None, 7), "USD": (None, 3), None: (41, None),
    }  # fmt: skip


def test_recommendations_by_whatever() -> None:
    place = {"date": ONE, "surface": "home", "experiment": "none", "variant": "none", "model_version": "3"}
    rows = [
        place | {"position": 1, "served": 4, "shown": 2, "clicks": 1, "revenue": money(EUR=6)},
        place | {"position": 2, "served": 4, "shown": 0, "clicks": 0, "revenue": []},
    ]
    there = answer("recommender", {"gold.recommendation_performance": rows}, by=("position",))
    assert figures(there, "served", "shown_share", "ctr", "revenue") == {1: (4, 0.5, 0.5, 6), 2: (4, 0, None, None)}


def test_what_was_foreseen_stands_beside_what_was_clicked_without_bots_and_what_nobody_saw() -> None:
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    rows = [
        {"request_id": f"r{n}", "served_at": at, "shown_at": shown, "clicked_at": clicked, "features": features, "user_agent": agent}
        for n, (shown, clicked, features, agent) in enumerate(
            [
                (at, at, [("ctr", 0.3)], None),
                (at, None, [("ctr", 0.2)], "Firefox"),
                (at, None, [("ctr", 0.32)], None),
                (at, at, [("ctr", 0.9)], "a bot"),
                (None, None, [("ctr", 0.9)], None),
                (at, at, [("popularity", 0.9)], None),
                (at, None, [("ctr", 0.0)], None),
            ]
        )
    ]  # fmt: skip
    tables: Rows = {
        "silver.served_items": rows,
        "silver.user_agents": [{"user_agent": "a bot", "is_bot": True}, {"user_agent": "Firefox", "is_bot": False}],
    }
    there = answer("calibration", tables, figures=("shown", "clicks", "foreseen", "ctr"))
    assert [(*row[:3], round(row[3], 9), row[4]) for row in there.rows] == [(1, 1, 0, 0, 0), (32, 3, 1, 0.82, 1 / 3)]


def test_a_models_metric_is_shown_for_each_day_and_never_put_together() -> None:
    value = {"model_version": "3", "metric": "online_ctr", "segment": "all"}
    rows = [value | {"date": ONE, "value": 0.2, "n": 10}, value | {"date": TWO, "value": 0.4, "n": 30}]
    there = answer("model", {"gold.model_daily": rows})
    assert [row[-4] for row in there.rows] == [0.2, 0.4]
    assert there.whole == (None,) * 4
    assert [row[-4] for row in answer("model", {"gold.model_daily": rows}, by=("metric",)).rows] == [None]


CAMPAIGN = {
    "date": ONE,
    "site": "s",
    "channel": "paid_search",
    "source": "google",
    "medium": "cpc",
    "campaign": "shoes",
}


def test_what_a_campaign_costs_a_visit_and_a_purchase() -> None:
    unpaid = {
        "channel": "email",
        "source": "news",
        "campaign": "(none)",
        "currency": "",
        "cost": None,
        "impressions": None,
        "clicks": None,
    }
    costs = [
        CAMPAIGN
        | {"content": "a", "currency": "EUR", "impressions": 1000, "clicks": 50, "cost": Decimal(20), "visits": 0},
        CAMPAIGN | {"content": "a", "currency": "", "impressions": None, "clicks": None, "cost": None, "visits": 40},
        CAMPAIGN | unpaid | {"visits": 7},
    ]
    credited = [
        CAMPAIGN | {"rule": rule, "goal": goal, "currency": "EUR", "conversions": Decimal(n), "revenue": Decimal(100)}
        for rule, goal, n in [
            ("last_non_direct", "purchase", "2.5"),
            ("first", "purchase", "9"),
            ("last_non_direct", "sign_up", "4"),
        ]
    ]
    there = answer("campaigns", {"gold.campaign_daily": costs, "gold.attribution_daily": credited})
    names = ("visits", "ctr", "cost", "cpc", "cost_per_visit", "conversions", "cpa", "roas")
    assert figures(there, *names) == {
        ("paid_search", "google", "shoes"): (40, 0.05, 20, 0.4, 0.5, 2.5, 8, 5),
        ("email", "news", "(none)"): (7, None, None, None, None, None, None, None),
    }


def test_visits_stand_beside_the_costs_of_each_currency() -> None:
    paid = CAMPAIGN | {"impressions": None, "clicks": None, "visits": 0}
    came = paid | {"currency": "", "cost": None}
    rows = [
        came | {"visits": 30}, came | {"visits": 10, "date": TWO}, came | {"visits": 7, "campaign": "hats"},
        paid | {"currency": "EUR", "cost": Decimal(20)}, paid | {"currency": "USD", "cost": Decimal(8)},
    ]  # fmt: skip
    tables, names = {"gold.campaign_daily": rows}, ("visits", "cost", "visits_beside", "cost_per_visit")
    there = answer("campaigns", tables, by=("campaign", "currency"))
    assert figures(there, *names) == {
        ("shoes", "EUR"): (0, 20, 40, 0.5), ("shoes", "USD"): (0, 8, 40, 0.2),
        ("shoes", None): (40, None, 40, None), ("hats", None): (7, None, 7, None),
    }  # fmt: skip
    assert dict(zip(there.columns[2:], there.whole, strict=True))["visits_beside"] == 47
    by_campaign = figures(answer("campaigns", tables, by=("campaign",)), *names)
    assert by_campaign == {"shoes": (40, None, 40, None), "hats": (7, None, 7, None)}
    in_euros: Any = {"where": ("currency=EUR",), "figures": names}
    assert figures(answer("campaigns", tables, by=("campaign", "currency"), **in_euros), *names) == {
        ("shoes", "EUR"): (0, 20, 40, 0.5)
    }
    assert figures(answer("campaigns", tables, by=("campaign",), **in_euros), *names)["shoes"] == (40, 20, 40, 0.5)
    assert [*answer("campaigns", tables, by=("currency",), **in_euros).rows] == [("EUR", 0, 20, 47, 20 / 47)]


def test_rules_of_attribution_are_never_put_together() -> None:
    rows = [
        CAMPAIGN
        | {
            "rule": rule,
            "goal": "purchase",
            "currency": "EUR",
            "conversions": Decimal(2),
            "revenue": Decimal(10),
            "channel": channel,
        }
        for rule in ("first", "last")
        for channel in ("email", "direct")
    ]
    fitted = [row | {"rule": "markov", "revenue": Decimal(3)} for row in rows[:1]]
    there = answer("attribution", {"gold.attribution_daily": rows, "gold.attribution_fitted": fitted}, by=("rule",))
    assert figures(there, "conversions", "revenue") == {"first": (4, 20), "last": (4, 20), "markov": (2, 3)}
    assert there.whole == (None, None)


def test_a_site_stands_beside_the_quartiles_of_five_others_or_of_none() -> None:
    def visits(site: str, number: int, bounces: int) -> list[dict[str, Any]]:
        return [
            {"date": ONE, "site": site, "session_id": f"{site}{n}", "is_bounce": n < bounces} for n in range(number)
        ]

    others = [(f"o{n}", 100, n * 10) for n in range(1, 6)]
    rows = [row for site in (("own", 2, 1), ("small", 99, 99), *others) for row in visits(*site)]
    there = figures(answer("benchmarks", {"gold.visits": rows}), "value", "others", "q1", "median", "q3")
    low, middle, high = quantiles([0.1, 0.2, 0.3, 0.4, 0.5], method="inclusive")
    assert there["own", "bounce_rate"] == (0.5, 5, low, middle, high)
    assert there["o1", "bounce_rate"] == (0.1, 4, None, None, None)
    assert answer("benchmarks", {"gold.visits": rows}, first="2026-01-02").rows == []


def test_the_newest_result_of_each_check_counts() -> None:
    results = [(0, "check", "a", False), (1, "check", "a", True), (0, "check", "b", False), (2, "override", "b", True)]
    rows = [
        {"table_name": "gold.x", "kind": kind, "expectation": name, "success": success, "checked_at": NOON + timedelta(hours=hour)}
        for hour, kind, name, success in results
    ]  # fmt: skip
    there = answer("quality", {"gold.data_quality": rows}, by=("table_name",))
    assert figures(there, "checks", "failed", "failed_share") == {"gold.x": (2, 1, 0.5)}


def test_freshness_is_what_the_logs_say(tmp_path: Path) -> None:
    lake = lake_at(tmp_path)
    write(lake, "gold.item_daily", [{}, {}])
    there = answer_of(Reports(TableMemory(lake), SETTINGS), "freshness", by=("table_name",))
    versions = figures(there, "version", "rows", "age_seconds")
    assert versions["gold.item_daily"][:2] == (0, 2)
    assert 0 <= versions["gold.item_daily"][2] < 600
    assert versions["gold.interactions"][0] is None


def test_rejects_are_counted_by_reason_on_the_day_that_they_came() -> None:
    times = [
        datetime(2026, 1, 3, 23, 59, tzinfo=UTC),
        datetime(2026, 1, 4, tzinfo=UTC),
        datetime(2026, 1, 4, tzinfo=UTC),
    ]
    rows = [
        {"reason": reason, "received_at": at, "replayable": reason == "bad_type"}
        for reason, at in zip(("bad_type", "bad_type", "id_collision"), times, strict=True)
    ]
    tables = {"silver.quarantine": rows}
    assert figures(answer("rejects", tables), "rejects", "replayable") == {
        "bad_type": (2, 2),
        "id_collision": (1, 0),
    }
    assert [*figures(answer("rejects", tables, by=("date",)), "rejects").values()] == [1, 2]

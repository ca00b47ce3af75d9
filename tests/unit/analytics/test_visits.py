"""Visits and what they paid, on rows that are counted by eye."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from analytics.answers import Reports
from analytics.catalog import report
from nextclick.errors import UsageError
from nextclick.lake.memory import TableMemory
from nextclick.lake.paths import lake_at
from tests.report_rows import SETTINGS, answer, answer_of, figures
from tests.table_rows import NOON, write

ONE, TWO = date(2026, 1, 1), date(2026, 1, 2)


def visit(day: date, visitor: str, channel: str, **fields: Any) -> dict[str, Any]:
    quiet = {"is_bounce": False, "is_engaged": False, "orders": 0, "ended_at": NOON, "engaged_ms": 4}
    return {"date": day, "site": "s", "visitor_id": visitor, "channel": channel} | quiet | fields


VISITS = {
    "gold.visits": [
        visit(ONE, "a", "email", views=3, orders=2, revenue=[("EUR", Decimal("10.5")), ("USD", Decimal(7))]),
        visit(ONE, "b", "direct", views=1, is_bounce=True),
        visit(ONE, "b", "email", views=2, ended_at=NOON + timedelta(seconds=90), is_engaged=True),
        visit(TWO, "a", "direct", views=5, site="t", engaged_ms=2500),
        visit(TWO, "b", "direct", views=1, orders=1, revenue=[("EUR", Decimal(-1))]),
    ]
}


def test_a_visitor_is_counted_once_in_each_row_and_once_in_the_whole_of_a_site() -> None:
    there = answer("traffic", VISITS, by=("channel",), figures=("visits", "visitors"))
    assert figures(there, "visits", "visitors") == {"direct": (3, 2), "email": (2, 2)}
    assert there.whole == (5, 3)  # a of s, a of t, b: 2 + 2 would be one too many
    by_day = answer("traffic", VISITS, figures=("visits", "visitors"))
    assert figures(by_day, "visits", "visitors") == {ONE: (3, 2), TWO: (2, 2)}


def test_ratios_are_of_the_sums_and_not_means_of_ratios() -> None:
    there = answer("traffic", VISITS, by=("channel",), figures=("bounce_rate", "views_per_visit", "conversion_rate"))
    assert figures(there, "bounce_rate", "views_per_visit") == {"direct": (1 / 3, 7 / 3), "email": (0, 2.5)}
    assert there.whole == (1 / 5, 12 / 5, 2 / 5)


def test_duration_is_over_all_visits_and_not_engagement() -> None:
    there = answer("traffic", VISITS, by=("site",))
    assert figures(there, "seconds_per_visit", "engaged_seconds") == {"s": (22.5, 0.016), "t": (0, 2.5)}


def test_money_of_two_currencies_is_never_put_together() -> None:
    there = answer("revenue", VISITS)
    assert figures(there, "revenue", "orders") == {
        (ONE, "EUR"): (Decimal("10.5"), 2),
        (ONE, "USD"): (Decimal(7), 2),
        (TWO, "EUR"): (Decimal(-1), 1),
    }
    assert there.whole[0] is None
    assert figures(answer("revenue", VISITS, by=("date",)), "revenue") == {ONE: None, TWO: Decimal(-1)}
    assert answer("revenue", VISITS, where=("currency=EUR",)).whole[0] == Decimal("9.5")


def test_rows_stand_by_days_and_currencies_then_by_the_largest_figure() -> None:
    there = answer("revenue", VISITS, by=("channel", "currency"))
    assert [row[:3] for row in there.rows] == [
        ("email", "EUR", Decimal("10.5")),
        ("direct", "EUR", -1),
        ("email", "USD", 7),
    ]
    assert [row[:3] for row in answer("traffic", VISITS, by=("channel", "date")).rows] == [
        ("email", ONE, 2), ("direct", ONE, 1), ("direct", TWO, 2),
    ]  # fmt: skip


def test_rows_are_those_of_the_range_and_of_the_conditions() -> None:
    assert figures(answer("traffic", VISITS, last="2026-01-01"), "visits") == {ONE: 3}
    assert answer("traffic", VISITS, where=("channel=email",)).whole[0] == 2
    assert answer("traffic", VISITS, where=("channel=email,direct", "site!=t")).whole[0] == 4
    assert answer("traffic", VISITS, where=("app_version=",)).whole[0] == 5
    assert answer("traffic", VISITS, where=("channel=x' OR true --",)).rows == []


def test_weeks_begin_on_monday() -> None:
    assert figures(answer("traffic", VISITS, by=("week",)), "visits") == {date(2025, 12, 29): 5}
    assert figures(answer("traffic", VISITS, by=("month",)), "visits") == {ONE: 5}


def test_new_is_the_first_visit_ever_whatever_the_range() -> None:
    later = [visit(TWO, "b", "email", started_at=NOON + timedelta(days=1)), visit(TWO, "c", "email", session_id="c1")]
    later += [visit(TWO, "c", "email", session_id="c2", started_at=NOON + timedelta(hours=1))]
    tables = {"gold.visits": [*VISITS["gold.visits"][:2], *later]}
    all_days = figures(answer("newcomers", tables), "visits", "visitors")
    assert all_days == {"new": (3, 3), "returning": (2, 2)}
    assert figures(answer("newcomers", tables, first="2026-01-02"), "visits") == {"new": 1, "returning": 2}


def test_persons_are_counted_where_they_are_wanted(tmp_path: Path) -> None:
    """b and c are ann, a is nobody's."""
    lake, everything = (
        lake_at(tmp_path),
        {"first": "2026-01-01", "last": "2026-01-31", "figures": ("visits", "visitors")},
    )
    link = {"kind": "visitor", "site": "s", "user_id": "ann", "first_at": NOON, "last_at": NOON + timedelta(days=9)}
    write(lake, "silver.identities", [link | {"id": name} for name in "bc"])
    write(lake, "gold.visits", [visit(ONE, name, "email", session_id=name) for name in "abc"])
    days = [("a", ONE), ("b", ONE), ("b", TWO), ("c", TWO)]
    write(lake, "gold.visitor_days", [{"site": "s", "date": day, "visitor_id": name} for name, day in days])
    there = Reports(TableMemory(lake), SETTINGS)
    assert answer_of(there, "traffic", **everything).whole == (3, 3)
    assert answer_of(there, "traffic", **everything, by_person=True).whole == (3, 2)
    active = answer_of(there, "active", first="2026-01-01", last="2026-01-31", by_person=True)
    assert active.rows == [(ONE, 2, 2, 2, 1), (TWO, 1, 2, 2, 0.5)]
    with pytest.raises(UsageError, match="counts visitors alone"):
        answer_of(there, "media", by_person=True)


def test_an_answer_is_kept_while_its_table_stands_still_and_within_its_bytes(tmp_path: Path) -> None:
    lake, asked = lake_at(tmp_path), {"by": ("channel",), "figures": ("visits",)}
    write(lake, "gold.visits", VISITS["gold.visits"])
    kept, none = Reports(TableMemory(lake), SETTINGS), Reports(TableMemory(lake), SETTINGS, answer_bytes=100)
    first = answer_of(kept, "traffic", **asked)
    assert answer_of(kept, "traffic", **asked) is first
    assert answer_of(kept, "traffic", **asked, where=("channel=email",)).whole == (2,)
    assert answer_of(none, "traffic", **asked) is not answer_of(none, "traffic", **asked)
    write(lake, "gold.visits", [visit(ONE, "z", "email", session_id="z")])
    assert (first.whole, answer_of(kept, "traffic", **asked).whole) == ((5,), (6,))
    for _ in range(2):  # made anew, with one version more
        shutil.rmtree(lake.table("gold.visits"))
        write(lake, "gold.visits", VISITS["gold.visits"])
        write(lake, "gold.visits", [visit(ONE, "z", "direct", session_id="z")])
    assert answer_of(kept, "traffic", **asked, where=("channel=direct",)).whole == (4,)
    assert figures(answer_of(kept, "traffic", **asked), "visits") == {"direct": 4, "email": 2}


def test_questions_of_the_same_rows_are_answered_in_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = lake_at(tmp_path)
    write(lake, "gold.visits", VISITS["gold.visits"])
    year = {"first": "2026-01-01", "last": "2026-01-31"}
    asked: list[dict[str, Any]] = [
        year | {"by": ("channel",)},
        year | {"by": ("site",)},
        year | {"by": ("channel",), "figures": ("visits",)},
        year | {"by": ("channel",), "last": "2026-01-01"},
        year | {"by": ("channel",), "where": ("site=s",)},
    ]
    plain = [answer("traffic", VISITS, **each) for each in asked]
    there = Reports(TableMemory(lake), SETTINGS)
    passes, counted = [], Reports._counted

    def seen(self: Reports, database: Any, questions: Any) -> Any:
        passes.append(len(questions))
        return counted(self, database, questions)

    monkeypatch.setattr(Reports, "_counted", seen)
    there.prepare(there.question(report("traffic"), **each) for each in asked)
    assert sorted(passes) == [1, 1, 1, 2], "visitors are counted where they are wanted alone"
    assert [answer_of(there, "traffic", **each).rows for each in asked] == [each.rows for each in plain]
    assert sorted(passes) == [1, 1, 1, 2]


def test_who_asks_the_same_at_once_waits_for_one_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = lake_at(tmp_path)
    write(lake, "gold.visits", VISITS["gold.visits"])
    there, passes, counted = Reports(TableMemory(lake), SETTINGS), [], Reports._counted
    every = threading.Barrier(5)

    def slow(self: Reports, database: Any, questions: Any) -> Any:
        passes.append(questions)
        time.sleep(0.2)
        return counted(self, database, questions)

    def ask(_: int) -> Any:
        every.wait(10)
        return answer_of(there, "traffic", by=("channel",))

    monkeypatch.setattr(Reports, "_counted", slow)
    with ThreadPoolExecutor(5) as pool:
        answers = [*pool.map(ask, range(5))]
    assert len(passes) == 1
    assert all(each is answers[0] for each in answers)

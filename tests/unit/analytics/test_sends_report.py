"""`nextclick report sends`: counted by eye, against plain Python, and the interval against its source."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import duckdb
import msgspec
import pytest

from nextclick.definitions.intervals import difference_sql, wilson
from tests.report_rows import SETTINGS, answer, answer_of, figures, reports

DAY = datetime(2026, 1, 5, 12, tzinfo=UTC)
PEOPLE = ("people_sent", "people_held_out", "buyers_sent", "buyers_held_out")


def send(person: str, outcome: str, day: int = 0, visitor: str | None = None, trigger: str = "t") -> dict[str, Any]:
    at = DAY + timedelta(days=day)
    return {
        "site": "s", "send_id": f"{trigger}/{person}/{day}", "trigger": trigger, "person_id": person, "visitor_id": visitor,
        "outcome": outcome, "due_at": at, "decided_at": at, "ended_at": at, "window_s": 2 * 86_400,
    }  # fmt: skip


def order(visitor: str, day: float, goal: str = "purchase") -> dict[str, Any]:
    at = DAY + timedelta(days=day)
    return {
        "site": "s",
        "visitor_id": visitor,
        "goal": goal,
        "at": at,
        "conversion_id": f"{visitor}{day}",
        "date": at.date(),
    }


def test_each_person_is_judged_once_by_the_first_decision_and_on_every_device() -> None:
    tables = {
        "silver.sends": [
            send("a", "sent", visitor="phone"),
            send("a", "sent", day=4, visitor="phone"),
            send("b", "failed", visitor="b"),
            send("c", "held_out", visitor="c"),
            send("d", "held_out", visitor="d"),
            send("e", "capped", visitor="e"),
            send("f", "sent", day=9, visitor="f"),  # the window is not over
        ],
        "silver.identities": [{"site": "s", "kind": "visitor", "id": "desk", "user_id": "a"}],
        "gold.conversions": [
            order("desk", 1),
            order("b", 2),
            order("c", 0.5),
            order("d", 1, goal="sign_up"),
            order("e", 1),
            order("f", 9.5),
        ],
    }
    there = answer("sends", tables)
    assert figures(there, "sent", "held_out", "capped", "failed") == {"t": (3, 2, 1, 1)}
    assert figures(there, *PEOPLE) == {"t": (2, 2, 1, 1)}  # b bought a moment after the window
    assert figures(there, "lift") == {"t": 0}


def test_triggers_are_not_put_together() -> None:
    tables = {"silver.sends": [send("a", "sent"), send("a", "sent", trigger="u"), send("b", "sent", day=9)]}
    there = answer("sends", tables)
    assert figures(there, "people_sent") == {"t": 1, "u": 1}
    whole = dict(zip((metric.name for metric in there.question.metrics), there.whole, strict=True))
    assert (whole["sent"], whole["people_sent"], whole["lift"]) == (3, None, None)


def test_days_are_those_of_the_site() -> None:
    zones = msgspec.structs.replace(SETTINGS, timezones={"s": "Pacific/Auckland"})  # 13 hours ahead
    there = answer_of(reports({"silver.sends": [send("a", "sent")]}, settings=zones), "sends", by=("date",))
    assert figures(there, "sent") == {DAY.date() + timedelta(days=1): 1}


def ends(*pairs: tuple[tuple[int, int], tuple[int, int]]) -> list[Any]:
    """Of each pair of (hits, n) the interval's ends."""
    low, high = difference_sql(("a", "n"), ("b", "m"))
    values = ", ".join(f"({a}, {n}, {b}, {m})" for (a, n), (b, m) in pairs)
    return duckdb.execute(f"SELECT {low}, {high} FROM (VALUES {values}) AS pairs(a, n, b, m)").fetchall()


def test_the_interval_of_a_difference_is_newcombes() -> None:
    classic, small, nobody = ends(((56, 70), (48, 80)), ((9, 10), (3, 10)), ((0, 5), (1, 0)))
    assert classic == pytest.approx((0.0524, 0.3339), abs=5e-5)  # table II of the article
    assert small == pytest.approx((0.1705, 0.8090), abs=5e-5)
    assert nobody == (None, None)


def test_the_interval_is_made_of_two_of_wilsons() -> None:
    random = Random(1)
    sizes = [(random.randint(1, 300), random.randint(1, 300)) for _ in range(200)]
    pairs = [((random.choice((0, n, random.randint(0, n))), n), (random.randint(0, m), m)) for n, m in sizes]
    for ((a, n), (b, m)), interval in zip(pairs, ends(*pairs), strict=True):
        (low, high), (other_low, other_high), p, q = wilson(a, n), wilson(b, m), a / n, b / m
        down, up = ((p - low) ** 2 + (other_high - q) ** 2) ** 0.5, ((high - p) ** 2 + (q - other_low) ** 2) ** 0.5
        assert interval == pytest.approx((p - q - down, p - q + up), abs=1e-12)

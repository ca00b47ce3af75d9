"""Funnels over a lake: who counts, when, and what is left out. test_chains.py has the chains themselves."""

import csv
import json
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from analytics.funnel import Funnel, answer, question
from analytics.journeys.days import Days
from analytics.journeys.units import Unit
from cli.main import cli
from nextclick.errors import LakeError, UsageError
from nextclick.settings import FunnelSettings, Settings
from tests.table_rows import NOON, write
from tests.unit.analytics.conftest import WriteEvents

DAY = 24 * 60
STEPS = ("view_item", "add_to_cart", "purchase")
SHOES, HATS = {"category": "shoes"}, {"category": "hats"}


def counts(settings: Settings, *steps: str, within: str = "7d", **options: Any) -> list[int]:
    return [step.units for step in funnel(settings, *steps, within=within, **options).steps]


def funnel(settings: Settings, *steps: str, within: str = "7d", **options: Any) -> Funnel:
    return answer(settings, question(settings, steps or STEPS, within, **options))


def test_each_visitor_counts_once_at_the_deepest_step(events: WriteEvents) -> None:
    lake = events(
        [
            ("bought", 0, "view_item", {}), ("bought", 1, "view_item", {}), ("bought", 2, "add_to_cart", {}), ("bought", 3, "purchase", {}),
            ("left", 0, "view_item", {}), ("left", 1, "add_to_cart", {}), ("left", 1 + 7 * DAY, "purchase", {}),
            ("backwards", 0, "purchase", {}), ("backwards", 1, "view_item", {}),
            ("neither", 0, "add_to_cart", {}),
            ("again", 0, "view_item", {}), ("again", 9 * DAY, "view_item", {}), ("again", 10 * DAY, "add_to_cart", {}),
        ]
    )  # fmt: skip
    steps = funnel(lake).steps
    assert [(step.units, step.of_first, step.of_previous) for step in steps] == [
        (4, 1, None),
        (3, 0.75, 0.75),
        (1, 0.25, 1 / 3),
    ]
    assert [(step.median_seconds, step.p90_seconds) for step in steps] == [(None, None), (60, 60), (60, 60)]


def test_exactly_within_counts(events: WriteEvents) -> None:
    lake = events([("ann", 0, "view_item", {}), ("ann", 30, "purchase", {})])
    assert counts(lake, "view_item", "purchase", within="30m") == [1, 1]
    assert counts(lake, "view_item", "purchase", within="1799s") == [1, 0]


def test_the_same_step_twice_wants_two_events(events: WriteEvents) -> None:
    lake = events([("one", 0, "view_item", SHOES), ("two", 0, "view_item", SHOES), ("two", 0, "view_item", HATS)])
    assert counts(lake, "view_item", "view_item") == [2, 1]
    assert counts(lake, "view_item[category=hats]", "view_item") == [1, 1]


def test_strict_lets_nothing_else_lie_between_but_attention(events: WriteEvents) -> None:
    lake = events(
        [
            ("straight", 0, "view_item", {}), ("straight", 1, "engagement", {}), ("straight", 2, "impression", {}),
            ("straight", 3, "purchase", {}),
            ("around", 0, "view_item", {}), ("around", 1, "search", {}), ("around", 2, "purchase", {}),
        ]
    )  # fmt: skip
    assert counts(lake, "view_item", "purchase") == [2, 2]
    assert counts(lake, "view_item", "purchase", strict=True) == [2, 1]
    assert counts(lake, "view_item", "engagement", "purchase", strict=True) == [2, 1, 1]


def test_a_chain_starts_in_the_days_and_may_end_behind_them(settings: Settings, events: WriteEvents) -> None:
    """NOON is of 1 January 2026."""
    lake = events(
        [
            ("ann", 0, "view_item", {}),
            ("ann", DAY, "purchase", {}),
            ("ann", 2 * DAY, "view_item", {}),
            ("ann", 3 * DAY, "purchase", {}),
        ]
    )
    first, second, third = (date(2026, 1, day) for day in (1, 2, 3))
    assert counts(lake, "view_item", "purchase", days=Days(first, first)) == [1, 1]
    assert counts(lake, "view_item", "purchase", within="1h", days=Days(first, first)) == [1, 0]
    assert counts(lake, "view_item", "purchase", days=Days(second, second)) == [0, 0]
    assert counts(lake, "view_item", "purchase", days=Days(third)) == [1, 1]
    assert counts(lake, "view_item", "purchase", within="520w", days=Days(date.min, date.max)) == [1, 1]


def test_days_are_those_of_the_site(settings: Settings, events: WriteEvents) -> None:
    """11:30 after NOON is 23:30 of the day in UTC, and 0:30 of the next one in Berlin."""
    night = 11.5 * 60
    events([("ann", night, kind, {"site": site}) for site in ("utc", "berlin") for kind in ("view_item", "purchase")])
    zones = msgspec.structs.replace(settings.analytics, timezones={"berlin": "Europe/Berlin"})
    lake = msgspec.structs.replace(settings, analytics=zones)
    first, second = (date(2026, 1, day) for day in (1, 2))
    for site, units in (("utc", (1, 0)), ("berlin", (0, 1))):
        assert [counts(lake, "view_item", "purchase", days=Days(day, day, site))[1] for day in (first, second)] == [
            *units
        ]
    assert [counts(lake, "view_item", "purchase", days=Days(day, day))[1] for day in (first, second)] == [1, 1]


def test_a_visitor_of_two_sites_is_two(events: WriteEvents) -> None:
    lake = events([("ann", 0, "view_item", {}), ("ann", 1, "purchase", {"site": "other"})])
    assert counts(lake, "view_item", "purchase") == [1, 0]


def test_bots_are_left_out(settings: Settings, events: WriteEvents) -> None:
    lake = events([(agent, 0, kind, {"user_agent": agent}) for agent in ("bot", "browser") for kind in STEPS])
    write(
        lake.lake,
        "silver.user_agents",
        [{"user_agent": agent, "is_bot": agent == "bot"} for agent in ("bot", "browser")],
    )
    assert counts(lake) == [1, 1, 1]


def test_a_person_has_several_devices_and_visits(settings: Settings, events: WriteEvents) -> None:
    lake = events(
        [("phone", 0, "view_item", {}), ("laptop", 60, "purchase", {"user_id": "ann"}), ("laptop", 61, "view_item", {})]
    )
    link = {"site": "shop", "kind": "visitor", "user_id": "ann"}
    write(lake.lake, "silver.identities", [link | {"id": visitor} for visitor in ("phone", "laptop")])
    for visitor, first, last in (("phone", 0, 0), ("laptop", 60, 61)):
        span = {"started_at": NOON + timedelta(minutes=first), "ended_at": NOON + timedelta(minutes=last)}
        write(lake.lake, "silver.sessions", [{"session_id": visitor, "site": "shop", "visitor_id": visitor} | span])
    assert counts(lake, "view_item", "purchase", unit=Unit.VISITOR) == [2, 0]
    assert counts(lake, "view_item", "purchase", unit=Unit.PERSON) == [1, 1]
    assert counts(lake, "purchase", "view_item", unit=Unit.VISIT) == [1, 1]


def test_a_break_down_adds_up_to_all(events: WriteEvents) -> None:
    """Who came by shoes and by hats counts by the chain that reached the deepest step first; two of one time by the lesser word."""
    lake = events(
        [
            ("hats", 0, "view_item", SHOES), ("hats", 1, "view_item", HATS), ("hats", 2, "purchase", {}),
            ("shoes", 0, "view_item", SHOES),
            ("both", 0, "view_item", SHOES), ("both", 0, "view_item", HATS), ("both", 3, "purchase", {}),
            ("none", 0, "view_item", {}),
        ]
    )  # fmt: skip
    broken_down = funnel(lake, "view_item", "purchase", by="category")
    assert {value: [step.units for step in steps] for value, steps in broken_down.values.items()} == {
        "hats": [2, 2], "(none)": [1, 0], "shoes": [1, 0]}  # fmt: skip
    assert [step.units for step in broken_down.steps] == [4, 2]
    assert broken_down.values["hats"][1].median_seconds == 120


def test_values_beyond_the_twenty_commonest_are_other(events: WriteEvents) -> None:
    lake = events([(f"v{n}", 0, "view_item", {"properties": {"n": f"{n:02}"}}) for n in range(23)])
    values = funnel(lake, "view_item", "purchase", by="n").values
    assert [*values] == [*(f"{n:02}" for n in range(20)), "(other)"]
    assert values["(other)"][0].units == 3


def test_units_that_are_taken_in_parts_are_the_same(events: WriteEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = events([(f"v{n}", at, kind, SHOES) for n in range(20) for at, kind in enumerate(STEPS[: 1 + n % 3])])
    whole = funnel(lake, by="category")
    monkeypatch.setattr("analytics.funnel._ROWS_AT_ONCE", 10)
    assert funnel(lake, by="category") == whole
    assert [step.units for step in whole.steps] == [20, 13, 6]


def test_a_lake_without_events_has_nobody(settings: Settings) -> None:
    for unit in Unit:
        steps = funnel(settings, unit=unit, by="category").steps
        assert [(step.units, step.of_first, step.median_seconds) for step in steps] == [(0, None, None)] * 3


def test_a_damaged_file_is_named(events: WriteEvents) -> None:
    lake = events([("ann", 0, "view_item", {})])
    for file in (lake.lake.root / "silver" / "events").glob("*.parquet"):
        file.write_bytes(b"no parquet")
    with pytest.raises(LakeError, match=r"The funnel cannot be counted: .*parquet.*recovery.md"):
        counts(lake)


def test_a_name_stands_for_its_steps(events: WriteEvents) -> None:
    lake = events([("ann", 0, "view_item", {}), ("ann", 120, "purchase", {})])
    named = {"checkout": FunnelSettings(steps=("view_item", "purchase"), within="1h")}
    lake = msgspec.structs.replace(lake, analytics=msgspec.structs.replace(lake.analytics, funnels=named))
    assert [step.units for step in answer(lake, question(lake, ["checkout"])).steps] == [1, 0]
    assert [step.units for step in answer(lake, question(lake, ["checkout"], "2h")).steps] == [1, 1]
    with pytest.raises(UsageError, match=r"\[analytics\.funnels\] of the settings \(checkout\)"):
        question(lake, ["view_item"])


def call(settings: Settings, *words: str) -> Any:
    return CliRunner().invoke(cli, ["--lake", str(settings.lake.root), "funnel", *words])


def test_the_verb_shows_a_table_json_or_csv(events: WriteEvents) -> None:
    lake = events([("ann", 0, "view_item", SHOES), ("ann", 90, "purchase", {}), ("bob", 0, "view_item", {})])
    words = ("view_item", "purchase", "--by", "category")
    text = call(lake, *words).stdout
    assert "visitors, all steps within 7 d of the first" in text
    assert "50.0%" in text and "1.5 h" in text and "shoes" in text  # noqa: PT018
    assert json.loads(call(lake, *words, "--json").stdout)["steps"][1]["units"] == 1
    lines = [*csv.DictReader(call(lake, *words, "--csv").stdout.splitlines())]
    assert [(line["category"], line["condition"], line["units"]) for line in lines] == [
        ("", "view_item", "2"), ("", "purchase", "1"),
        ("(none)", "view_item", "1"), ("(none)", "purchase", "0"),
        ("shoes", "view_item", "1"), ("shoes", "purchase", "1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["view_item"], "A funnel has two steps or more"),
        (["view_item"] * 11, "A funnel has 2 to 10 steps, this one 11"),
        (["view_item", "purchase", "--within", "soon"], "'soon' is no time"),
        (["view_item", "purchase", "--within", "999999999w"], "at most ten years"),
        (["view_item", "purchase", "--within", "0d"], "'0d' is no time"),
        (["view_item", "purchase", "--from", "2026-02-02", "--to", "2026-02-01"], "before they begin"),
        (["view_item", "purchase", "--from", "monday"], "'monday' is no day"),
        (["view_item", "purchase", "--by", "consent"], "consent cannot be compared"),
        (["view_item", "purchase", "--csv", "--json"], "choose one"),
    ],
)
def test_a_wrong_call_says_what_to_do(settings: Settings, words: list[str], why: str) -> None:
    error = call(settings, *words).exception
    assert isinstance(error, UsageError)
    assert why in str(error)

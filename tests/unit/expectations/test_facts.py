"""Each fact sees the fault that it is there for, among new rows and against the whole table."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake

from expectations.due import CheckTask, due
from expectations.measures.column_types import words
from expectations.measures.facts import measure
from expectations.measures.measure_context import Fact, RunCache
from nextclick.contracts import catalog
from nextclick.definitions.attribution import RULES
from nextclick.lake.delta import open_table
from nextclick.lake.duck import files
from nextclick.settings import Settings, load
from tests.table_rows import NOON, seq, write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / "it's a lake", profile="test", environ={})
    settings.lake.prepare()
    return settings


@pytest.fixture
def facts(settings: Settings) -> Callable[..., dict[str, Fact]]:
    """`facts(table, since=…)`: its facts, of all rows or of those that are new since a version."""

    def of(table: str, since: int | None = None) -> dict[str, Fact]:
        (part,) = due(settings, [table], all_rows=True)
        if since is not None:
            before = open_table(settings.lake, table, since)
            assert before
            part = CheckTask(part.table, part.delta, part.suite, tuple(files(part.delta) - files(before)), whole=False)
        return measure(part, RunCache(settings))

    return of


def sessions(settings: Settings, *ids: str | None) -> int:
    return write(settings.lake, "silver.sessions", [{"session_id": one} for one in ids])


def test_a_key_that_is_there_twice_is_counted_once(settings: Settings, facts: Any) -> None:
    sessions(settings, "a", "b", "b", "b", "c", None, None)
    assert facts("silver.sessions")["key_unique"] == (2, "2 keys are there more than once")


def test_a_new_row_with_an_old_key_is_found_in_the_whole_table(settings: Settings, facts: Any) -> None:
    since = sessions(settings, "a", "b")
    sessions(settings, "c", "a")
    assert facts("silver.sessions", since)["key_unique"].value == 1


def test_an_old_fault_is_no_fault_of_the_new_rows(settings: Settings, facts: Any) -> None:
    since = sessions(settings, "a", "a")
    sessions(settings, "b")
    assert facts("silver.sessions", since)["key_unique"].value == 0


def test_keys_of_structs_and_of_days_are_compared(settings: Settings, facts: Any) -> None:
    write(settings.lake, "bronze.events", [{"seq": seq(0)}, {"seq": seq(0)}, {"seq": seq(1)}])
    since = write(settings.lake, "gold.item_daily", [{"item_id": "a"}, {"item_id": "b"}])
    write(settings.lake, "gold.item_daily", [{"item_id": "a"}])
    assert facts("bronze.events")["key_unique"].value == 1
    assert facts("gold.item_daily", since)["key_unique"].value == 1


def test_no_new_rows_are_no_fault(settings: Settings, facts: Any) -> None:
    since = sessions(settings, "a", "a")
    assert facts("silver.sessions", since)["key_unique"].value == 0


@pytest.mark.parametrize("table", [table.name for table in catalog.TABLES])
def test_a_table_as_its_contract_says_has_no_difference_in_types(settings: Settings, facts: Any, table: str) -> None:
    write(settings.lake, table, [{}])
    if table != "gold.data_quality":
        assert facts(table)["types"] == (0, "as the contract says")


def test_columns_that_differ_from_the_contract_are_named(settings: Settings, facts: Any) -> None:
    import pyarrow as pa

    rows = pa.table({"site": ["s"], "item_id": [1], "rank": pa.array([1], pa.int32()), "colour": ["red"]})
    write_deltalake(settings.lake.table("gold.popular_items"), rows)
    measured = facts("gold.popular_items")
    assert measured["types"].value == 5
    for part in ("score is not there", "colour (string) is not in the contract", "item_id is bigint, not string"):
        assert part in measured["types"].observed


def test_nested_types_read_as_contracts_write_them() -> None:
    pair = {"type": "struct", "fields": [{"name": "a", "type": "integer"}, {"name": "b", "type": "decimal(18,4)"}]}
    assert words({"type": "array", "elementType": pair}) == "array<struct<a:int,b:decimal(18,4)>>"


def test_what_cannot_be_measured_is_beyond_every_limit(settings: Settings, facts: Any) -> None:
    sessions(settings, "a")
    for file in Path(settings.lake.table("silver.sessions")).glob("*.parquet"):
        file.write_bytes(b"nothing")
    fact = facts("silver.sessions")["key_unique"]
    assert fact.value == math.inf
    assert fact.observed.startswith("cannot be measured")


def test_a_field_that_nobody_knows_is_named(settings: Settings, facts: Any) -> None:
    known = {"event": "click", "event_id": "e", "product_id": "p", "properties": {"anything": 1}}
    write(settings.lake, "bronze.events", [{"seq": seq(0), "payload": json.dumps(known)}])
    assert facts("bronze.events")["unknown_fields"] == (0, "none")
    drifted = [known | {"colour": "red"}, known | {"colour": 1, "Size": 2}]
    rows = [{"seq": seq(1 + at), "payload": json.dumps(one)} for at, one in enumerate(drifted)]
    write(settings.lake, "bronze.events", [*rows, {"seq": seq(9), "payload": "{torn", "intact": False}])
    assert facts("bronze.events", since=0)["unknown_fields"] == (2, "Size, colour")


def test_fields_that_could_not_be_read_are_named_with_who_sent_them(settings: Settings, facts: Any) -> None:
    since = write(settings.lake, "silver.events", [{"seq": seq(0), "source": "old", "unread_fields": ["price"]}])
    rows = [("plain", ["price", "quantity"]), ("plain", ["price"]), ("ga4", None)]
    new = [{"seq": seq(1 + at), "source": source, "unread_fields": fields} for at, (source, fields) in enumerate(rows)]
    write(settings.lake, "silver.events", new)
    assert facts("silver.events", since)["unread_fields"] == (2, "2 price (plain), 1 quantity (plain)")


def test_new_rejects_are_counted_by_reason(settings: Settings, facts: Any) -> None:
    since = write(settings.lake, "silver.quarantine", [{"reason": "old"}])
    fresh = [("silver", "bad_type"), ("silver", "bad_type"), ("door", "too_long")]
    write(settings.lake, "silver.quarantine", [{"origin": origin, "reason": reason} for origin, reason in fresh])
    assert facts("silver.quarantine", since)["new_rejects"] == (3, "2 bad_type (silver), 1 too_long (door)")


def arrivals(settings: Settings, *counts: int, source: str = "plain") -> None:
    """So many events a day, the last of them today."""
    rows = [
        {"received_at": NOON - timedelta(days=days), "source": source}
        for days, count in enumerate(reversed(counts))
        for _ in range(count)
    ]
    write(settings.lake, "silver.events", rows)


@pytest.mark.parametrize(
    ("counts", "ratio"),
    [
        ((9, 2, 2, 2, 2, 2, 2, 2, 6, 1), 3.0),
        ((9, 2, 2, 2, 2, 2, 2, 2, 0, 1), 0.0),
        ((7, 0, 0, 0, 0, 0, 0, 2, 1), 2.0),
        ((7, 7, 7, 7, 7, 7, 7, 1), None),
    ],
    ids=["three times", "nothing", "days without traffic count", "too short a past"],
)
def test_a_day_is_compared_with_the_week_before_it(
    settings: Settings, facts: Any, counts: tuple[int, ...], ratio: float | None
) -> None:
    arrivals(settings, *counts)
    assert facts("silver.events")["volume"].value == ratio


def test_imports_are_no_traffic(settings: Settings, facts: Any) -> None:
    arrivals(settings, 100, 0, 0, 0, 0, 0, 0, 0, 0, 100, source="import:globo")
    assert facts("silver.events")["volume"].value is None


def test_the_newest_arrival_is_as_old_as_it_is(settings: Settings, facts: Any) -> None:
    now = datetime.now(UTC)
    rows = [{"received_at": now - timedelta(hours=hours)} for hours in (50, 30)]
    write(settings.lake, "silver.events", rows)
    assert facts("silver.events")["fresh"].value == pytest.approx(30, abs=0.1)


def used(settings: Settings, *pairs: tuple[str, str]) -> None:
    write(settings.lake, "gold.interactions", [{"person_id": person, "item_id": item} for person, item in pairs])


def lists(settings: Settings, **items: str) -> None:
    """`p="abc"`: the person p is recommended the items a, b, c."""
    rows = [
        {"person_id": person, "rank": rank, "item_id": item}
        for person, listed in items.items()
        for rank, item in enumerate(listed, 1)
    ]
    write(settings.lake, "gold.recommendations", rows)


def test_lists_that_can_be_shown_have_no_fault(settings: Settings, facts: Any) -> None:
    used(settings, ("p", "a"), ("q", "b"), ("q", "c"))
    lists(settings, p="cb", q="a")
    assert {name: fact.value for name, fact in facts("gold.recommendations").items()} == {
        "types": 0, "key_unique": 0, "repeated_items": 0, "seen_items": 0, "unknown_items": 0, "unknown_people": 0,
        "broken_ranks": 0, "wrong_lengths": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("items", "fault"),
    [
        ({"p": "bb"}, "repeated_items"),
        ({"p": "ba"}, "seen_items"),
        ({"p": "bz"}, "unknown_items"),
        ({"z": "bca"}, "unknown_people"),
        ({"p": "b"}, "wrong_lengths"),
    ],
)
def test_a_fault_in_a_list_is_found(settings: Settings, facts: Any, items: dict[str, str], fault: str) -> None:
    used(settings, ("p", "a"), ("q", "b"), ("q", "c"))
    lists(settings, **items)
    assert {name for name, fact in facts("gold.recommendations").items() if fact.value} == {fault}


def test_a_gap_in_the_ranks_is_found(settings: Settings, facts: Any) -> None:
    used(settings, ("p", "a"), ("q", "b"), ("q", "c"))
    rows = [{"person_id": "p", "rank": rank, "item_id": item} for rank, item in ((1, "b"), (3, "c"))]
    write(settings.lake, "gold.recommendations", rows)
    assert facts("gold.recommendations")["broken_ranks"].value == 1


def test_an_item_of_the_catalogue_alone_is_known(settings: Settings, facts: Any) -> None:
    used(settings, ("p", "a"))
    write(settings.lake, "silver.items", [{"item_id": "new"}])
    write(settings.lake, "gold.popular_items", [{"item_id": "new"}, {"item_id": "old", "rank": 2}])
    assert facts("gold.popular_items")["unknown_items"].value == 1


def test_an_item_is_not_similar_to_itself(settings: Settings, facts: Any) -> None:
    used(settings, ("p", "a"), ("p", "b"))
    rows = [{"item_id": "a", "similar_item_id": other, "rank": rank} for rank, other in ((1, "b"), (2, "a"))]
    write(settings.lake, "gold.similar_items", rows)
    assert facts("gold.similar_items")["own_items"].value == 1


def visit(start: int, **fields: Any) -> dict[str, Any]:
    return {"session_id": f"s{start}", "entry_page": "/a", "exit_page": "/b"} | fields


def test_days_of_visitors_and_pages_say_what_visits_say(settings: Settings, facts: Any) -> None:
    write(settings.lake, "gold.visits", [visit(0), visit(1), visit(2, entry_page=None, exit_page=None)])
    write(settings.lake, "gold.visitor_days", [{"visitor_id": "a", "visits": 2}, {"visitor_id": "b", "visits": 1}])
    pages = [{"page": "/a", "entries": 2, "exits": 0}, {"page": "/b", "entries": 0, "exits": 2}]
    write(settings.lake, "gold.page_daily", pages)
    assert facts("gold.visitor_days")["unlike_visits"].value == 0
    assert facts("gold.page_daily")["unlike_visits"].value == 0
    write(settings.lake, "gold.visits", [visit(3), visit(4, site="another")])
    assert facts("gold.visitor_days")["unlike_visits"].value == 2
    assert facts("gold.page_daily")["unlike_visits"] == (2, "2 days of a site differ from gold.visits")


def test_campaigns_have_the_visits_and_costs_of_their_day(settings: Settings, facts: Any) -> None:
    def row(visits: int, currency: str = "", cost: str | None = None) -> dict[str, Any]:
        return {"visits": visits, "currency": currency, "cost": cost and Decimal(cost), "campaign": f"{visits}{cost}"}

    def compared() -> Fact:
        fact: Fact = facts("gold.campaign_daily")["unlike_visits_and_costs"]
        return fact

    write(settings.lake, "gold.visits", [visit(0), visit(1)])
    write(
        settings.lake,
        "silver.costs",
        [{"currency": "EUR", "cost": Decimal(5)}, {"currency": "USD", "cost": Decimal(3)}],
    )
    good = [row(2), row(0, "EUR", "5"), row(0, "USD", "3")]
    write(settings.lake, "gold.campaign_daily", good)
    assert compared().value == 0
    faults = [
        [row(1), *good[1:]],
        [*good[:2], row(0, "USD", "3.0001")],
        [*good, row(1) | {"site": "another"}],
        good[1:],
    ]
    for rows in faults:
        write(settings.lake, "gold.campaign_daily", rows, mode="overwrite")
        assert compared() == (1, "1 days of a site differ from gold.visits and silver.costs")
    write(settings.lake, "silver.costs", [{"currency": "EUR", "cost": Decimal(1)}])
    assert compared() == (None, "silver.costs: written since, so not compared")


def test_a_conversion_is_of_a_visit_and_its_path_in_order(settings: Settings, facts: Any) -> None:
    def converted(name: str, minutes: list[int], path_n: int, session: str = "s0") -> dict[str, Any]:
        path = [{"at": NOON + timedelta(minutes=minute), "channel": "direct"} for minute in minutes]
        return {"conversion_id": name, "session_id": session, "at": NOON, "path": path, "path_n": path_n}

    write(settings.lake, "gold.visits", [visit(0)])
    good = [converted("good", [-9, -5, 0], 3), converted("cut", list(range(-49, 1)), 80)]
    since = write(settings.lake, "gold.conversions", good)
    assert {name: facts("gold.conversions")[name].value for name in ("unknown_visits", "broken_paths")} == {
        "unknown_visits": 0,
        "broken_paths": 0,
    }
    bad = [
        converted("order", [0, -5], 2),
        converted("later", [1], 1),
        converted("short", [0], 2),
        converted("none", [], 0),
    ]
    write(settings.lake, "gold.conversions", [*bad, converted("nowhere", [0], 1, session="gone")])
    assert facts("gold.conversions", since)["broken_paths"].value == 4
    assert facts("gold.conversions", since)["unknown_visits"].value == 1


def test_credits_add_up_to_what_conversions_had(settings: Settings, facts: Any) -> None:
    def credit(rule: str, conversions: str, revenue: str, channel: str = "email") -> dict[str, Any]:
        shared = {"goal": "purchase", "rule": rule, "channel": channel, "currency": "EUR"}
        return shared | {"conversions": Decimal(conversions), "revenue": Decimal(revenue)}

    write(settings.lake, "gold.conversions", [{"goal": "purchase", "revenue": {"EUR": Decimal("9.9999")}}])
    halves = [
        credit(rule, "0.5", revenue, channel) for rule in RULES for revenue, channel in (("5", "a"), ("4.9999", "b"))
    ]
    write(settings.lake, "gold.attribution_daily", halves)
    write(settings.lake, "gold.attribution_fitted", [credit("shapley", "1", "9.9999"), credit("markov", "1", "9.9999")])
    assert facts("gold.attribution_daily")["unlike_conversions"].value == 0
    assert facts("gold.attribution_fitted")["unlike_conversions"].value == 0
    write(
        settings.lake, "gold.attribution_daily", [credit("linear", "0", "0.0001", "c"), credit("first", "1", "0", "c")]
    )
    assert facts("gold.attribution_daily")["unlike_conversions"] == (2, "2 sums differ from gold.conversions")
    write(settings.lake, "gold.conversions", [{"goal": "sign_up", "conversion_id": "y"}])
    assert facts("gold.attribution_daily")["unlike_conversions"].value == 2 + len(RULES)
    assert facts("gold.attribution_fitted")["unlike_conversions"].value == 0

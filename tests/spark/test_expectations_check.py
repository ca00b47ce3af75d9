"""Checks as they run, Great Expectations on rows and facts: faults are found, written down, and stop what is downstream."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pyspark.sql import SparkSession

from cli.check import check
from expectations import runner
from expectations.results import Result
from expectations.runner import run
from expectations.stops import open_stops, override, refuse
from nextclick.command import CommandContext
from nextclick.errors import CheckStopped
from nextclick.lake.paths import Lake
from nextclick.settings import Settings
from tests.table_rows import NOON, seq, write

pytestmark = pytest.mark.spark

Check = Callable[..., dict[str, Result]]


@pytest.fixture
def checked(spark: SparkSession, settings: Settings) -> Check:
    """`checked(*tables)` runs the checks; what was found by "table expectation"."""

    def look(*tables: str, **options: Any) -> dict[str, Result]:
        results = run(lambda: spark, settings, tables or None, **options)
        return {f"{one.table_name} {one.expectation}": one for one in results}

    return look


def failures(results: dict[str, Result]) -> dict[str, str | None]:
    return {name: one.observed for name, one in results.items() if not one.success}


def sound(lake: Lake) -> None:
    """Three events, one of them rejected, and what is made of them."""
    now = datetime.now(UTC)
    events = [{"seq": seq(n), "event_id": f"e{n}", "client_time": NOON, "received_at": now} for n in range(2)]
    write(lake, "bronze.events", [{"seq": seq(n), "payload": json.dumps({"event_id": f"e{n}"})} for n in range(3)])
    write(lake, "silver.events", events)
    write(lake, "silver.quarantine", [{"seq": seq(2), "origin": "silver", "reason": "bad_type"}])
    write(lake, "silver.sessions", [{"session_id": "s", "ended_at": NOON + timedelta(minutes=1)}])
    write(lake, "gold.interactions", [{"person_id": "p", "item_id": "a"}, {"person_id": "q", "item_id": "b"}])
    write(lake, "gold.recommendations", [{"person_id": "p", "item_id": "b", "score": -0.5}])


def test_sound_tables_hold_and_the_next_check_has_nothing_to_do(checked: Check, settings: Settings) -> None:
    sound(settings.lake)
    results = checked()
    assert failures(results) == {"silver.quarantine new_rejects": "1 bad_type (silver)"}
    assert {one.scope for one in results.values()} == {"all"}
    refuse(settings, "gold.recommendations")

    def nobody() -> SparkSession:
        raise AssertionError("Spark was opened")

    assert run(nobody, settings) == []


FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "silver.events event_id_not_null": ("silver.events", {"event_id": None}, "1 of 3 rows"),
    "silver.events price_in_range": ("silver.events", {"price": Decimal("-0.5")}, "1 of 3 rows, such as -0.5"),
    "silver.sessions key_unique": ("silver.sessions", {"session_id": "one"}, "1 keys are there more than once"),
    "silver.sessions events_in_range": ("silver.sessions", {"events": 0}, "1 of 4 rows, such as 0"),
    "silver.sessions started_at_at_most_ended_at": (
        "silver.sessions",
        {"session_id": "backwards", "ended_at": NOON - timedelta(seconds=1)},
        "1 of 4 rows",
    ),
    "silver.quarantine origin_in_set": ("silver.quarantine", {"origin": "nowhere"}, "1 of 1 rows, such as nowhere"),
    "gold.interactions strength_finite": ("gold.interactions", {"strength": math.nan}, "3 of 3 rows"),
    "gold.interactions strength_in_range": ("gold.interactions", {"strength": -1.0}, "1 of 3 rows, such as -1.0"),
    "bronze.events payload_not_null": ("bronze.events", {"seq": seq(7), "payload": None}, "1 of 1 rows"),
    "silver.events residual": ("silver.events", {"seq": seq(1), "event_id": "e1"}, "1 events are nowhere (1 accepted)"),
}  # fmt: skip


@pytest.fixture(params=["here", "by Spark"])
def rows_are_judged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By this process, as few rows are, or by Spark, as many."""
    if request.param == "by Spark":
        monkeypatch.setattr(runner, "_FEW", -1)


@pytest.mark.usefixtures("rows_are_judged")
def test_each_fault_is_found_and_stops(checked: Check, settings: Settings) -> None:
    write(settings.lake, "silver.sessions", [{"session_id": "one"}])
    write(settings.lake, "gold.interactions", [{"item_id": "inf", "strength": math.inf}])
    for name, (table, row, _) in FAULTS.items():
        write(settings.lake, table, [{"item_id": name} | row if table == "gold.interactions" else row])
    failed = failures(checked())
    for name, (_, _, observed) in FAULTS.items():
        assert observed in (failed.get(name) or ""), name
    stopped = {f"{stop.table_name} {stop.expectation}" for stop in open_stops(settings)}
    assert stopped >= set(FAULTS)


def test_new_rows_alone_are_looked_at_and_keys_against_all(checked: Check, settings: Settings) -> None:
    write(settings.lake, "silver.sessions", [{"session_id": f"s{n}"} for n in range(5)])
    checked()
    write(settings.lake, "silver.sessions", [{"session_id": "s3", "events": 0}, {"session_id": "new"}])
    results = checked()
    assert failures(results) == {
        "silver.sessions key_unique": "1 keys are there more than once",
        "silver.sessions events_in_range": "1 of 2 rows, such as 0",
    }
    assert results["silver.sessions events_in_range"].scope == "changed"


@pytest.mark.usefixtures("rows_are_judged")
def test_days_that_are_folders_are_read_with_their_dates(checked: Check, settings: Settings) -> None:
    write(settings.lake, "gold.item_daily", [{"item_id": "a"}])
    checked()
    write(settings.lake, "gold.item_daily", [{"item_id": "b", "date": NOON.date() + timedelta(days=1)}])
    assert failures(checked()) == {}


def test_a_stop_is_lifted_by_a_mended_table_or_by_a_person(checked: Check, settings: Settings) -> None:
    write(settings.lake, "silver.sessions", [{"session_id": "s", "events": 0}])
    checked()
    write(settings.lake, "silver.sessions", [{"session_id": "good"}])
    assert checked()["silver.sessions events_in_range"].scope == "all"
    with pytest.raises(CheckStopped, match=r"silver\.sessions version 1"):
        refuse(settings, "gold.traffic_daily")
    override(settings, "silver.sessions", "Ada", "a test")
    refuse(settings, "gold.traffic_daily")
    write(settings.lake, "silver.sessions", [{"session_id": "s", "events": 0}], mode="overwrite")
    checked()
    with pytest.raises(CheckStopped, match=r"silver\.sessions version 2"):
        refuse(settings, "gold.traffic_daily")
    write(settings.lake, "silver.sessions", [{"session_id": "s"}], mode="overwrite")
    checked()
    refuse(settings, "gold.traffic_daily")


@pytest.mark.usefixtures("rows_are_judged")
def test_what_cannot_be_judged_fails(checked: Check, settings: Settings) -> None:
    import pyarrow as pa
    from deltalake import write_deltalake

    write_deltalake(
        settings.lake.table("gold.popular_items"), pa.table({"site": ["s"], "rank": pa.array([1], pa.int32())})
    )
    failed = failures(checked())
    assert "item_id is not there" in (failed["gold.popular_items types"] or "")
    assert failed["gold.popular_items unknown_items"] == "1 items are unknown"  # what is not there is null
    assert "could not be judged" in (failed["gold.popular_items score_finite"] or "")
    assert "gold.popular_items rank_in_range" not in failed


@pytest.mark.usefixtures("rows_are_judged")
def test_rows_of_a_damaged_file_are_no_sound_rows(checked: Check, settings: Settings) -> None:
    write(settings.lake, "silver.sessions", [{"session_id": "s"}])
    [file] = Path(settings.lake.table("silver.sessions")).glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-9])
    assert "could not be judged" in (failures(checked())["silver.sessions events_in_range"] or "")


@pytest.fixture
def called(spark: SparkSession, settings: Settings) -> Callable[..., Any]:
    def call(*arguments: str) -> Any:
        context = CommandContext(lake=str(settings.lake.root), profile="test")
        return CliRunner().invoke(check, arguments, obj=context, standalone_mode=False)

    return call


def test_the_verb_shows_what_fails_and_ends_with_a_stop(called: Any, settings: Settings) -> None:
    write(settings.lake, "silver.sessions", [{"session_id": "s", "events": 0}])
    shown = called("silver.sessions", "--json")
    assert isinstance(shown.exception, CheckStopped)
    output = json.loads(shown.stdout)
    assert [stop["expectation"] for stop in output["stops"]] == ["events_in_range"]
    assert sum(not one["success"] for one in output["results"]) == 1
    assert "events_in_range" in called("--stops").stdout
    lifted = called("--override", "silver.sessions", "--by", "Ada", "--why", "a test")
    assert "overridden by Ada" in lifted.stdout
    assert "No table changed" in called().stdout

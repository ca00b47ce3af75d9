"""What is due: new rows where a table changed, everything where that is not enough, nothing otherwise."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from expectations.due import CheckTask, due
from expectations.results import Result, append
from expectations.stops import override
from nextclick.errors import UsageError
from nextclick.lake.duck import files
from nextclick.settings import Settings, load
from tests.table_rows import NOON, seq, write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = load(tmp_path / "lake", profile="test", environ={})
    settings.lake.prepare()
    return settings


def passed(settings: Settings, part: CheckTask, *failing: str) -> None:
    """Write the part down as checked; all of it holds but what is `failing`."""
    rows = [
        Result(
            table_name=part.table.name,
            table_id=part.table_id,
            table_version=part.version,
            expectation=one.name,
            meaning=one.meaning,
            severity=one.severity.value,
            success=one.name not in failing,
            scope="all",
            checked_at=datetime.now(UTC),
            run_id="r",
        )
        for one in part.suite
    ]
    append(settings.lake, rows)


def sessions(settings: Settings, *ids: str, **options: Any) -> None:
    write(settings.lake, "silver.sessions", [{"session_id": one} for one in ids], **options)


def only(settings: Settings, **options: Any) -> CheckTask:
    (part,) = due(settings, ["silver.sessions"], **options)
    return part


def test_a_lake_without_tables_has_nothing_to_check(settings: Settings) -> None:
    assert due(settings) == []


def test_a_table_is_checked_whole_at_first(settings: Settings) -> None:
    sessions(settings, "a")
    part = only(settings)
    assert part.whole
    assert set(part.files) == files(part.delta)


def test_a_checked_version_is_not_checked_again_unless_asked(settings: Settings) -> None:
    sessions(settings, "a")
    passed(settings, only(settings))
    assert due(settings) == []
    assert only(settings, all_rows=True).whole


def test_files_that_came_since_are_what_is_new(settings: Settings) -> None:
    sessions(settings, "a")
    first = only(settings)
    passed(settings, first)
    sessions(settings, "b")
    part = only(settings)
    assert not part.whole
    assert not set(part.files) & set(first.files)
    assert len(part.files) == 1


def test_after_a_rebuild_everything_is_new(settings: Settings) -> None:
    sessions(settings, "a")
    passed(settings, only(settings))
    sessions(settings, "a", mode="overwrite")
    assert only(settings).whole


def test_while_a_stop_stands_the_new_rows_alone_cannot_lift_it(settings: Settings) -> None:
    sessions(settings, "a")
    passed(settings, only(settings), "key_unique")
    sessions(settings, "b")
    assert only(settings).whole
    override(settings, "silver.sessions", "Ada", "they are alike")
    assert not only(settings).whole


def test_a_changed_expectation_looks_at_everything(settings: Settings) -> None:
    write(settings.lake, "gold.recommendations", [{"person_id": "p"}])
    (part,) = due(settings)
    passed(settings, part)
    longer = load(settings.lake.root, profile="test", environ={"NEXTCLICK_LISTS__TOP_N": "7"})
    assert due(settings) == []
    assert [part.whole for part in due(longer)] == [True]


def test_a_table_that_nobody_knows_is_wrong_usage(settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"no table 'silver\.nothing'"):
        due(settings, ["silver.nothing"])


def test_events_that_stop_arriving_are_noticed_though_no_version_is_new(settings: Settings) -> None:
    now = datetime.now(UTC)
    write(settings.lake, "silver.events", [{"received_at": now - timedelta(hours=2)}])
    (part,) = due(settings)
    passed(settings, part)
    assert due(settings) == []
    hasty = {"NEXTCLICK_QUALITY__FRESHNESS_HOURS": "1"}
    passed(settings, due(load(settings.lake.root, profile="test", environ=hasty))[0])
    (again,) = due(load(settings.lake.root, profile="test", environ=hasty))
    assert ([one.name for one in again.suite], again.files, again.whole) == (["fresh"], (), False)


def test_new_bronze_rows_are_reconciled_though_silver_did_not_move(settings: Settings) -> None:
    write(settings.lake, "bronze.events", [{"seq": seq(0)}])
    write(settings.lake, "silver.events", [{"seq": seq(0), "received_at": datetime.now(UTC), "client_time": NOON}])
    for part in due(settings):
        passed(settings, part)
    write(settings.lake, "bronze.events", [{"seq": seq(1)}])
    (silver,) = due(settings, ["silver.events"])
    assert ([one.name for one in silver.suite], silver.files) == (["residual", "double_counted"], ())
    passed(settings, silver)
    assert due(settings, ["silver.events"]) == []

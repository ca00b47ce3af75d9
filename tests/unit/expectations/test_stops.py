"""docs/design.md, rule 10: a failed check refuses downstream work until a newer version passes or a person overrides it."""

from collections.abc import Iterator
from dataclasses import fields as columns
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from expectations import results
from expectations.results import Result, append, latest_results
from expectations.stops import open_stops, override, refuse
from nextclick.contracts.gold import DATA_QUALITY
from nextclick.errors import CheckStopped, UsageError
from nextclick.settings import Settings, load

SECONDS: Iterator[int] = count()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path / "lake", profile="test", environ={})


def checked(settings: Settings, success: bool, version: int = 1, **fields: Any) -> None:
    """One row of gold.data_quality, later than those before it."""
    row = Result(
        table_name="silver.events",
        table_id="a",
        table_version=version,
        expectation="residual",
        meaning="Nothing is lost.",
        severity="stop",
        success=success,
        scope="all",
        observed="3 events are nowhere",
        checked_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(SECONDS)),
        run_id="r",
    )
    append(settings.lake, [replace(row, **fields)])


def test_a_result_is_a_row_of_the_contract() -> None:
    assert tuple(field.name for field in columns(Result)) == DATA_QUALITY.column_names


def test_a_lake_that_was_never_checked_refuses_nothing(settings: Settings) -> None:
    refuse(settings, "gold.recommendations")
    assert latest_results(settings.lake) == {}


def test_a_failed_stop_is_refused_with_its_facts_and_the_way_out(settings: Settings) -> None:
    checked(settings, success=False, version=7)
    with pytest.raises(CheckStopped) as refused:
        refuse(settings, "silver.events")
    assert refused.value.exit_code == 3
    for words in ("silver.events version 7", "residual", "3 events are nowhere", "--override silver.events --by"):
        assert words in str(refused.value)


def test_what_is_made_from_a_stopped_table_is_refused(settings: Settings) -> None:
    checked(settings, success=False)
    with pytest.raises(CheckStopped):
        refuse(settings, "gold.recommendations")
    refuse(settings, "bronze.events")


def test_a_warning_refuses_nothing(settings: Settings) -> None:
    checked(settings, success=False, severity="warn")
    refuse(settings, "silver.events")


def test_a_newer_version_that_passes_lifts_the_stop(settings: Settings) -> None:
    checked(settings, success=False, version=1)
    checked(settings, success=True, version=2)
    assert open_stops(settings) == []


def test_the_table_made_anew_lifts_the_stop_of_the_old_one(settings: Settings) -> None:
    checked(settings, success=False, version=9, table_id="old")
    checked(settings, success=True, version=0, table_id="new")
    assert open_stops(settings) == []


def test_another_expectation_that_passes_lifts_nothing(settings: Settings) -> None:
    checked(settings, success=False)
    checked(settings, success=True, expectation="fresh")
    assert [stop.expectation for stop in open_stops(settings)] == ["residual"]


def test_a_person_overrides_by_name_and_with_a_reason(settings: Settings) -> None:
    checked(settings, success=False)
    (row,) = override(settings, "silver.events", "Ada", "restored by hand")
    assert (row.kind, row.actor, row.reason, row.success) == ("override", "Ada", "restored by hand", False)
    refuse(settings, "silver.events")


def test_an_override_is_of_one_version(settings: Settings) -> None:
    checked(settings, success=False, version=1)
    override(settings, "silver.events", "Ada", "restored by hand")
    checked(settings, success=False, version=2, checked_at=datetime.now(UTC) + timedelta(seconds=1))
    assert [stop.table_version for stop in open_stops(settings)] == [2]


@pytest.mark.parametrize(("by", "why"), [("", "because"), ("Ada", " ")])
def test_an_override_without_a_name_or_a_reason_is_refused(settings: Settings, by: str, why: str) -> None:
    checked(settings, success=False)
    with pytest.raises(UsageError, match="--by NAME --why TEXT"):
        override(settings, "silver.events", by, why)


def test_there_is_nothing_to_override_where_nothing_stops(settings: Settings) -> None:
    checked(settings, success=True)
    with pytest.raises(UsageError, match="No stop stands"):
        override(settings, "silver.events", "Ada", "restored by hand")


def test_results_stay_in_few_files(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from deltalake import DeltaTable

    monkeypatch.setattr(results, "_FILES", 3)
    for version in range(8):
        checked(settings, success=True, version=version)
    table = DeltaTable(settings.lake.table(DATA_QUALITY.name))
    assert len(table.file_uris()) <= 3
    assert table.to_pyarrow_dataset().count_rows() == 8

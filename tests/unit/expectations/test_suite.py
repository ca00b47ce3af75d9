"""Suites are plain data, and say what the contracts say."""

import re
import subprocess
import sys

import pytest

from expectations.measures import facts
from expectations.suites.expectation import Expectation, Of, Severity
from expectations.suites.from_contract import from_contract
from expectations.suites.suite import CHECKED, WRITTEN, suite
from nextclick.contracts import catalog
from nextclick.contracts.table import Column, Table
from nextclick.settings import CHECKOUT, Settings, load

SETTINGS = load("lake", profile="test", environ={})


def test_suites_and_stops_load_without_anything_heavy() -> None:
    modules = "import sys, expectations.suites.suite, expectations.stops; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", modules], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    tops = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert not tops & {"great_expectations", "pyspark", "pandas", "numpy", "pyarrow", "duckdb", "deltalake", "dagster"}


@pytest.mark.parametrize("table", CHECKED)
def test_names_are_unique_and_dagster_takes_them(table: str) -> None:
    names = [one.name for one in suite(table, SETTINGS)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)


@pytest.mark.parametrize("table", CHECKED)
def test_every_fact_that_is_expected_can_be_measured_and_no_other(table: str) -> None:
    expected = {one.name for one in suite(table, SETTINGS) if one.of is not Of.ROWS}
    assert expected == {*facts.of_table(table)}


@pytest.mark.parametrize("table", CHECKED)
def test_expectations_of_rows_name_columns_of_their_table(table: str) -> None:
    arguments = [one.arguments for one in suite(table, SETTINGS) if one.of is Of.ROWS]
    named = {one[key] for one in arguments for key in ("column", "column_A", "column_B") if key in one}
    assert named <= set(catalog.table(table).column_names)


CONTRACT = Table(
    name="silver.things",
    doc="",
    columns=(
        Column("id", "string", "", nullable=False),
        Column("share", "double", "", minimum=0, maximum=1),
        Column("size", "int", "", minimum=1),
        Column("kind", "string", "", one_of=("a", "b")),
    ),
    key=("id",),
    job="things",
)


def test_a_contract_says_its_expectations() -> None:
    said = [(one.name, one.meaning, one.of) for one in from_contract(CONTRACT)]
    assert said == [
        ("types", "Every column is there, with its type, and no other.", Of.TABLE),
        ("key_unique", "No two rows have the same (id).", Of.NEW),
        ("id_not_null", "id is never null.", Of.ROWS),
        ("share_in_range", "share is at least 0 and at most 1.", Of.ROWS),
        ("size_in_range", "size is at least 1.", Of.ROWS),
        ("kind_in_set", "kind is one of a, b.", Of.ROWS),
    ]
    assert {one.severity for one in from_contract(CONTRACT)} == {Severity.STOP}


def named(table: str, name: str, settings: Settings = SETTINGS) -> Expectation:
    return next(one for one in suite(table, settings) if one.name == name)


def test_settings_decide_what_an_unexplained_event_does() -> None:
    lenient = load("lake", profile="test", environ={"NEXTCLICK_QUALITY__RESIDUAL_SEVERITY": "warn"})
    assert named("silver.events", "residual").severity is Severity.STOP
    assert named("silver.events", "residual", lenient).severity is Severity.WARN


def test_without_masking_seen_items_are_allowed() -> None:
    unmasked = load("lake", profile="test", environ={"NEXTCLICK_LISTS__MASK_SEEN": "false"})
    assert "seen_items" not in {one.name for one in suite("gold.recommendations", unmasked)}


def test_the_page_names_every_expectation_that_was_written_by_hand() -> None:
    page = (CHECKOUT / "docs" / "jobs" / "check.md").read_text(encoding="utf-8")
    named = {one.name for written in WRITTEN.values() for one in written(SETTINGS)}
    assert {name for name in named if f"`{name}`" not in page and "_at_most_" not in name} == set()

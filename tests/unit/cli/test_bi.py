"""`nextclick bi`, before Spark starts: who would be let in, and what the views are made of."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from deltalake import write_deltalake

from cli.main import cli
from nextclick.contracts import catalog
from nextclick.errors import SettingsError, UsageError
from nextclick.lake.paths import lake_at
from spark_jobs.thrift import views
from tests.conftest import LAKE
from tests.table_rows import arrow


def test_others_than_this_machine_are_not_let_in_without_a_password_of_the_settings(tmp_path: Path) -> None:
    called = CliRunner().invoke(cli, ["--lake", str(tmp_path / LAKE), "bi", "--host", "0.0.0.0"])
    assert isinstance(called.exception, UsageError)
    assert "bi.password is not set" in str(called.exception)


def test_a_short_password_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTCLICK_BI__PASSWORD", "hunter2")
    called = CliRunner().invoke(cli, ["--lake", str(tmp_path / LAKE), "bi"])
    assert isinstance(called.exception, SettingsError)
    assert "bi.password has 7 characters" in str(called.exception)
    assert "hunter2" not in str(called.exception)


def test_a_table_that_was_never_written_is_empty_with_the_columns_of_its_contract(tmp_path: Path) -> None:
    source = views._source(lake_at(tmp_path / LAKE), "gold.data_quality")
    assert source.startswith("SELECT CAST(NULL AS string) AS `table_name`, CAST(NULL AS string) AS `table_id`, ")
    assert source.endswith(" FROM (SELECT 1) WHERE false")


def test_a_column_that_a_table_has_not_yet_is_null_there(tmp_path: Path) -> None:
    lake = lake_at(tmp_path / "a`b")
    write_deltalake(lake.table("silver.market"), arrow("silver.market", [{}]).drop_columns(["value"]))
    names = [f"`{column.name}`" for column in catalog.table("silver.market").columns]
    names[names.index("`value`")] = "CAST(NULL AS double) AS `value`"
    assert views._source(lake, "silver.market") == (
        f"SELECT {', '.join(names)} FROM delta.`{tmp_path}/a``b/silver/market`"
    )


def test_tables_that_are_not_shown_stand_in_a_report_as_what_they_are() -> None:
    query = "SELECT * FROM gold.visits JOIN silver.events AS e ON e.event = 'silver.events_2'"
    filled = views._filled(query, {"silver.events": "SELECT 1 FROM delta.`/a\\1/events`"})
    assert filled == (
        "SELECT * FROM gold.visits JOIN (SELECT 1 FROM delta.`/a\\1/events`) AS e ON e.event = 'silver.events_2'"
    )

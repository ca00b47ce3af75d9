"""`nextclick status`: the names that scripts rely on, on a lake made by hand."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from cli.main import cli
from nextclick.contracts.catalog import TABLES
from nextclick.lake import locks
from nextclick.lake.paths import lake_at
from tests.conftest import WriteInteractions
from tests.table_rows import write


def status(lake: Path, *options: str) -> Any:
    return CliRunner().invoke(cli, ["--lake", str(lake), "status", *options], catch_exceptions=False).stdout


def test_a_new_lake_has_all_tables_unwritten_and_nothing_served(tmp_path: Path) -> None:
    seen = json.loads(status(tmp_path, "--json"))
    assert list(seen["tables"]) == [table.name for table in TABLES]
    assert seen["tables"]["silver.events"] == {"rows": 0, "version": None, "updated_at": None}
    assert {"accepted", "silver", "quarantined", "duplicates", "residual"} <= seen["reconciliation"].keys()
    assert seen["reconciliation"]["residual"] == 0
    assert seen["champion"] is None
    assert seen["export"] is None
    assert seen["anomalies"] is None
    assert "There is no lake" not in str(seen["warnings"])
    assert "There is no lake" in status(tmp_path / "none")


def test_a_table_has_its_rows_version_and_time(tmp_path: Path, write_interactions: WriteInteractions) -> None:
    write_interactions(tmp_path, [("ann", "lamp", 1.0, 0, 0), ("bob", "lamp", 1.0, 0, 0)])
    write_interactions(tmp_path, [("eve", "sofa", 1.0, 0, 0)])
    state = json.loads(status(tmp_path, "--json"))["tables"]["gold.interactions"]
    assert (state["rows"], state["version"]) == (3, 1)
    assert state["updated_at"].startswith("20")


def test_status_is_for_people_too_and_waits_for_no_lock(tmp_path: Path, write_interactions: WriteInteractions) -> None:
    write_interactions(tmp_path, [("ann", "lamp", 1.0, 0, 0)])
    with locks.hold(tmp_path / "_state" / "locks", "gold.interactions", purpose="a test"):
        text = status(tmp_path)
    assert "gold.interactions" in text
    assert "accepted 0 = silver 0 + quarantined 0 + duplicates 0 + residual 0" in text
    assert "champion: none" in text


def test_what_is_out_of_the_ordinary_stands_in_a_line(tmp_path: Path) -> None:
    assert "unusual:  nobody looked yet" in status(tmp_path)
    row = {"kind": "traffic", "subject": "events", "state": "closed"}
    write(lake_at(tmp_path), "gold.anomalies", [row])
    assert "unusual:  nothing" in status(tmp_path)
    write(
        lake_at(tmp_path), "gold.anomalies", [row | {"state": "open"}, row | {"state": "open", "subject": "sessions"}]
    )
    assert "unusual:  2 traffic: see `nextclick anomalies`" in status(tmp_path)
    assert json.loads(status(tmp_path, "--json"))["anomalies"] == {"traffic": 2}

"""A copy as a file is opened by the DuckDB that a tool brings along, which is an older one."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from analytics import copies
from nextclick.settings import load
from tests.conftest import LAKE
from tests.table_rows import write

pytestmark = pytest.mark.servers

OLDEST = "1.2.2"
"""docs/bi.md names it."""
_ASKS = """
import duckdb, json, sys
assert duckdb.__version__ == sys.argv[2]
with duckdb.connect(sys.argv[1], read_only=True) as database:
    tables = database.execute("SELECT table_schema || '.' || table_name FROM information_schema.tables").fetchall()
    rows = {name: len(database.execute(f"FROM {name}").fetchall()) for (name,) in tables}
    rows["revenue"] = str(database.execute("SELECT sum(revenue) FROM report.revenue WHERE currency = 'EUR'").fetchone()[0])
    print(json.dumps(rows))
"""


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but that package."""
    folder = tmp_path_factory.mktemp("older")
    uv = [str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    done = subprocess.run([*uv, "--target", str(folder), f"duckdb=={OLDEST}"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"duckdb {OLDEST} cannot be installed: {done.stderr.strip()[-200:]}")
    return folder


def test_an_older_duckdb_reads_every_table(older: Path, tmp_path: Path) -> None:
    settings, file = load(tmp_path / LAKE, profile="test", environ={}), tmp_path / "shop.duckdb"
    visit = {"date": date(2026, 1, 1), "site": "shop", "revenue": [("EUR", 5)]}
    write(settings.lake, "gold.visits", [visit | {"session_id": session, "visitor_id": session} for session in "ab"])
    written = copies.write(settings, str(file), ["*"], lambda done, total: None)
    command = [sys.executable, "-c", _ASKS, str(file), OLDEST]
    asked = subprocess.run(command, env={"PYTHONPATH": str(older)}, check=True, capture_output=True, text=True)
    rows = json.loads(asked.stdout)
    assert rows.keys() == {*(table.table for table in written), "report.shared", "revenue"}
    assert (rows["gold.visits"], rows["report.traffic"], rows["revenue"]) == (2, 1, "10.0000")

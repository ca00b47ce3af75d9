"""Days of a table are replaced in one commit, and a transaction that was done is not done again."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from nextclick.contracts import catalog
from nextclick.lake import delta
from nextclick.lake.paths import Lake, lake_at
from tests.table_rows import NOON, arrow_type, write

FIRST, SECOND = NOON.date(), date(2026, 1, 2)
TABLE = catalog.table("gold.visits")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = lake_at(tmp_path / "lake")
    write(lake, TABLE.name, [{"session_id": "old"}, {"session_id": "stays", "date": SECOND}])
    return lake


def replace(lake: Lake, session: str, version: int) -> list[tuple[date, str]]:
    """What is there after the first day was replaced by a visit of that name."""
    [row] = delta.rows_of_days(lake, TABLE, [SECOND])
    kinds = pa.schema([(column.name, arrow_type(column.type)) for column in TABLE.columns])
    rows = pa.Table.from_pylist([row | {"date": FIRST, "session_id": session}], kinds)
    delta.replace_days(lake, TABLE, rows, [FIRST], transaction=("job", version))
    present = delta.rows_of_days(lake, TABLE, [FIRST, SECOND])
    return sorted((row["date"], row["session_id"]) for row in present)


def test_a_transaction_that_was_done_is_not_done_again(lake: Lake) -> None:
    assert replace(lake, "new", 0) == [(FIRST, "new"), (SECOND, "stays")]
    assert replace(lake, "again", 0) == [(FIRST, "new"), (SECOND, "stays")]
    assert replace(lake, "newer", 1) == [(FIRST, "newer"), (SECOND, "stays")]


def test_rows_of_days_are_counted_by_the_log(lake: Lake) -> None:
    write(lake, TABLE.name, [{"session_id": "another"}])
    table = delta.require(lake, TABLE.name)
    assert [delta.rows_on(table, days) for days in ([FIRST], [FIRST, SECOND], [date(2026, 1, 3)])] == [2, 3, 0]
    write(lake, "gold.page_daily", [{"page": "/a"}, {"page": "/a", "date": SECOND}], partition_by=None)
    assert delta.rows_on(delta.require(lake, "gold.page_daily"), [SECOND]) == 2

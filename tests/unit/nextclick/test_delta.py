"""Days are replaced, rows appended and merged in one commit each, and a transaction that was done is not done again."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from nextclick.contracts import catalog
from nextclick.lake import commits, delta
from nextclick.lake.paths import Lake, lake_at
from tests.table_rows import NOON, arrow, arrow_type, write

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
    commits.replace_days(lake, TABLE, rows, [FIRST], transaction=("job", version))
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


def test_a_table_only_grew_until_a_commit_takes_rows_away_or_says_other_columns(lake: Lake, tmp_path: Path) -> None:
    write(lake, TABLE.name, [{"session_id": "another"}])
    assert delta.only_grew(lake, TABLE.name)
    assert not delta.only_grew(lake, "gold.page_daily"), "was never written"
    other = lake_at(tmp_path / "of other columns")
    write(other, TABLE.name, [{"session_id": "old"}])
    delta.require(other, TABLE.name).alter.set_table_properties({"a": "b"}, raise_if_not_exists=False)
    assert not delta.only_grew(other, TABLE.name)
    replace(lake, "new", 0)
    assert not delta.only_grew(lake, TABLE.name)


def test_a_log_without_its_beginning_or_of_many_commits_is_not_read_from_there(lake: Lake) -> None:
    for number in range(delta.FEW_COMMITS - 1):
        write(lake, TABLE.name, [{"session_id": f"new {number}"}])
    assert delta.only_grew(lake, TABLE.name)
    write(lake, TABLE.name, [{"session_id": "newest"}])
    assert not delta.only_grew(lake, TABLE.name)
    log = Path(lake.table(TABLE.name), "_delta_log")
    for version in range(1, delta.FEW_COMMITS + 1):
        (log / f"{version:020}.json").unlink()
    assert delta.only_grew(lake, TABLE.name)
    (log / f"{0:020}.json").rename(log / f"{1:020}.json")
    assert not delta.only_grew(lake, TABLE.name)


def sessions(lake: Lake) -> list[tuple[str, int, dict[str, Decimal]]]:
    rows = delta.require(lake, "silver.sessions").to_pyarrow_table().to_pylist()
    return sorted((row["session_id"], row["events"], dict(row["revenue"])) for row in rows)


def test_rows_are_appended_once(tmp_path: Path) -> None:
    lake, table = lake_at(tmp_path / "lake"), catalog.table("silver.sessions")
    write(lake, table.name, [{"session_id": "old"}])
    for version in (0, 0, 1):
        commits.append(lake, table, arrow(table.name, [{"session_id": f"new{version}"}]), ("job", version))
    assert [session for session, _, _ in sessions(lake)] == ["new0", "new1", "old"]


EUR = [("EUR", Decimal("1.5000"))]


def test_a_merge_updates_inserts_and_deletes_once_and_says_so_in_the_change_feed(tmp_path: Path) -> None:
    lake, table = lake_at(tmp_path / "lake"), catalog.table("silver.sessions")
    write(
        lake,
        table.name,
        [{"session_id": name, "events": 1} for name in ("same", "grows", "goes")],
        configuration={"delta.enableChangeDataFeed": "true"},
    )
    came: list[dict[str, Any]] = [
        {"session_id": "grows", "events": 2, "revenue": EUR},
        {"session_id": "comes", "events": 3},
        {"session_id": "goes"},
        {"session_id": "was never there"},
    ]
    rows = arrow(table.name, came).append_column("_delete", pa.array([False, False, True, True]))
    for _ in range(2):
        commits.merge(lake, table, rows, ("job", 0))
    merged = [("comes", 3, {}), ("grows", 2, dict(EUR)), ("same", 1, {})]
    assert sessions(lake) == merged
    present = delta.require(lake, table.name)
    changes = pa.table(present.load_cdf(starting_version=1).read_all()).to_pylist()
    assert sorted((row["session_id"], row["_change_type"]) for row in changes) == [
        ("comes", "insert"),
        ("goes", "delete"),
        ("grows", "delete"),
        ("grows", "insert"),
    ]
    known = pc.field("session_id").isin(["grows", "goes"])
    assert present.to_pyarrow_dataset().to_table(["session_id"], filter=known).to_pylist() == [{"session_id": "grows"}]


def test_rows_that_are_there_as_they_are_do_not_differ(tmp_path: Path) -> None:
    lake, table = lake_at(tmp_path / "lake"), catalog.table("silver.items")
    name = {"name": {"at": NOON, "id": "e", "value": "Lamp"}}
    lamp = {"item_id": "lamp", "latest": name, "attributes": [("colour", "red")]}
    write(lake, table.name, [lamp, {"item_id": "rug"}, {"item_id": "lamp", "site": "another", "latest": None}])
    changed: list[dict[str, Any]] = [
        {"item_id": "lamp", "latest": {"name": name["name"] | {"value": "Lamps"}}, "attributes": [("colour", "red")]},
        {"item_id": "rug", "attributes": [("colour", "red")]},
        {"item_id": "new"},
    ]
    cases: list[tuple[list[dict[str, Any]], int]] = [([lamp, {"item_id": "rug"}], 0), (changed, 3), ([], 0)]
    for rows, differ in cases:
        assert commits.differing(lake, table, arrow(table.name, rows)).num_rows == differ


def test_every_tenth_version_leaves_a_checkpoint(tmp_path: Path) -> None:
    lake, table = lake_at(tmp_path / "lake"), catalog.table("silver.sessions")
    write(lake, table.name, [{"session_id": "0"}])
    for version in range(1, 12):
        commits.append(lake, table, arrow(table.name, [{"session_id": str(version)}]), ("job", version))
    log = Path(lake.table(table.name), "_delta_log")
    assert [file.name for file in log.glob("*.checkpoint.parquet")] == [f"{10:020}.checkpoint.parquet"]
    assert len(sessions(lake)) == 12


def test_small_files_are_joined_and_nothing_says_that_rows_changed(tmp_path: Path) -> None:
    lake, table = lake_at(tmp_path / "lake"), catalog.table("silver.sessions")
    for name in ("a", "b", "c"):
        write(lake, table.name, [{"session_id": name, "revenue": [("EUR", Decimal(1))]}])
    before = sessions(lake)
    commits.compact(lake, table)
    joined = delta.require(lake, table.name)
    assert len(joined.file_uris()) == 1
    assert sessions(lake) == before
    log = Path(lake.table(table.name), "_delta_log", f"{joined.version():020}.json").read_text().splitlines()
    actions = [action for line in log for action in json.loads(line).values()]
    assert {action["dataChange"] for action in actions if "dataChange" in action} == {False}
    commits.compact(lake, table)
    assert delta.require(lake, table.name).version() == joined.version()  # there was nothing to join


def test_a_merge_of_more_keys_than_deltalake_walks_is_refused_before_it_ends_the_process(tmp_path: Path) -> None:
    lake, table = lake_at(tmp_path / "lake"), catalog.table("silver.identities")
    keys = [f"v{number}" for number in range(commits.MOST_MERGED + 1)]
    write(lake, table.name, [{"id": keys[0]}])
    rows = delta.require(lake, table.name).to_pyarrow_table()
    many = pa.concat_tables([rows] * len(keys)).set_column(rows.schema.get_field_index("id"), "id", [keys])
    commits.merge(lake, table, many.slice(1), ("job", 1))
    assert delta.require(lake, table.name).count() == len(keys)
    with pytest.raises(ValueError, match="more than one merge takes"):
        commits.merge(lake, table, many, ("job", 2))

"""Rows that are asked for by some of their columns, and the files that may hold them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from nextclick.contracts import catalog
from nextclick.lake import delta, lookup
from nextclick.lake.lookup import Reach
from nextclick.lake.paths import Lake
from nextclick.settings import load
from tests.table_rows import NOON, write

SESSION = {"site": "s", "visitor_id": "ann", "started_at": NOON, "ended_at": NOON + timedelta(minutes=40)}


def _lake(folder: Path) -> Lake:
    """Two files of sessions: noon to 12:40, and two hours later."""
    lake = load(folder, environ={}).lake
    later = {name: SESSION[name] + timedelta(hours=2) for name in ("started_at", "ended_at")}  # type: ignore[operator]
    write(lake, "silver.sessions", [SESSION, SESSION | {"visitor_id": "bob"}])
    write(lake, "silver.sessions", [SESSION | later])
    return lake


def test_rows_are_those_that_are_alike_in_all_columns_and_null_is_as_null(tmp_path: Path) -> None:
    lake = _lake(tmp_path)
    write(lake, "silver.sessions", [SESSION | {"visitor_id": "cyd", "device": "phone"}])
    columns = {"visitor_id": ["ann", "cyd", "cyd", "eve"], "device": [None, None, "phone", None]}
    found = lookup.matching(lake, "silver.sessions", pa.table(columns), ["visitor_id", "started_at", "device"])
    rows = sorted((row["visitor_id"], row["device"], row["started_at"]) for row in found.to_pylist())
    assert rows == [
        ("ann", None, NOON),
        ("ann", None, NOON + timedelta(hours=2)),
        ("cyd", "phone", NOON),
    ]


def test_a_table_that_was_never_written_has_none_but_its_types(tmp_path: Path) -> None:
    lake = load(tmp_path, environ={}).lake
    found = lookup.matching(lake, "silver.sessions", pa.table({"visitor_id": ["ann"]}), ["visitor_id", "started_at"])
    assert found.num_rows == 0
    assert [column.num_chunks for column in found.columns] == [1, 1]


def test_a_small_table_is_read_whole_and_no_other(tmp_path: Path) -> None:
    lake = _lake(tmp_path)
    table = delta.require(lake, "silver.sessions")
    whole = lookup.whole(lake, "silver.sessions", table, 3)
    assert whole is not None
    assert sorted(whole["visitor_id"].to_pylist()) == ["ann", "ann", "bob"]
    assert whole.column_names == list(catalog.table("silver.sessions").column_names)
    assert lookup.whole(lake, "silver.sessions", table, 2) is None


def test_files_are_those_whose_rows_may_reach_into_a_span(tmp_path: Path) -> None:
    lake = _lake(tmp_path)

    def there(*spans: tuple[datetime, datetime]) -> int:
        seconds = [(int(low.timestamp()), int(high.timestamp())) for low, high in spans]
        return len(Reach(seconds, "started_at", "ended_at").files(delta.require(lake, "silver.sessions")))

    def at(minutes: int) -> datetime:
        return NOON + timedelta(minutes=minutes)

    assert there((at(30), at(60))) == 1, "the first file's sessions end at 12:40"
    assert there((at(41), at(100))) == 0
    assert there((at(-100), at(-1)), (at(130), at(140))) == 1
    assert there((at(0), at(200))) == 2
    assert there((datetime(1970, 1, 1, tzinfo=UTC), at(-1))) == 0


def test_rows_repeat_where_two_are_alike() -> None:
    assert lookup.repeat(pa.table({"a": [1, 1, 2], "b": ["x", "x", "x"]}))
    assert not lookup.repeat(pa.table({"a": [1, 1, 2], "b": ["x", "y", "x"]}))
    assert not lookup.repeat(pa.table({"a": pa.array([], pa.int64())}))

"""Tables in memory: asked twice at one version, bounded in bytes, and never behind the lake."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from nextclick.lake.memory import TableMemory
from nextclick.lake.paths import Lake, lake_at
from tests.table_rows import write

TRAFFIC, ITEMS = "gold.traffic_daily", "gold.item_daily"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_at(tmp_path)


def rows(memory: TableMemory, name: str = TRAFFIC) -> int:
    with memory.connection([name]) as database:
        return int(database.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])


def test_what_is_asked_twice_is_held_until_its_version_moves(lake: Lake) -> None:
    memory = TableMemory(lake)
    write(lake, TRAFFIC, [{}])
    assert (rows(memory), [*memory.held]) == (1, [])
    assert (rows(memory), [*memory.held]) == (1, [TRAFFIC])
    for file in Path(lake.table(TRAFFIC)).glob("*/*.parquet"):
        file.unlink()
    assert rows(memory) == 1
    write(lake, TRAFFIC, [{}, {}], mode="overwrite")
    assert (rows(memory), memory.version(TRAFFIC), [*memory.held]) == (2, 1, [])


def test_the_newest_day_is_that_of_its_folders_or_of_its_newest_event(lake: Lake) -> None:
    memory = TableMemory(lake)
    assert [memory.newest_day(name) for name in ("gold.visits", "silver.events")] == [None, None]
    for day in (3, 5, 4):
        write(lake, "silver.events", [{"event_id": str(day), "occurred_at": datetime(2026, 6, day, 23, tzinfo=UTC)}])
        write(lake, "gold.visits", [{"date": date(2026, 6, day - 1)}])
    write(lake, "silver.identities", [{}])
    assert memory.newest_day("gold.visits") == date(2026, 6, 4)
    assert memory.newest_day("silver.events") == date(2026, 6, 5)
    assert memory.newest_day("silver.identities") is None


def test_a_table_that_was_never_written_is_empty_until_it_is(lake: Lake) -> None:
    memory = TableMemory(lake)
    assert (rows(memory), rows(memory), memory.version(TRAFFIC)) == (0, 0, None)
    write(lake, TRAFFIC, [{}])
    assert (rows(memory), memory.version(TRAFFIC)) == (1, 0)


def test_what_was_not_used_longest_makes_room(lake: Lake) -> None:
    days = [{"date": date(2026, 1, 1), "views": number} for number in range(20_000)]
    write(lake, TRAFFIC, days)
    write(lake, ITEMS, days)
    alone = TableMemory(lake)
    assert (rows(alone), rows(alone)) == (20_000, 20_000)
    memory = TableMemory(lake, most_bytes=alone.held[TRAFFIC] * 3 // 2)
    assert [(rows(memory, name), [*memory.held]) for name in (TRAFFIC, TRAFFIC, ITEMS, ITEMS, TRAFFIC)] == [
        (20_000, []),
        (20_000, [TRAFFIC]),
        (20_000, [TRAFFIC]),
        (20_000, [ITEMS]),
        (20_000, [ITEMS]),
    ]


def test_what_needs_more_memory_has_it_for_a_moment(lake: Lake) -> None:
    memory, most = TableMemory(lake, database_bytes=2**26), "SELECT current_setting('memory_limit')"
    with memory.connection([]) as database:
        with memory.more_memory():
            assert database.execute(most).fetchall() == [("256.0 MiB",)]
        assert database.execute(most).fetchall() == [("64.0 MiB",)]


def test_a_table_larger_than_all_memory_stays_where_it_is(lake: Lake) -> None:
    write(lake, TRAFFIC, [{}])
    memory = TableMemory(lake, most_bytes=100)
    assert [rows(memory), rows(memory), rows(memory), memory.held] == [1, 1, 1, {}]

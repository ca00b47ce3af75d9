"""The first day of each visitor, kept beside the table: after whatever changes of days it is what plain counting says."""

import tempfile
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.people import first_days
from analytics.people.first_days import FirstDays
from nextclick.errors import TableBusy
from nextclick.lake import delta, duck, locks
from nextclick.lake.paths import Lake, lake_at
from tests.hypothesis_settings import generated
from tests.table_rows import write

NAME = "gold.visitor_days"
NEW_YEAR = date(2026, 1, 1)
EVER = (date(2000, 1, 1), date(2100, 1, 1))
Firsts = dict[str, date]


def put(lake: Lake, day: date, visitors: Iterable[str]) -> None:
    """In the place of the day's rows."""
    rows = [{"date": day, "site": "s", "visitor_id": visitor} for visitor in visitors]
    options = {"mode": "overwrite", "predicate": f"date = '{day}'"} if delta.exists(lake, NAME) else {}
    write(lake, NAME, rows, **options)


def kept(firsts: FirstDays, first: date = EVER[0], last: date = EVER[1]) -> Firsts:
    with duck.connect(firsts.lake) as database:
        table = delta.require(firsts.lake, NAME)
        duck.show(database, '"gold.visitor_days"', firsts.lake, NAME, table)
        rows = firsts.between(database, table, first, last).replace(f"FROM {NAME}", f'FROM "{NAME}"')
        there = database.execute(f"SELECT visitor_id, first_date FROM {rows}").fetchall()
    assert len(there) == len(dict(there))
    return dict(there)


changes = st.lists(
    st.tuples(st.integers(0, 70).map(lambda n: NEW_YEAR + timedelta(n)), st.sets(st.sampled_from("abcd"))),
    min_size=1,
    max_size=4,
)


@generated(6)
@given(changes, st.integers(0, 3))
def test_after_each_change_it_is_what_counting_says(steps: list[tuple[date, set[str]]], twice: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake, days = lake_at(folder), dict[date, set[str]]()
        firsts = FirstDays(lake, NAME)
        for number, (day, visitors) in enumerate([*steps, steps[0]]):
            put(lake, day, visitors)
            days[day] = visitors
            if number != twice:  # so that some changes are looked at two at a time
                expected = {who: min(day for day in days if who in days[day]) for who in set().union(*days.values())}
                assert kept(firsts if number % 2 else FirstDays(lake, NAME)) == expected


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = lake_at(tmp_path)
    put(lake, NEW_YEAR, "ab")
    put(lake, date(2026, 3, 5), "bc")
    return lake


def test_whose_first_day_went_came_first_on_a_later_one_that_did_not_change(lake: Lake) -> None:
    firsts = FirstDays(lake, NAME)
    kept(firsts)
    put(lake, NEW_YEAR, "a")
    assert kept(firsts) == {"a": NEW_YEAR, "b": date(2026, 3, 5), "c": date(2026, 3, 5)}
    put(lake, date(2026, 2, 1), "c")
    assert kept(firsts)["c"] == date(2026, 2, 1)
    put(lake, date(2026, 2, 1), "")
    assert kept(firsts)["c"] == date(2026, 3, 5)


def test_who_asks_again_opens_no_file_of_the_table(lake: Lake) -> None:
    kept(FirstDays(lake, NAME))
    for file in Path(lake.table(NAME)).rglob("*.parquet"):
        file.write_bytes(b"")
    assert kept(FirstDays(lake, NAME)) == {"a": NEW_YEAR, "b": NEW_YEAR, "c": date(2026, 3, 5)}
    assert kept(FirstDays(lake, NAME), date(2026, 2, 1), date(2026, 3, 1)) == {"c": date(2026, 3, 5)}, "its month alone"


def test_who_may_not_keep_files_counts_anew(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise TableBusy("another process is making them")

    monkeypatch.setattr(locks, "hold", busy)
    assert kept(FirstDays(lake, NAME)) == {"a": NEW_YEAR, "b": NEW_YEAR, "c": date(2026, 3, 5)}
    assert not Path(lake.state, "first_days").exists()


def test_files_that_are_gone_or_an_index_that_is_torn_are_made_anew(lake: Lake) -> None:
    expected = kept(FirstDays(lake, NAME))
    index = Path(lake.state, "first_days", NAME, first_days._INDEX)
    index.write_bytes(index.read_bytes()[:-5])
    assert kept(FirstDays(lake, NAME)) == expected
    for file in index.parent.glob("*.parquet"):
        file.unlink()
    assert kept(FirstDays(lake, NAME)) == expected


def test_files_of_older_versions_go_with_the_next_but_one(lake: Lake) -> None:
    firsts = FirstDays(lake, NAME)
    for day in range(2, 6):
        put(lake, date(2026, 1, day), [f"new on {day}"])
        kept(firsts)
    assert len([*Path(lake.state, "first_days", NAME).glob("2026-01-*")]) == 2

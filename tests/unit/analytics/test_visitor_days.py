"""Numbers of visitors, kept beside their table: after whatever changes of days, who came when is what the table says."""

import tempfile
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.people import visitor_days
from analytics.people.visitor_days import NumberedVisitors, VisitorDays, day_number
from nextclick.errors import TableBusy
from nextclick.lake import delta, duck, locks
from nextclick.lake.paths import Lake, lake_at
from tests.hypothesis_settings import generated
from tests.table_rows import write

NAME = "gold.visitor_days"
NEW_YEAR = date(2026, 1, 1)
DAYS = [NEW_YEAR + timedelta(n) for n in (0, 1, 40)]
Visitors = Iterable[str]


def put(lake: Lake, day: date, visitors: Visitors) -> None:
    """In the place of the day's rows; a visitor is its site and its id, such as `s1`."""
    rows = [{"date": day, "site": visitor[0], "visitor_id": visitor[1:]} for visitor in visitors]
    options = {"mode": "overwrite", "predicate": f"date = '{day}'"} if delta.exists(lake, NAME) else {}
    write(lake, NAME, rows, **options)


def numbered(visitors: NumberedVisitors, most_days: int | None = None) -> VisitorDays | None:
    with duck.connect(visitors.lake) as database:
        return visitors.at(database, delta.require(visitors.lake, NAME), most_days)


def days_of_each(there: VisitorDays | None) -> Counter[tuple[str, tuple[int, ...]]]:
    """Of each visitor its site and its days, whoever it is."""
    assert there is not None
    days: dict[int, list[int]] = {}
    for day, who in there.between(-(10**6), 10**6):
        for visitor in who.tolist():
            days.setdefault(visitor, []).append(day)
    assert {visitor: there.first[visitor] for visitor in days} == {visitor: min(when) for visitor, when in days.items()}
    return Counter((there.sites[there.site_of[visitor]], tuple(when)) for visitor, when in days.items())


def expected(days: dict[date, Visitors]) -> Counter[tuple[str, tuple[int, ...]]]:
    everybody = set[str]().union(*days.values())
    return Counter((who[0], tuple(day_number(day) for day in sorted(days) if who in days[day])) for who in everybody)


changes = st.lists(
    st.tuples(st.sampled_from(DAYS), st.sets(st.sampled_from(["s1", "s2", "t1", "t3"]))), min_size=1, max_size=5
)


@generated(6)
@given(changes, st.integers(0, 3), st.sampled_from([1, 16]))
def test_after_each_change_it_is_what_the_table_says(
    steps: list[tuple[date, set[str]]], twice: int, most_parts: int
) -> None:
    """Also where visitors are put together into one file again and again, and those who are gone are left out."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(visitor_days, "_MOST_PARTS", most_parts)
        lake, days = lake_at(folder), dict[date, Visitors]()
        visitors = NumberedVisitors(lake, NAME)
        for number, (day, there) in enumerate([*steps, steps[0]]):
            put(lake, day, there)
            days[day] = there
            if number != twice:  # so that some changes are looked at two at a time
                assert days_of_each(numbered(visitors if number % 2 else NumberedVisitors(lake, NAME))) == expected(
                    days
                )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = lake_at(tmp_path)
    put(lake, DAYS[0], ["s1", "s2"])
    put(lake, DAYS[2], ["s2", "t2"])
    return lake


TWO_DAYS = expected({DAYS[0]: ["s1", "s2"], DAYS[2]: ["s2", "t2"]})


def test_who_asks_again_opens_no_file_of_the_table_and_a_change_those_of_its_day_alone(lake: Lake) -> None:
    numbered(NumberedVisitors(lake, NAME))
    for file in Path(lake.table(NAME)).rglob("*.parquet"):
        file.write_bytes(b"")
    assert days_of_each(numbered(NumberedVisitors(lake, NAME))) == TWO_DAYS
    put(lake, DAYS[1], ["t2"])
    assert numbered(NumberedVisitors(lake, NAME)).first.tolist().count(day_number(DAYS[1])) == 1  # type: ignore[union-attr]


def test_who_needs_few_days_numbers_those_that_changed_but_not_all_that_there_are(lake: Lake) -> None:
    visitors = NumberedVisitors(lake, NAME)
    assert numbered(visitors, most_days=1) is None
    numbered(visitors)
    put(lake, DAYS[0], ["s2"])
    assert days_of_each(numbered(visitors, most_days=1)) == expected({DAYS[0]: ["s2"], DAYS[2]: ["s2", "t2"]})


def test_a_row_that_is_there_twice_counts_once(lake: Lake) -> None:
    put(lake, DAYS[0], ["s1", "s1", "s2"])
    assert days_of_each(numbered(NumberedVisitors(lake, NAME))) == TWO_DAYS


def test_who_may_not_keep_files_has_no_numbers_until_it_may(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise TableBusy("another process is making them")

    visitors = NumberedVisitors(lake, NAME)
    with monkeypatch.context() as patch:
        patch.setattr(locks, "hold", busy)
        assert numbered(visitors) is None
    assert days_of_each(numbered(visitors)) == TWO_DAYS


def test_files_that_are_gone_or_an_index_that_is_torn_are_made_anew(lake: Lake) -> None:
    numbered(NumberedVisitors(lake, NAME))
    folder = Path(lake.state, "visitor_days", NAME)
    index = folder / visitor_days._INDEX
    index.write_bytes(index.read_bytes()[:-5])
    assert days_of_each(numbered(NumberedVisitors(lake, NAME))) == TWO_DAYS
    for file in folder.glob("*.u4"):
        file.unlink()
    assert days_of_each(numbered(NumberedVisitors(lake, NAME))) == TWO_DAYS


def test_files_of_older_versions_and_ids_of_who_is_gone_do_not_stay(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor_days, "_MOST_PARTS", 2)
    visitors = NumberedVisitors(lake, NAME)
    for number in range(8):
        put(lake, DAYS[1], [f"s new {number}"])
        numbered(visitors)
    files = [*Path(lake.state, "visitor_days", NAME).iterdir()]
    with duck.connect(lake) as database:
        ids = database.execute(
            f"FROM read_parquet({[str(file) for file in files if file.suffix == '.parquet']})"
        ).fetchall()
    assert len(files) < 12
    assert len({visitor for _, visitor, _ in ids}) < 8

"""Ids to rows and back, and the pairs that models learn from."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import IdMap, Interactions, from_arrow, from_ids
from nextclick.errors import ModelError

DAY = 86_400_000_000


def table(*rows: tuple[Any, ...]) -> pa.Table:
    """Rows of (person, item, strength, first day, last day)."""
    person, item, strength, first, last = zip(*rows, strict=True) if rows else ([],) * 5
    times = (pa.array([None if day is None else int(day * DAY) for day in days], pa.int64()) for days in (first, last))
    columns = {"person_id": pa.array(person, pa.string()), "item_id": pa.array(item, pa.string())}
    columns |= {"strength": pa.array(strength, pa.float64())}
    columns |= {
        name: days.cast(pa.timestamp("us", "UTC")) for name, days in zip(("first_at", "last_at"), times, strict=True)
    }
    return pa.table(columns)


def pairs(*rows: tuple[Any, ...]) -> Interactions:
    return from_arrow(table(*rows))


def ids(*names: str) -> IdMap:
    return IdMap(pa.array(names, pa.string()))


def test_ids_become_rows_and_rows_ids() -> None:
    known = ids("a", "b")
    assert known.rows(["b", "nobody", "a"]).tolist() == [1, -1, 0]
    assert known.take(np.array([1, 0])).to_pylist() == ["b", "a"]


def test_new_ids_go_to_the_end_so_that_rows_keep_their_numbers() -> None:
    grown = ids("b", "c").extended(pa.array(["a"], pa.string()))
    assert grown.rows(["a", "b", "c"]).tolist() == [2, 0, 1]


def test_pairs_without_strengths_and_times_count_once_each() -> None:
    found = from_ids(pa.array(["p2", "p1"]), pa.array(["a", "b"]))
    assert found.people.take(found.person).to_pylist() == ["p2", "p1"]
    assert (found.strength.tolist(), found.decayed(timedelta(days=1)).tolist()) == ([1, 1], [1, 1])
    assert found.recent(1.0).all()


@pytest.mark.parametrize("names", [["a", "a"], ["a", None]])
def test_an_id_map_refuses_what_names_no_row(names: list[str | None]) -> None:
    with pytest.raises(ModelError, match="id map"):
        IdMap(pa.array(names, pa.string()))


def test_rows_do_not_depend_on_the_order_of_files() -> None:
    rows = [("p2", "i1", 1.0, 0, 0), ("p1", "i2", 2.0, 0, 1), ("p1", "i1", 3.0, 0, 2)]
    one, other = pairs(*rows), pairs(*reversed(rows))
    assert one.people.ids.to_pylist() == ["p1", "p2"]
    assert (one.matrix(one.strength) != other.matrix(other.strength)).nnz == 0


def test_dictionaries_of_several_files_become_one_id_map() -> None:
    first, second = table(("p1", "i1", 1.0, 0, 0)), table(("p0", "i1", 1.0, 0, 0))
    coded = [part.set_column(0, "person_id", part["person_id"].dictionary_encode()) for part in (first, second)]
    found = from_arrow(pa.concat_tables(coded))
    assert found.people.ids.to_pylist() == ["p0", "p1"]
    assert found.person.tolist() == [1, 0]


def test_no_pairs_are_no_error() -> None:
    nothing = pairs()
    assert (len(nothing), len(nothing.people), nothing.as_of) == (0, 0, 0)
    assert nothing.recent(6).tolist() == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("p1", "i1", float("nan"), 0, 0), r"strength must be finite.*nan for person p1 and item i1"),
        (("p1", "i1", -1.0, 0, 0), r"strength must be finite.*-1\.0 for person p1"),
        (("p1", "i1", 1.0, 2, 1), r"first_at must not be after last_at"),
        ((None, "i1", 1.0, 0, 0), r"person_id is null in 1 rows"),
        (("p1", "i1", 1.0, 0, None), r"last_at is null in 1 rows"),
    ],
)
def test_an_error_names_the_column_and_the_pair(row: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        pairs(("p0", "i0", 1.0, 0, 0), row)


def test_a_pair_that_is_there_twice_is_an_error() -> None:
    twice = pairs(("p1", "i1", 1.0, 0, 0), ("p1", "i1", 1.0, 0, 1))
    with pytest.raises(ModelError, match="twice"):
        _ = twice.seen


def test_strength_halves_in_each_half_life_up_to_the_newest_event() -> None:
    faded = pairs(("p1", "i1", 8.0, 0, 0), ("p1", "i2", 8.0, 0, 14), ("p1", "i3", 8.0, 0, 28)).decayed(
        timedelta(days=14)
    )
    assert sorted(faded.tolist()) == [2.0, 4.0, 8.0]


def test_a_part_of_the_pairs_fades_up_to_the_present_that_it_is_told() -> None:
    part = replace(pairs(("p1", "i1", 8.0, 0, 0)), now=14 * DAY)
    assert part.decayed(timedelta(days=14)).tolist() == [4.0]


def test_recent_pairs_are_those_of_the_last_hours() -> None:
    steady = pairs(*((f"p{hour}", "i", 1.0, hour / 24, hour / 24) for hour in range(48)))
    assert sorted(steady.people.take(steady.person[steady.recent(3)]).to_pylist()) == ["p44", "p45", "p46", "p47"]


def test_a_stray_click_weeks_later_is_not_all_that_is_recent() -> None:
    busy = [(f"p{hour}", "i", 1.0, hour / 24, hour / 24) for hour in range(480)]
    recent = pairs(*busy, ("stray", "i", 1.0, 40, 40)).recent(6)
    assert recent.sum() == 4  # as many as 6 of 960 hours usually hold


def test_pairs_move_to_other_id_maps() -> None:
    moved = pairs(("p1", "i1", 1.0, 0, 0)).over(ids("x", "p1"), ids("i1", "y"))
    assert (moved.person.tolist(), moved.item.tolist()) == ([1], [0])

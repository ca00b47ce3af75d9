"""Clicks as sessions."""

from collections.abc import Iterable
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from ml.data.interactions import IdMap, Rows
from ml.data.sessions import Sessions, from_clicks
from nextclick.errors import ModelError

MINUTE = 60_000_000
ITEMS = IdMap(pa.array(list("abcd")))


def clicks(*rows: tuple[int, str, int]) -> Sessions:
    """Rows of (person, item, minute), in any order."""
    person, item, minute = zip(*rows, strict=True)
    at = np.array(minute, np.int64) * MINUTE
    return from_clicks(ITEMS, np.array(person, np.int32), ITEMS.rows(item), at, timedelta(minutes=30))


def words(rows: Iterable[Rows]) -> list[str]:
    return ["".join("-" if row < 0 else "abcd"[row] for row in line) for line in rows]


def texts(sessions: Sessions) -> list[str]:
    return words(np.split(sessions.item, sessions.start[1:-1])) if len(sessions) else []


FOUND = clicks((2, "d", 5), (1, "b", 30), (1, "a", 0), (1, "c", 61), (2, "a", 6), (1, "d", 60))


def test_a_gap_of_more_than_thirty_minutes_and_another_person_open_a_session() -> None:
    assert texts(FOUND) == ["abdc", "da"]
    assert texts(clicks((1, "a", 0), (1, "b", 30), (1, "c", 61))) == ["ab", "c"]
    assert FOUND.person is not None
    assert FOUND.person.tolist() == [1, 2]


def test_what_came_before_a_click_in_its_session_is_padded_left() -> None:
    assert words(FOUND.before(np.array([0, 2, 5]), 3)) == ["---", "-ab", "--d"]


def test_a_part_of_the_time_holds_what_was_known_of_each_session_and_whose_it_was() -> None:
    part = FOUND.between(30 * MINUTE, 61 * MINUTE)
    assert (texts(part), part.person.tolist() if part.person is not None else []) == (["bd"], [1])
    assert texts(FOUND.between(0, 0)) == []


def test_used_counts_an_item_once_and_leaves_the_order_of_clicks() -> None:
    found = clicks((1, "c", 0), (1, "a", 1), (1, "c", 2))
    assert found.used.toarray().tolist() == [[1, 0, 1, 0]]
    assert texts(found) == ["cac"]


def test_no_clicks_are_no_sessions() -> None:
    none = np.zeros(0, np.int32)
    assert len(from_clicks(ITEMS, none, none, none.astype(np.int64), timedelta(minutes=30))) == 0


@pytest.mark.parametrize(
    ("item", "at", "start", "wrong"),
    [
        ([4], [0], [0, 1], "outside the id map"),
        ([0, 1], [1, 0], [0, 2], "must not fall"),
        ([0, 1], [0, 1], [0, 1], "must go from 0 to 2"),
        ([0, 1], [0, 1], [0, 0, 2], "must rise"),
        ([0, 1], [0], [0, 2], "one entry a click"),
    ],
)
def test_what_is_no_session_is_refused(item: list[int], at: list[int], start: list[int], wrong: str) -> None:
    with pytest.raises(ModelError, match=wrong):
        Sessions(ITEMS, np.array(item, np.int32), np.array(at, np.int64), np.array(start, np.int64))

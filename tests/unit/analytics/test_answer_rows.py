"""Rows of an answer: in which order they stand, and that they are the tuples that they would be without columns."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.answer_rows import AnswerRows, ordered

DAYS = st.none() | st.integers(0, 3).map(lambda n: date(2026, 1, 1) + timedelta(n))
WORDS = st.none() | st.sampled_from(["a", "b", "ä", "Z", ""])
FIGURES = st.none() | st.integers(0, 3).map(Decimal)
TYPES = {
    "day": pa.date32(),
    "word": pa.string(),
    "place": pa.int32(),
    "own": pa.string(),
    "figure": pa.decimal128(38, 0),
}


@settings(max_examples=60)
@given(st.lists(st.tuples(DAYS, WORDS, st.none() | st.integers(0, 2), WORDS, FIGURES), max_size=8))
def test_days_and_numbers_first_then_the_largest_then_words_and_what_is_absent_last(
    rows: list[tuple[Any, ...]],
) -> None:
    columns = pa.table({name: pa.array([row[i] for row in rows], TYPES[name]) for i, name in enumerate(TYPES)})
    there = ordered(columns, ("day", "word", "place", "own"), "figure", apart=["own"])

    def key(row: tuple[Any, ...]) -> tuple[Any, ...]:
        day, word, place, own, figure = row
        lead = (day is None, day or date.min), (word is None), (place is None, place or 0), (own is None, own or "")
        return (*lead, figure is None, -(figure or 0), word or "")

    assert [*map(key, there)] == sorted(map(key, rows))
    whole = [(*row[:4], None if row[4] is None else int(row[4])) for row in rows]
    assert sorted(map(repr, there)) == sorted(map(repr, whole))


def test_they_are_a_sequence_of_tuples() -> None:
    rows = AnswerRows(
        pa.table({"n": [1, 2, 3], "sum": pa.array([Decimal(10**20), None, Decimal(7)], pa.decimal128(38, 0))})
    )
    tuples = [(1, 10**20), (2, None), (3, 7)]
    assert rows == tuples
    assert rows != tuples[:2]
    assert (rows[0], rows[-1], rows[1:], rows[::-1], rows[:9]) == (
        tuples[0],
        tuples[-1],
        tuples[1:],
        tuples[::-1],
        tuples,
    )
    assert rows.beginning([(3,), (1,), (9,)]) == [tuples[0], tuples[2]]
    assert (rows.lacks(0), rows.lacks(1)) == (False, True)
    assert type(rows[2][1]) is int


def test_of_keys_of_two_values_an_absent_one_is_a_value_like_others() -> None:
    rows = AnswerRows(pa.table({"name": [None, None, "a"], "item": ["x", "y", "y"], "n": [1, 2, 3]}))
    assert rows.beginning([(None, "y"), (None, "z")]) == [(None, "y", 2)]
    assert rows.beginning([(None, "x"), ("a", "y")]) == [*rows]  # and one that is of neither
    assert rows.beginning([]) == []
    assert rows.beginning([()]) == [*rows]

"""The cut in time."""

from datetime import UTC, datetime

import pyarrow as pa

from ml.data.interactions import Interactions, from_arrow
from ml.data.split import by_time


def pairs(*rows: tuple[str, str, int, int]) -> Interactions:
    """Rows of (person, item, first day, last day)."""
    person, item, first, last = zip(*rows, strict=True)
    first_at, last_at = ([datetime(2026, 1, 1 + day, tzinfo=UTC) for day in days] for days in (first, last))
    names = ["person_id", "item_id", "strength", "first_at", "last_at"]
    return from_arrow(pa.table([person, item, [1.0] * len(rows), first_at, last_at], names=names))


def items(part: Interactions) -> list[str]:
    return sorted(part.items.take(part.item).to_pylist())


SPLIT = by_time(
    pairs(("p", "old", 0, 1), ("p", "older", 0, 0), ("p", "straddling", 1, 8), ("p", "new", 9, 9), ("q", "new", 9, 9)),
    test_share=0.6,
)


def test_what_ended_before_the_cut_is_learned_and_what_began_after_it_is_predicted() -> None:
    assert items(SPLIT.train) == ["old", "older"]
    assert items(SPLIT.test) == ["new", "new"]


def test_a_pair_on_both_sides_is_neither_learned_nor_predicted_but_seen() -> None:
    row, column = SPLIT.train.people.rows(["p"])[0], SPLIT.train.items.rows(["straddling"])[0]
    assert SPLIT.seen[row, column] == 1
    assert "straddling" not in items(SPLIT.train) + items(SPLIT.test)


def test_people_are_judged_who_are_in_both_parts() -> None:
    assert SPLIT.train.people.take(SPLIT.people(10, seed=1)).to_pylist() == ["p"]


def test_the_sample_of_people_is_drawn_by_the_seed() -> None:
    many = by_time(pairs(*((f"p{n}", f"i{day}", day, day) for n in range(50) for day in (0, 9))), test_share=0.5)
    assert many.people(10, seed=1).tolist() == many.people(10, seed=1).tolist() != many.people(10, seed=2).tolist()
    assert len(many.people(10, seed=1)) == 10


def test_one_moment_for_all_leaves_nothing_to_learn_from() -> None:
    alone = by_time(pairs(("p", "i", 0, 0)), test_share=0.1)
    assert (len(alone.train), len(alone.test)) == (0, 1)

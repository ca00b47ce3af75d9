"""A stretch of each person's items is held out: the last where their order is known."""

import numpy as np
import pyarrow as pa

from benchmarks.models.stretches import held_out_stretches
from ml.data.interactions import Interactions, from_ids


def used(*lines: str) -> Interactions:
    """Lines of a train file."""
    pairs = [(line.split()[0], item) for line in lines for item in line.split()[1:]]
    person, item = zip(*pairs, strict=True)
    return from_ids(pa.array(person), pa.array(item))


def held(pairs: Interactions, share: float, person: str) -> tuple[list[str], list[str]]:
    """The items held out of a person, and whose order was known."""
    split, ordered = held_out_stretches(pairs, share, seed=1)
    mine = split.test.item[split.test.person == pairs.people.rows([person])[0]]
    return sorted(pairs.items.take(mine).to_pylist(), key=int), pairs.people.take(ordered).to_pylist()


def test_whoever_first_names_items_has_named_them_in_order() -> None:
    lines = ["0 0 1 2 8 9 10", "1 0 1 2", "2 8 9 10"]
    assert held(used(*lines), 1 / 3, "0") == (["9", "10"], ["0"])


def test_an_item_named_before_takes_the_place_of_what_it_is_like() -> None:
    # 0 is the first item of all, but who used it also used 14, the last that person 10 brought.
    lines = ["9 0", "10 0 10 11 12 13 14", "11 0 14", "12 10 11", "13 12 13"]
    assert held(used(*lines), 1 / 3, "10") == (["0", "14"], ["10"])


def test_elsewhere_what_is_alike_is_held_out_together() -> None:
    lines = ["0 0 1 2", "1 3 4 5", "2 0 1 2 3 4 5", "3 0 1 2", "4 3 4 5"]
    found, ordered = held(used(*lines), 0.5, "2")
    assert found in (["0", "1", "2"], ["3", "4", "5"])
    assert ordered == []


def test_a_person_keeps_an_item_and_every_pair_is_on_one_side() -> None:
    pairs = used("0 0", "1 0 1", "2 0 1 2 3 4")
    split, _ = held_out_stretches(pairs, 0.9, seed=1)
    assert np.bincount(split.train.person, minlength=3).tolist() == [1, 1, 1]
    assert len(split.train) + len(split.test) == len(pairs)
    assert split.train.seen.multiply(split.test.seen).nnz == 0


def test_ids_that_are_no_numbers_stand_in_their_own_order() -> None:
    split, _ = held_out_stretches(used("p a b", "q b c"), 0.5, seed=1)
    assert (len(split.train), len(split.test)) == (2, 2)

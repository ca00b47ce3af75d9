"""Packed lists are read alike one by one and together."""

from collections.abc import Sequence

import pytest

from nextclick.errors import ModelError
from nextclick.kv.lists.packing import HEADER, LONG, PAIRS, SHORT
from serving.index.packed_lists import model_of, unpack_items


def packed(items: Sequence[int], form: int = SHORT, model: int = 0) -> bytes:
    return HEADER.pack(form, model) + b"".join(PAIRS[form].pack(item, 0.5) for item in items)


@pytest.mark.parametrize("form", [SHORT, LONG])
def test_lists_that_are_read_together_keep_their_places(form: int) -> None:
    stored = [packed([3, 1], form), packed([], form), packed([1, 2, 0], form, model=7)]
    assert [items.tolist() for items in unpack_items(stored, 4)] == [[3, 1], [], [1, 2, 0]]
    assert unpack_items([], 4) == []


def test_lists_of_both_forms_are_read() -> None:
    assert [items.tolist() for items in unpack_items([packed([3]), packed([2, 70_000], LONG)], 70_001)] == [
        [3],
        [2, 70_000],
    ]


@pytest.mark.parametrize(
    "damaged",
    [packed([1])[:-1], packed([1])[:2], b"", b"\x09\x00\x00", packed([4]), packed([1]) + b"\x00"],
    ids=["cut", "no header", "empty", "unknown form", "no such item", "more"],
)
def test_a_damaged_list_is_one_beside_others_too(damaged: bytes) -> None:
    """Two halves of a place, each at the end of another list, do not make a whole one."""
    for stored in ([damaged], [packed([1]), damaged], [damaged, damaged], [damaged, packed([1])]):
        with pytest.raises(ModelError, match="of the key-value table"):
            unpack_items(stored, 4)


def test_what_made_a_list_stands_in_its_head() -> None:
    assert model_of(packed([1], model=1), ["popular", "7"]) == "7"
    for damaged in (packed([1], model=2), b"\x01"):
        with pytest.raises(ModelError, match="is damaged"):
            model_of(damaged, ["popular", "7"])

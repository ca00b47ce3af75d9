"""Packed lists: what goes in comes out, and damage is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextclick.errors import ModelError
from nextclick.kv.lists import packing


def packed(pairs: list[tuple[int, float]], model: int = 0) -> bytes:
    form = packing.SHORT if max((item for item, _ in pairs), default=0) < 1 << 16 else packing.LONG
    return packing.HEADER.pack(form, model) + b"".join(packing.PAIRS[form].pack(*pair) for pair in pairs)


def test_a_hundred_items_take_603_bytes_while_there_are_few_items() -> None:
    assert len(packed([(item, 0.5) for item in range(100)])) == 603
    assert len(packed([(70_000 + item, 0.5) for item in range(100)])) == 803


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(width=32, allow_nan=False))), st.integers(0, 65535))
def test_a_list_comes_back_as_it_was(pairs: list[tuple[int, float]], model: int) -> None:
    value = packed(pairs, model)
    assert packing.unpack(value) == (model, pairs)
    assert packing.unpack(value, 2) == (model, pairs[:2])
    assert packing.list_length(value) == len(pairs)


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x09\x00\x00", packed([(1, 0.5)])[:-1], b'[{"rank": 1}]'])
def test_a_damaged_list_says_so_and_what_to_do(value: bytes) -> None:
    with pytest.raises(ModelError, match="nextclick export --full"):
        packing.unpack(value)


def test_item_ids_lie_in_chunks_of_256_in_the_order_of_their_numbers() -> None:
    ids = [f"item-{number}" for number in range(600)]
    chunks = packing.pack_ids(ids)
    assert [key for key, _ in chunks] == [b"t\0\0\0\0", b"t\0\0\0\1", b"t\0\0\0\2"]
    assert [len(packing.unpack_ids(value)) for _, value in chunks] == [256, 256, 88]
    assert [item for _, value in chunks for item in packing.unpack_ids(value)] == ids


def test_new_item_ids_need_only_the_chunks_from_the_first_new_one_on() -> None:
    assert [key for key, _ in packing.pack_ids(["x"] * 600, first=300)] == [b"t\0\0\0\1", b"t\0\0\0\2"]


def test_keys_of_people_and_items_never_meet() -> None:
    keys = [
        packing.POPULAR,
        packing.chunk_key(1),
        packing.person_key("a"),
        packing.similar_key("a"),
        packing.person_key(""),
    ]
    assert len(set(keys)) == len(keys)


@given(st.text(max_size=600))
def test_any_id_has_a_key_that_lmdb_takes(text: str) -> None:
    assert len(packing.person_key(text)) <= 511


def test_long_ids_with_the_same_beginning_have_keys_of_their_own() -> None:
    assert packing.person_key("é" * 256 + "a") != packing.person_key("é" * 256 + "b")


def test_a_lone_surrogate_from_the_command_line_is_an_unknown_person_not_a_crash() -> None:
    assert packing.person_key("\udcff").startswith(b"p")


def test_sums_of_fingerprints_tell_a_value_that_moved_to_another_key() -> None:
    before = packing.fingerprint(b"pa", b"1") + packing.fingerprint(b"pb", b"2")
    after = packing.fingerprint(b"pa", b"2") + packing.fingerprint(b"pb", b"1")
    assert before != after
    assert packing.fingerprint(b"pa", b"b") != packing.fingerprint(b"pab", b"")

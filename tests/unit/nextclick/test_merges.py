"""Merges are closed over chains and circles, in any order: what a plain union-find makes of them."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from nextclick.identity.merges import closed
from tests import oracle

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("site", "id", "user_id", "last_at", "last_event_id")


def people(*rows: tuple[str, str, str, int, str]) -> dict[tuple[str, str], str]:
    """(site, merged, into, minute, event id) each → (site, id) → person."""
    columns = zip(*((*row[:3], START + timedelta(minutes=row[3]), row[4]) for row in rows), strict=True)
    merged = closed(pa.table(dict(zip(NAMES, columns, strict=True))))
    return {(row["site"], row["id"]): row["person"] for row in merged.to_pylist()}


def test_a_chain_has_the_name_of_its_end_whichever_step_came_first() -> None:
    for first, then in ((1, 2), (2, 1)):
        assert people(("s", "a", "b", first, "e"), ("s", "b", "c", then, "f")) == {("s", name): "c" for name in "abc"}


def test_a_circle_has_the_name_of_its_latest_merge() -> None:
    assert people(("s", "a", "b", 1, "e"), ("s", "b", "a", 2, "f")) == {("s", "a"): "a", ("s", "b"): "a"}


def test_who_was_merged_into_two_is_one_with_both_and_sites_stay_apart() -> None:
    rows = [("s", "a", "b", 1, "e"), ("s", "a", "c", 1, "f"), ("other", "a", "z", 3, "g")]
    assert people(*rows) == {
        ("s", "a"): "c", ("s", "b"): "c", ("s", "c"): "c", ("other", "a"): "z", ("other", "z"): "z",
    }  # fmt: skip


def test_without_merges_nobody_is_merged() -> None:
    assert closed(pa.table({name: pa.array([], pa.string()) for name in NAMES})).num_rows == 0


def test_a_long_chain_takes_no_longer_than_its_length() -> None:
    chain = [("s", f"n{number:05}", f"n{number + 1:05}", number, "e") for number in range(20_000)]
    assert set(people(*chain).values()) == {"n20000"}


NODES = st.sampled_from(["a", "b", "c", "d", "a:", ":", "1:a", "é", "\x1f", ""])
MERGES = st.dictionaries(
    st.tuples(NODES, NODES).filter(lambda pair: pair[0] != pair[1]),
    st.tuples(st.integers(0, 3), st.sampled_from("efg")),
)


@given(st.dictionaries(st.sampled_from(["s", "0", ":"]), MERGES, min_size=1), st.randoms(use_true_random=False))
def test_merges_are_what_union_find_makes_of_them(
    sites: dict[str, dict[tuple[str, str], tuple[int, str]]], draw: object
) -> None:
    rows = [(site, *pair, *mark) for site, merges in sites.items() for pair, mark in merges.items()]
    draw.shuffle(rows)  # type: ignore[attr-defined]
    expected = {
        (site, name): person for site, merges in sites.items() for name, person in oracle.merges(merges).items()
    }
    assert (people(*rows) if rows else {}) == expected

"""A live profile is the K newest distinct actions, whatever the order, copies and parts in which they come."""

import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextclick.contracts.events import OUTSIDE_SESSIONS, Event
from nextclick.profile import profile
from nextclick.profile.profile import EMPTY, MAX_BYTES, Action, K, Profile

NOON = 1_795_348_800_000


def event(kind: str = "view_item", **fields: object) -> Event:
    return Event(**{"event": kind, "event_id": "e1", "client_time": NOON, "visitor_id": "v1"} | fields)  # type: ignore[arg-type]


def deed_of(**fields: object) -> Action:
    action = profile.action_of(event(**fields), NOON + 10_000_000)  # type: ignore[arg-type]
    assert action is not None
    return action


def oracle(actions: Sequence[Action]) -> list[tuple[object, ...]]:
    """Of each id the greatest copy, of these the K greatest, by plain tuples."""
    rows = sorted(msgspec.structs.astuple(one) for one in actions)
    best = {row[1]: row for row in rows}
    return sorted(best.values(), reverse=True)[:K]


actions = st.builds(
    Action,
    at=st.integers(0, 100),
    id=st.integers(0, 2 * K),
    code=st.integers(0, 11),
    item=st.sampled_from(["", "a", "b"]),
    value=st.sampled_from([0, 5]),
)


@given(st.lists(actions, max_size=4 * K), st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_order_copies_and_split_over_workers_give_the_same_bytes(
    all_deeds: list[Action], draw: random.Random, workers: int
) -> None:
    whole = profile.merge(EMPTY, all_deeds)
    assert [msgspec.structs.astuple(one) for one in whole.actions] == oracle(all_deeds)

    again = all_deeds + draw.sample(all_deeds, len(all_deeds) // 2)
    draw.shuffle(again)
    shares = [again[start::workers] for start in range(workers)]
    one_by_one = EMPTY
    for one in again:
        one_by_one = profile.merge(one_by_one, [one])
    together = profile.union(*(profile.merge(EMPTY, share) for share in shares))
    assert profile.encode(one_by_one) == profile.encode(together) == profile.encode(whole)


@given(st.lists(actions, max_size=K), st.lists(actions, max_size=K), st.lists(actions, max_size=K))
def test_union_is_commutative_associative_and_idempotent(a: list[Action], b: list[Action], c: list[Action]) -> None:
    one, two, three = (profile.merge(EMPTY, part) for part in (a, b, c))
    assert profile.union(one, two) == profile.union(two, one)
    assert profile.union(profile.union(one, two), three) == profile.union(one, profile.union(two, three))
    assert profile.union(one, one) == one
    assert profile.union() == EMPTY


def test_what_changes_nothing_gives_the_profile_itself_back() -> None:
    known = profile.merge(EMPTY, [deed_of()])
    assert profile.merge(known, [deed_of()]) is known


def test_a_deed_older_than_the_kth_newest_is_dropped_whenever_it_comes() -> None:
    newer = [deed_of(event_id=f"e{number}", client_time=NOON + number) for number in range(K)]
    old = deed_of(event_id="old", client_time=NOON - 1)
    assert profile.merge(profile.merge(EMPTY, newer), [old]) == profile.merge(profile.merge(EMPTY, [old]), newer)
    assert old not in profile.merge(EMPTY, [*newer, old]).actions


def test_a_resend_with_another_corrected_time_is_one_deed_at_the_later_of_both() -> None:
    first, again = deed_of(occurred_at=NOON), deed_of(occurred_at=NOON + 40)
    assert profile.merge(EMPTY, [again, first]).actions == (again,)
    assert profile.merge(EMPTY, [first, again]).actions == (again,)


def test_an_event_of_a_clock_that_is_ahead_happened_when_it_arrived() -> None:
    ahead = profile.action_of(event(client_time=NOON + 3_600_000), NOON)
    behind = profile.action_of(event(client_time=NOON - 3_600_000), NOON)
    assert ahead is not None
    assert behind is not None
    assert (ahead.at, behind.at) == (NOON, NOON - 3_600_000)


@pytest.mark.parametrize("kind", OUTSIDE_SESSIONS)
def test_what_the_visitor_did_not_do_is_no_deed(kind: str) -> None:
    assert profile.action_of(event(kind), NOON) is None


def test_a_deed_keeps_kind_item_category_query_value_and_dwell() -> None:
    kept = deed_of(
        kind="purchase", item_id="lamp", category="light", query="lamp", price="12.50", quantity=3, dwell_ms=900
    )
    assert (kept.kind, kept.item, kept.category, kept.query) == ("purchase", "lamp", "light", "lamp")
    assert (kept.value, kept.dwell_ms) == (375_000, 900)
    assert deed_of(kind="view_product").kind == "view_item"
    assert deed_of(kind="stared_at").kind == ""
    assert [deed_of(kind="purchase", item_id="lamp", quantity=pieces).kind for pieces in (0, 1)] == ["", "purchase"]
    assert deed_of(kind="refund", item_id="lamp").kind == "refund"


@pytest.mark.parametrize(
    ("price", "value"),
    [("0.00005", 1), ("0.00004", 0), ("-0.00001", 0), ("99999999999999", 999999999999990000), ("1e2", 1_000_000)],
)
def test_prices_are_rounded_as_silver_rounds_them(price: str, value: int) -> None:
    assert deed_of(price=price).value == value


@pytest.mark.parametrize("price", ["-1", "NaN", "Infinity", "100000000000000", "1e999999999", "a", ""])
def test_a_price_that_silver_refuses_is_no_deed(price: str) -> None:
    assert profile.action_of(event(price=price), NOON) is None


def test_texts_that_do_not_fit_together_are_left_out_whole_and_the_item_stays() -> None:
    kept = deed_of(item_id="i" * 80, category="electronics", query="tv")
    assert (kept.item, kept.category, kept.query) == ("i" * 80, "", "tv")
    assert deed_of(item_id="é" * 43).item == ""
    assert deed_of(item_id="é" * 42).item == "é" * 42


@given(
    st.builds(
        event,
        event_id=st.text(min_size=1, max_size=9),
        client_time=st.integers(0, 1 << 52),
        item_id=st.none() | st.text(max_size=90),
        category=st.none() | st.text(max_size=90),
        query=st.none() | st.text(max_size=90),
        price=st.none() | st.just("99999999999999.9999"),
        quantity=st.none() | st.integers(-5, 1 << 40),
        dwell_ms=st.none() | st.integers(-5, 1 << 60),
    )
)
def test_a_stored_deed_comes_back_as_it_was_and_k_of_them_fit(one: Event) -> None:
    action = profile.action_of(one, 1 << 53)
    assert action is not None
    stored = profile.encode(Profile((action,)))
    assert profile.decode(stored).actions == (action,)
    assert len(stored) * K + 8 <= MAX_BYTES


def test_the_fullest_profile_fits() -> None:
    most = (1 << 63) - 1
    fullest = tuple(
        Action(at=most, id=(1 << 64) - 1 - n, code=11, item="i" * 20, category="c" * 32, query="q" * 32, value=most,
             dwell_ms=(1 << 32) - 1)
        for n in range(K)
    )  # fmt: skip
    assert len(profile.encode(Profile(fullest))) + 8 <= MAX_BYTES


def test_an_event_belongs_to_its_visitor_and_to_the_user_that_it_names() -> None:
    visitor, person = profile.visitor_key("shop", "v1"), profile.person_key("shop", "u1")
    assert profile.keys(event(site="shop"), "default") == (visitor,)
    assert profile.keys(event(site="shop", user_id="u1"), "default") == (visitor, person)
    for same in (None, "u1"):  # a user's own id is no device
        assert profile.keys(event(visitor_id=same, user_id="u1", site="shop"), "default") == (person,)
    assert profile.keys(event(), "shop") == (visitor,)
    assert len({visitor, person, profile.visitor_key("shop", "u1"), profile.visitor_key("other", "v1")}) == 4

"""Live features by hand: windows at their edges, sessions, interest and its half-life, clocks that disagree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextclick.profile.live_features import DAY, MINUTE, FeatureRules, features, interest, open_session
from nextclick.profile.profile import EMPTY, Action, Profile, merge

NOW = 1_795_348_800_000
RULES = FeatureRules(
    gap_ms=30 * MINUTE,
    half_life_ms=DAY,
    keep_ms=30 * DAY,
    weights={"view_item": 1.0, "add_to_cart": 4.0, "remove_from_cart": -2.0},
)
CODES = {"": 0, "page_view": 1, "view_item": 2, "search": 3, "add_to_cart": 4, "remove_from_cart": 5, "engagement": 9}


def action(
    ago: int, kind: str = "view_item", item: str = "", category: str = "", query: str = "", dwell: int = 0
) -> Action:
    return Action(
        at=NOW - ago, id=hash((ago, kind, item, query)) % (1 << 64), code=CODES[kind], item=item, category=category,
        query=query, dwell_ms=dwell,
    )  # fmt: skip


def of(*actions: Action) -> Profile:
    return merge(EMPTY, actions)


def test_an_empty_profile_has_features_too() -> None:
    found = features(EMPTY, NOW, RULES)
    assert (found.last_items, found.last_category, found.last_at, found.seconds_since_last) == ((), "", None, None)
    assert (found.interest, found.session, found.session_started_at, found.session_category) == ({}, {}, None, "")
    assert tuple(found.top_categories) == ()


def test_last_items_and_queries_come_newest_first_and_once() -> None:
    found = features(
        of(
            action(1000, item="lamp"),
            action(2000, item="desk"),
            action(3000, item="lamp"),
            action(500, "search", query="chair"),
            action(4000, "search", query="lamp"),
        ),
        NOW,
        RULES,
    )
    assert found.last_items == (("lamp", NOW - 1000), ("desk", NOW - 2000))
    assert found.searches == ("chair", "lamp")
    assert found.seconds_since_last == 0.5


@pytest.mark.parametrize(("ago", "counted"), [(0, 1), (59_999, 1), (60_000, 0)])
def test_the_last_minute_begins_after_its_edge(ago: int, counted: int) -> None:
    assert features(of(action(ago)), NOW, RULES).last_minute.get("view_item", 0) == counted


def test_windows_hold_one_another() -> None:
    found = features(of(action(0), action(MINUTE), action(5 * MINUTE), action(DAY - 1), action(DAY)), NOW, RULES)
    counts = [window["view_item"] for window in (found.last_minute, found.last_5_minutes, found.last_day)]
    assert counts == [1, 2, 4]


@pytest.mark.parametrize(("gap", "counted"), [(30 * MINUTE, 2), (30 * MINUTE + 1, 1)])
def test_a_session_goes_on_over_a_gap_and_ends_with_a_longer_one(gap: int, counted: int) -> None:
    found = features(of(action(1000), action(1000 + gap)), NOW, RULES)
    assert found.session == {"view_item": counted}


def test_after_a_long_gap_no_session_is_open() -> None:
    assert features(of(action(30 * MINUTE)), NOW, RULES).session == {"view_item": 1}
    assert features(of(action(30 * MINUTE + 1)), NOW, RULES).session == {}


def test_the_session_has_its_start_dwell_and_most_viewed_category() -> None:
    found = features(
        of(
            action(1000, category="light"),
            action(2000, "engagement", dwell=700),
            action(3000, category="desks"),
            action(4000, category="desks"),
            action(5000, "engagement", dwell=300),
            action(2 * DAY, category="light"),
        ),
        NOW,
        RULES,
    )
    assert (found.session_category, found.session_dwell_ms, found.session_started_at) == ("desks", 1000, NOW - 5000)
    assert found.last_category == "light"


def test_of_categories_viewed_as_often_the_newest_is_the_sessions() -> None:
    found = features(of(action(1000, category="light"), action(2000, category="desks")), NOW, RULES)
    assert found.session_category == "light"


def test_interest_is_the_share_of_weights_that_halve_with_the_half_life() -> None:
    found = features(
        of(
            action(0, category="electronics"),
            action(DAY, "add_to_cart", category="garden"),
            action(0, "search", query="x"),
        ),
        NOW,
        RULES,
    )
    # electronics 1, garden 4 · ½ = 2: over 1 + 3
    assert found.interest == {"garden": 0.5, "electronics": 0.25}
    assert tuple(found.top_categories) == ("garden", "electronics")


def test_what_was_taken_out_of_the_cart_counts_against() -> None:
    found = features(of(action(0, "remove_from_cart", category="garden"), action(0, category="light")), NOW, RULES)
    assert found.interest == {"light": 0.25, "garden": -0.5}
    assert tuple(found.top_categories) == ("light",)


def test_interest_in_attributes_comes_from_what_the_reader_knows_of_the_items() -> None:
    colours = {"lamp": ("red", "brass"), "desk": ("red",)}
    actions = of(action(0, item="lamp"), action(1, item="desk"), action(2, item="unknown")).actions
    found = interest(actions, [colours.get(one.item, ()) for one in actions], NOW, RULES)
    assert found["red"] == pytest.approx(2 / 4)
    assert found["brass"] == pytest.approx(1 / 4)


def test_actions_older_than_kept_count_for_nothing_so_that_removing_them_changes_nothing() -> None:
    old = action(30 * DAY + 1, item="old", category="old")
    edge = action(30 * DAY, item="edge")
    assert features(of(old, edge), NOW, RULES) == features(of(edge), NOW, RULES)
    assert features(of(edge), NOW, RULES).last_items == (("edge", NOW - 30 * DAY),)


def test_to_a_reader_whose_clock_is_behind_it_just_happened() -> None:
    found = features(of(action(-5000, category="light")), NOW, RULES)
    assert found.seconds_since_last == 0
    assert found.last_minute == {"view_item": 1}
    assert found.session == {"view_item": 1}
    assert found.interest == {"light": 0.5}


@given(st.lists(st.integers(-MINUTE, 3 * 60 * MINUTE), max_size=20))
def test_the_open_session_is_what_a_plain_walk_finds(ages: list[int]) -> None:
    actions = of(*(action(ago) for ago in ages)).actions
    times = sorted((NOW - ago for ago in set(ages)), reverse=True)
    expected, last = 0, NOW
    for at in times:
        if last - at > RULES.gap_ms:
            break
        expected, last = expected + 1, at
    assert len(open_session(actions, NOW, RULES.gap_ms)) == expected

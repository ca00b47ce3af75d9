"""Who belongs: conditions over a few actions that are counted by eye, and against plain Python."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextclick.audiences.definitions import Audience, read
from nextclick.audiences.facts import Facts, Night
from nextclick.audiences.membership import members_of, membership, reasons
from nextclick.profile import profile
from nextclick.profile.profile import Action, K

NOW = 1_750_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
CODES = {"view_item": 2, "search": 3, "add_to_cart": 4, "purchase": 6}


def act(
    kind: str, ago: int, item: str = "", category: str = "", query: str = "", value: float = 0, id: int = 0
) -> Action:
    at = NOW - ago
    return Action(
        at=at, id=id or at, code=CODES[kind], item=item, category=category, query=query, value=round(value * 10_000)
    )


@pytest.fixture
def audience(tmp_path: Path) -> "type[Audience]":
    def of(text: str) -> Audience:
        path = tmp_path / "one.toml"
        path.write_text(f'meaning = "People"\n{text}', encoding="utf-8")
        return read(path)

    return of  # type: ignore[return-value]


def live(*actions: Action, night: Night | None = None, keep_ms: int = 30 * DAY) -> Facts:
    return Facts.live(profile.merge(profile.EMPTY, actions), NOW, keep_ms, night)


LOOKERS = """
all = [
    { event = "view_item", category = "laptops", within = "24h", least = 3 },
    { not = { event = "purchase", within = "24h" } },
]
"""


def test_three_laptops_in_a_day_and_nothing_bought(audience) -> None:  # type: ignore[no-untyped-def]
    views = [act("view_item", hours * HOUR, f"i{hours}", "laptops") for hours in (1, 2, 23)]
    assert membership(audience(LOOKERS), live(*views)) is True
    assert membership(audience(LOOKERS), live(*views[:2])) is False
    assert membership(audience(LOOKERS), live(*views, act("purchase", HOUR, "i1"))) is False
    assert membership(audience(LOOKERS), live(*views, act("purchase", 25 * HOUR, "i1"))) is True
    assert membership(audience(LOOKERS), live(*views[:2], act("view_item", HOUR, "x", "lamps"))) is False


def test_a_window_ends_now_and_begins_just_after_now_less_its_length(audience) -> None:  # type: ignore[no-untyped-def]
    one = audience('event = "view_item"\nwithin = "1h"')
    assert membership(one, live(act("view_item", HOUR - 1))) is True
    assert membership(one, live(act("view_item", HOUR))) is False
    assert membership(one, live(act("view_item", -5 * MINUTE))) is True, (
        "an action ahead of the clock has just happened"
    )


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('event = "view_item"\nwithin = "1d"\nof = "items"\nleast = 2', True),
        ('event = "view_item"\nwithin = "1d"\nof = "items"\nleast = 3', False),
        ('event = "view_item"\nwithin = "1d"\nleast = 3', True),
        ('event = ["view_item", "search"]\nwithin = "1d"\nleast = 4', True),
        ('event = "view_item"\nitem = ["a", "z"]\nwithin = "1d"\nleast = 2', True),
        ('event = "view_item"\nitem = "a"\ncategory = "lamps"\nwithin = "1d"', False),
        ('event = "view_item"\nitem = "b"\ncategory = "lamps"\nwithin = "1d"', True),
        ('event = "search"\nquery = "LAMP"\nwithin = "1d"', True),
        ('event = "search"\nquery = "table"\nwithin = "1d"', False),
        ('event = "add_to_cart"\nof = "value"\nwithin = "1d"\nleast = 19.99', True),
        ('event = "add_to_cart"\nof = "value"\nwithin = "1d"\nleast = 20', False),
        ('event = "purchase"\nwithin = "1d"\nmost = 0', True),
        ('any = [{ event = "purchase", within = "1d" }, { event = "search", within = "1d" }]', True),
        ('not = { any = [{ event = "purchase", within = "1d" }, { event = "search", within = "1d" }] }', False),
    ],
)
def test_what_a_count_may_be_about(audience, text: str, holds: bool) -> None:  # type: ignore[no-untyped-def]
    acts = [
        act("view_item", HOUR, "a", "chairs"), act("view_item", 2 * HOUR, "a", "chairs"), act("view_item", 3 * HOUR, "b", "lamps"),
        act("search", 4 * HOUR, query="Lamp, small"), act("add_to_cart", 5 * HOUR, "b", value=19.99),
    ]  # fmt: skip
    assert membership(audience(text), live(*acts)) is holds


def night(**more: object) -> Night:
    return Night(as_of=NOW - HOUR, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('prediction = "churn"\nof = "decile"\nleast = 9', True),
        ('prediction = "churn"\nleast = 0.7', True),
        ('prediction = "churn"\nmost = 0.69', False),
        ('prediction = "conversion_7d"\nmost = 1', False),
        ('fact = "orders"\nleast = 2', True),
        ('fact = "visits"\nmost = 0', True),
        ('fact = "revenue"\nleast = 100', True),
        ('fact = "revenue"\ncurrency = "USD"\nleast = 0', False),
        ('fact = "days_since_order"\nleast = 3\nmost = 3', True),
        ('fact = "days_since_visit"\nmost = 1000', False),
        ('fact = "first_channel"\none_of = ["email", "paid_search"]', True),
        ('fact = "first_channel"\none_of = "direct"', False),
    ],
)
def test_what_gold_says_and_what_is_absent_is_not_there(audience, text: str, holds: bool) -> None:  # type: ignore[no-untyped-def]
    known = night(
        orders=2,
        revenue={"EUR": 1_000_000},
        last_order_at=NOW - 3 * DAY,
        first_channel="email",
        foreseen={"churn": (0.7, 9)},
    )
    assert membership(audience(text), live(night=known)) is holds
    assert membership(audience(text), live()) is None, "nobody knows what gold says"


def test_revenue_of_two_currencies_is_none_without_its_name(audience) -> None:  # type: ignore[no-untyped-def]
    both = night(visits=1, revenue={"EUR": 1_000_000, "USD": 5})
    assert membership(audience('fact = "revenue"\nleast = 0'), live(night=both)) is False
    assert membership(audience('fact = "revenue"\ncurrency = "eur"\nleast = 100'), live(night=both)) is True


def test_a_full_profile_says_only_what_it_surely_knows(audience) -> None:  # type: ignore[no-untyped-def]
    views = [act("view_item", minute * MINUTE, "a") for minute in range(K + 10)]
    facts = live(*views)
    assert membership(audience('event = "view_item"\nwithin = "1d"\nleast = 60'), facts) is True
    assert membership(audience('event = "purchase"\nwithin = "1d"\nmost = 0'), facts) is None
    assert membership(audience('not = { event = "purchase", within = "1d" }'), facts) is None
    assert membership(audience('event = "view_item"\nwithin = "1d"\nmost = 5'), facts) is False
    assert membership(audience('event = "purchase"\nwithin = "1h"\nmost = 0'), facts) is True, "it reaches back an hour"


def test_reasons_are_the_conditions_with_their_values(audience) -> None:  # type: ignore[no-untyped-def]
    views = [act("view_item", hours * HOUR, f"i{hours}", "laptops") for hours in (1, 2)]
    assert [(one.value, one.holds) for one in reasons(audience(LOOKERS), live(*views))] == [(2, False), (0, False)]
    assert reasons(audience(LOOKERS), live())[1].condition == 'event = "purchase", within = "24h"'


def test_those_that_somebody_surely_belongs_to(audience) -> None:  # type: ignore[no-untyped-def]
    buyers = audience('event = "purchase"\nwithin = "1d"')
    assert members_of([buyers, audience('fact = "orders"\nleast = 1')], live(act("purchase", 1))) == ["one"]


ACTIONS = st.lists(
    st.builds(
        act,
        st.sampled_from(list(CODES)),
        st.integers(-2 * MINUTE, 3 * HOUR),
        item=st.sampled_from(["", "a", "b", "c"]),
        category=st.sampled_from(["", "x", "y"]),
        value=st.integers(0, 50),
        id=st.integers(1, 60),
    ),
    max_size=90,
)


@given(
    ACTIONS,
    st.sampled_from(list(CODES)),
    st.sampled_from(["", "x", "y"]),
    st.sampled_from(["events", "items", "value"]),
    st.sampled_from([1, 30, 60, 150]),
    st.integers(0, 12),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_live_verdict_is_that_of_the_whole_history_or_not_known(
    tmp_path_factory: pytest.TempPathFactory, acts: list[Action], kind: str, category: str, of: str, minutes: int, bound: int,
    below: bool, rng: random.Random,
) -> None:  # fmt: skip
    """In any order, in pieces, with copies; and where the profile holds everything it is known."""
    path = tmp_path_factory.getbasetemp() / "drawn.toml"
    about = f'category = "{category}"\n' if category else ""
    end = "most" if below else "least"
    path.write_text(f'meaning = "m"\nevent = "{kind}"\n{about}of = "{of}"\nwithin = "{minutes}m"\n{end} = {bound}\n')
    one = read(path)
    latest: dict[int, Action] = {}
    for action in acts:
        latest[action.id] = max(action, latest.get(action.id, action))
    counted = [
        action
        for action in latest.values()
        if CODES[kind] == action.code and NOW - action.at < minutes * MINUTE and category in ("", action.category)
    ]
    amount = {
        "events": float(len(counted)),
        "items": float(len({action.item for action in counted} - {""})),
        "value": sum(action.value for action in counted) / 10_000,
    }[of]
    expected = bool(acts) and (amount <= bound if below else amount >= bound)

    arrivals = acts + rng.sample(acts, len(acts) // 2)
    rng.shuffle(arrivals)
    merged, start = profile.EMPTY, 0
    while start < len(arrivals):
        step = rng.randint(1, 20)
        merged = profile.merge(merged, arrivals[start : start + step])
        start += step
    verdict = membership(one, Facts.live(merged, NOW, 30 * DAY, None))
    whole = sorted(latest.values(), reverse=True)
    assert membership(one, Facts(whole, NOW, 0, None, seen=bool(whole))) is expected
    assert verdict is expected if len(latest) < K else verdict in (None, expected)

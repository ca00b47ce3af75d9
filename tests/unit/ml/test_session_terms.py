"""conversion_session: the terms of training are those of answers, bit for bit, and labels are of what came later in the session."""

from typing import Any

import numpy as np
import pytest

from ml.predictions.history import KnownEvents
from ml.predictions.sessions import SessionMoments, session_moments
from nextclick.contracts.events import Event
from nextclick.profile import profile
from nextclick.profile.predict_features import TERMS, SessionRules, depth, session_terms
from nextclick.profile.profile import Action, Profile
from nextclick.settings import load
from tests.prediction_rows import DAY, HOUR, MINUTE, Did, history_of

SETTINGS = load("lake", environ={})
RULES = SessionRules.of(SETTINGS, "s")
START = 20_000 * DAY
NOW = START // 1000
VIEWED, CART, BOUGHT = 2, 4, 6


def action(kind: int, seconds_ago: int, item: str = "", value: int = 0) -> Action:
    return Action(at=NOW - 1000 * seconds_ago, id=seconds_ago, code=kind, item=item, value=value)


def terms(*actions: Action) -> dict[str, float]:
    found = session_terms(Profile(tuple(sorted(actions, reverse=True))), NOW, RULES)
    assert found is not None
    return dict(zip(TERMS, found, strict=True))


def test_the_terms_of_a_session_by_hand() -> None:
    found = terms(
        action(VIEWED, 60, "a", 50_000),
        action(CART, 30, "a", 50_000),
        action(VIEWED, 10, "b", 20_000),
        action(BOUGHT, 7_200),
        action(VIEWED, 7_300),
    )
    logs = {"acts": 3, "views": 2, "carts": 1, "items": 2, "views_of_last": 1, "since_start": 60, "since_last": 10}
    logs |= {"cart_value": 5, "viewed_value": 2, "bought_before": 1, "since_bought": 2, "acts_before": 2}
    assert {name: found[name] for name in logs} == pytest.approx(
        {name: np.log1p(value) for name, value in logs.items()}
    )
    assert (found["depth"], found["in_cart"], found["views_2"], found["views_5"]) == (4.0, 1.0, 1.0, 0.0)


def test_a_purchase_empties_the_cart_and_a_gap_ends_the_session() -> None:
    assert terms(action(CART, 60), action(BOUGHT, 30))["depth"] == 0.0
    assert session_terms(Profile((action(VIEWED, 31 * 60),)), NOW, RULES) is None


@pytest.mark.parametrize(("views", "level"), [(0, 0), (1, 1), (2, 2), (4, 2), (5, 3)])
def test_depth_is_the_level_of_counted_rates(views: int, level: int) -> None:
    assert depth([action(VIEWED, n) for n in range(views)]) == level


def day(seed: int) -> list[Did]:
    """A day of four visitors, two of whom are one user, with late arrivals."""
    rng = np.random.default_rng(seed)
    kinds = [
        "view_item",
        "view_item",
        "view_item",
        "add_to_cart",
        "purchase",
        "search",
        "remove_from_cart",
        "page_view",
    ]
    events = []
    for number in range(160):
        visitor = f"v{rng.integers(4)}"
        at = (
            START
            + int(rng.integers(0, 8)) * HOUR
            + int(rng.integers(0, 40 * 60)) * 1_000_000
            + int(rng.integers(1_000_000))
        )
        user = "ann" if visitor in ("v0", "v1") and rng.random() < 0.7 else None
        late = at + int(rng.integers(0, 2)) * int(rng.integers(0, 120)) * MINUTE
        price = f"{rng.integers(1, 9_000) / 100:.2f}" if rng.random() < 0.7 else None
        events.append(
            Did(visitor, at, str(rng.choice(kinds)), user, late, f"i{rng.integers(5)}", price, id=f"e{number}")
        )
    return events


def moments_of(events: list[Did]) -> tuple[SessionMoments, list[tuple[Any, ...]]]:
    history = KnownEvents("id", 0, START, START + 2 * DAY)
    with history_of(events) as database:
        found = session_moments(database, SETTINGS, history)
        drawn = database.execute("SELECT visitor_id, user_id, as_of FROM moments ORDER BY moment").fetchall()
    return found, drawn


@pytest.mark.parametrize("seed", range(3))
def test_what_is_learned_from_is_what_the_live_profile_says_bit_for_bit(seed: int) -> None:
    """The store's side: every event goes to the profiles of its visitor and of its user, and an answer takes both."""
    events = day(seed)
    found, drawn = moments_of(events)
    assert len(drawn) > 20
    for place, (visitor, user, as_of) in enumerate(drawn):
        profiles: dict[bytes, Profile] = {}
        for did in events:
            if did.at >= as_of or (did.known or 0) >= as_of:
                continue
            event = Event(
                event=did.event,
                event_id=did.id,
                client_time=did.at // 1000,
                visitor_id=did.visitor,
                user_id=did.user,
                item_id=did.item,
                price=did.price,
            )
            new = profile.action_of(event, (did.known or 0) // 1000)
            assert new
            for key in profile.keys(event, "s"):
                profiles[key] = profile.merge(profiles.get(key, profile.EMPTY), [new])
        keys = [profile.visitor_key("s", visitor), *([profile.person_key("s", user)] if user else [])]
        whole = profile.union(*(profiles.get(key, profile.EMPTY) for key in keys))
        assert session_terms(whole, as_of // 1000, RULES) == tuple(found.rows.terms[name][place] for name in TERMS)


def test_a_label_is_a_purchase_later_in_the_session() -> None:
    buys = [Did("v", START, "view_item"), Did("v", START + 29 * MINUTE, "purchase")]
    leaves = [Did("w", START, "view_item"), Did("w", START + 31 * MINUTE, "purchase")]
    found, drawn = moments_of(buys + leaves)
    labels = {
        (visitor, as_of < START + 29 * MINUTE): label
        for (visitor, _, as_of), label in zip(drawn, found.rows.label, strict=True)
    }
    assert labels[("v", True)] == 1.0
    assert labels[("w", True)] == 0.0


def test_a_session_that_may_go_on_has_no_label_and_a_part_looks_into_no_other() -> None:
    late = START + 2 * DAY - 10 * MINUTE
    found, drawn = moments_of([*day(5), Did("late", late, "view_item")])
    assert "late" not in {visitor for visitor, *_ in drawn}
    cut = found._bound(0.75)
    learned, judged = found.between(0, 0.75), found.between(0.75, 1)
    assert 0 < len(learned) + len(judged) <= len(found.rows)
    assert ((found.started < cut) & (found.until <= cut)).sum() == len(learned)
    assert len({*found.started[found.started < cut]} & {*found.started[found.started >= cut]}) == 0

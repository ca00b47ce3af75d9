"""Point-in-time frames: nothing of the future is in them, whatever comes later, and what is in them is what an oracle counts."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.predictions import judge, nightly
from ml.predictions.frames import Frame, Window, frame
from ml.predictions.history import KnownEvents, open_history
from nextclick.errors import ModelError
from nextclick.identity.merges import MOST_USERS
from nextclick.lake import delta, duck
from nextclick.lake.people import persons
from nextclick.settings import Settings, load
from tests.prediction_rows import DAY, HOUR, MINUTE, Did, history_of
from tests.table_rows import write

NOW = 20_000 * DAY  # an early moment of 2024
WINDOW = Window(30 * MINUTE, 30 * DAY, 30 * DAY, {"churn": 7 * DAY, "conversion_7d": 7 * DAY}, frozenset({"nobody"}))


def cut(events: Iterable[Did], newest: int | None = NOW + 7 * DAY, window: Window = WINDOW) -> Frame:
    with history_of(events) as database:
        return frame(database, "s", NOW, window, newest)


def of(found: Frame, *names: str) -> dict[str, tuple[float, ...]]:
    """By person the features or labels of these names."""
    columns = found.numbers | found.labels
    return {person: tuple(columns[name][row] for name in names) for row, person in enumerate(found.people.to_pylist())}


def test_a_person_is_counted_up_to_the_moment() -> None:
    found = cut(
        [
            Did("v", NOW - 4 * DAY, "view_item"),
            Did("v", NOW - 4 * DAY + 10 * MINUTE, "add_to_cart"),
            Did("v", NOW - 2 * DAY, "purchase", channel="email"),
        ]
    )
    assert of(found, "recency", "tenure", "events", "sessions", "active_days") == {
        "visitor:v": (2.0, 4.0, 3.0, 2.0, 2.0)
    }
    assert of(found, "events_1d", "events_3d", "events_7d", "per_session") == {"visitor:v": (0.0, 1.0, 3.0, 1.5)}
    assert of(found, "gap", "recency_over_gap", "item_views", "carts", "purchases") == {
        "visitor:v": (2.0, 1.0, 1.0, 1.0, 1.0)
    }
    assert found.words["channel"].tolist() == ["email"]


def test_an_event_at_the_moment_is_what_happens_after_it_and_one_at_the_end_is_too_late() -> None:
    before = Did("v", NOW - 1)
    assert of(cut([before, Did("v", NOW)]), "events", "churn") == {"visitor:v": (1.0, 0.0)}
    assert of(cut([before, Did("v", NOW + 7 * DAY)]), "events", "churn") == {"visitor:v": (1.0, 1.0)}


def test_what_arrived_later_was_not_known() -> None:
    late = [Did("v", NOW - 2 * HOUR), Did("v", NOW - HOUR, known=NOW), Did("w", NOW - HOUR, known=NOW + 1)]
    assert of(cut(late), "events", "recency") == {"visitor:v": (1.0, 2 / 24)}


def test_a_purchase_is_a_conversion_within_its_days_alone() -> None:
    seen = [Did(name, NOW - HOUR) for name in ("soon", "late", "never")]
    later = [Did("soon", NOW + DAY, "purchase"), Did("late", NOW + 7 * DAY, "purchase"), Did("never", NOW + DAY)]
    assert of(cut(seen + later), "conversion_7d") == {"visitor:late": (0,), "visitor:never": (0,), "visitor:soon": (1,)}


def test_who_logs_in_later_was_a_visitor_then_and_comes_back_as_the_user() -> None:
    events = [
        Did("v", NOW - HOUR),
        Did("v", NOW + HOUR, user="ann"),
        Did("old", NOW - DAY, user="bob"),
        Did("new", NOW + DAY, user="bob"),
    ]
    assert of(cut(events), "churn") == {"visitor:v": (0.0,), "bob": (0.0,)}


def test_users_and_merges_are_those_that_were_said_before_the_moment() -> None:
    events = [
        Did("v", NOW - 3 * DAY),
        Did("v", NOW - 2 * DAY, user="guest"),
        Did("v", NOW - 1 * DAY, "alias", user="ann", previous="guest"),
        Did("v", NOW + 1 * DAY, "alias", user="eve", previous="ann"),
        Did("w", NOW - 1 * DAY, "alias", user="eve", previous="nobody", known=NOW + 1),
        Did("w", NOW - 1 * DAY),
    ]
    assert of(cut(events), "events") == {"ann": (2.0,), "visitor:w": (1.0,)}


def test_labels_that_are_not_ripe_are_refused_since_all_would_seem_gone() -> None:
    with pytest.raises(ModelError, match="no ripe labels for churn"):
        cut([Did("v", NOW - 1)], newest=NOW + 7 * DAY - 1)


def test_nobody_is_in_it_who_was_not_there_lately() -> None:
    short = WINDOW._replace(active=DAY)
    assert cut([Did("old", NOW - DAY - 1), Did("new", NOW - DAY)], window=short).people.to_pylist() == ["visitor:new"]


few = settings(max_examples=12)
_PLAIN: dict[str, Any] = dict.fromkeys(("known", "item", "price", "previous"), st.none()) | {
    "channel": st.sampled_from(["direct", "email"]),
    "id": st.just(""),
}
visits = st.lists(
    st.builds(
        Did,
        st.sampled_from(["v", "w", "x"]),
        st.integers(NOW - 40 * DAY, NOW - 1),
        st.sampled_from(["page_view", "view_item", "add_to_cart", "purchase"]),
        st.sampled_from([None, None, "ann", "bob"]),
        **_PLAIN,
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda did: did.at,
)
futures = st.lists(
    st.builds(
        Did,
        st.sampled_from(["v", "w", "x", "y"]),
        st.integers(NOW, NOW + 9 * DAY),
        st.sampled_from(["page_view", "purchase", "alias"]),
        st.sampled_from([None, "ann", "bob"]),
        **_PLAIN | {"previous": st.sampled_from(["ann", "bob", "guest"]), "id": st.uuids().map(str)},
    ),
    max_size=8,
)


@few
@given(visits, futures, st.randoms(use_true_random=False))
def test_whatever_happens_later_and_in_whatever_order_rows_lie_features_are_the_same_bit_for_bit(
    before: list[Did], later: list[Did], random: Any
) -> None:
    there, shuffled = cut(before, None), [*before, *later]
    random.shuffle(shuffled)
    then = cut(shuffled, None)
    assert there.people == then.people
    assert {name: column.tobytes() for name, column in there.numbers.items()} == {
        name: column.tobytes() for name, column in then.numbers.items()
    }
    assert all((there.words[name] == then.words[name]).all() for name in there.words)


@few
@given(visits.map(lambda events: [did._replace(user=None) for did in events]), futures)
def test_an_oracle_counts_the_same(before: list[Did], later: list[Did]) -> None:
    later = [did._replace(event="page_view" if did.event == "alias" else did.event, user=None) for did in later]
    found = of(
        cut(before + later, NOW + 9 * DAY),
        "recency",
        "events",
        "sessions",
        "active_days",
        "gap",
        "churn",
        "conversion_7d",
    )
    expected = {}
    for visitor in {did.visitor for did in before}:
        times = sorted(did.at for did in before if did.visitor == visitor and did.at >= NOW - 30 * DAY)
        after = [did for did in later if did.visitor == visitor and did.at < NOW + 7 * DAY]
        if times:
            starts = [at for place, at in enumerate(times) if place == 0 or at - times[place - 1] > 30 * MINUTE]
            days = {(NOW - at - 1) // DAY for at in times}
            gap = (starts[-1] - starts[0]) / DAY / max(len(starts) - 1, 1)
            bought = any(did.event == "purchase" for did in after)
            counts = (NOW - times[-1]) / DAY, len(times), len(starts), len(days), gap, float(not after), float(bought)
            expected[f"visitor:{visitor}"] = pytest.approx(counts)
    assert found == expected


def test_links_that_events_make_are_those_of_the_table() -> None:
    """As spark_jobs/transforms/silver/identities.py makes silver.identities; the tables of the demo are compared in tests/e2e."""
    events = [
        Did("v", 1, user="ann"),
        Did("v", 3, user="ann"),
        Did("ann", 2, user="ann"),
        Did("v", 4, "alias", user="ann", previous="guest"),
        Did("v", 5, "alias", user="ann", previous=" NoBody "),
    ]
    with history_of(events) as database:
        persons.link(database, "linked", frozenset({"nobody"}))
        links = database.sql(
            "SELECT kind, id, user_id, epoch_us(first_at), epoch_us(last_at) FROM identities ORDER BY ALL"
        ).fetchall()
    assert links == [("alias", "guest", "ann", 4, 4), ("visitor", "guest", "ann", 4, 4), ("visitor", "v", "ann", 1, 3)]
    assert MOST_USERS == 64


def test_a_history_is_of_one_version_without_bots_and_without_what_may_not_be_learned_from(tmp_path: Path) -> None:
    chosen = load(tmp_path, environ={"NEXTCLICK_PREDICTIONS__LATE_HOURS": "24"})
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def event(name: str, **more: Any) -> dict[str, Any]:
        times = {"occurred_at": at, "received_at": at, "client_time": at}
        return {"site": "default", "event_id": name, "visitor_id": name, "event": "page_view"} | times | more

    refused = {"analytics": True, "personalization": False, "advertising": True}
    rows = [
        event("ann"),
        event("robot", user_agent="bot"),
        event("refuses", consent=refused),
        event("served", event="served"),
        event("elsewhere", site="other"),
        event("offline", received_at=at + timedelta(hours=23)),
        event("imported", received_at=at + timedelta(days=300)),
    ]
    write(chosen.lake, "silver.events", rows)
    write(chosen.lake, "silver.user_agents", [{"user_agent": "bot", "is_bot": True}])
    write(chosen.lake, "silver.events", [event("later")])
    with duck.connect(chosen.lake) as database:
        known = _known(database, chosen, 0)
        assert known == {"ann": 0, "offline": 23, "imported": 0}
        assert "later" in _known(database, chosen, None)


def _known(database: Any, chosen: Settings, version: int | None) -> dict[str, int]:
    """By visitor the hours after which the event was known."""
    found = open_history(database, chosen, version)
    assert found
    assert found.version == (version if version is not None else delta.require(chosen.lake, "silver.events").version())
    return dict(database.execute(f"SELECT visitor_id, (known_from - happened) // {HOUR} FROM history").fetchall())


def test_moments_end_with_the_newest_event_and_none_that_is_learned_from_looks_beyond_the_judged_one() -> None:
    history = KnownEvents("id", 0, 0, 60 * DAY)
    when = nightly.moments(history, horizon=7 * DAY, step=7 * DAY, most=4)
    assert when is not None
    assert (when.learned, when.judged) == ((25 * DAY, 32 * DAY, 39 * DAY, 46 * DAY), 53 * DAY)
    assert not judge.apart(
        [(at, at + 7 * DAY) for at in when.learned], (when.judged, when.judged + 7 * DAY), history.newest
    )
    assert nightly.moments(history._replace(newest=20 * DAY), 7 * DAY, 7 * DAY, 4) is None


def test_frames_that_overlap_what_is_judged_are_seen() -> None:
    assert "after the moment that is judged" in judge.apart([(0, 8)], (7, 14), 20)[0]
    assert "after the newest event" in judge.apart([(0, 7)], (7, 14), 13)[0]


def test_people_keep_their_side_and_sides_share_nobody() -> None:
    from ml.predictions.people import sides

    one, other = (sides(cut([Did(name, NOW - 1) for name in names]).people) for names in ("abcd", "cd"))
    assert np.isin(other, one).all()

"""Entering and leaving audiences on the live path: in the landing log, whatever is killed in between."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from collector.http.metrics import LiveMetrics
from collector.live.audience_watch import AudienceWatch
from collector.live.landing_follower import LandingFollower
from collector.sinks import RequestBatch
from nextclick.audiences.standing import decode_standing
from nextclick.contracts.events import SERVER, Event, encode
from nextclick.errors import AudienceError, ModelError
from nextclick.kv import open_profiles
from nextclick.landing.reader import read_segment, segments
from nextclick.landing.writer import recover
from nextclick.profile import profile
from nextclick.profile.live_arrivals import Arrivals
from nextclick.settings import Settings
from tests.audience_files import BUYERS, LOOKERS, settings_with
from tests.wait import now

HOUR = 3_600_000


def event(number: int, kind: str = "view_item", ago: int = 1000, visitor: str | None = "v1", **fields: Any) -> Event:
    return Event(
        event=kind, event_id=f"e{number}", client_time=now() - ago, visitor_id=visitor, item_id=f"i{number}", **fields
    )


def changes(settings: Settings) -> list[tuple[str, str, str]]:
    """(kind, subject, audience) of the changes in the log, in their order."""
    recover(settings.lake.landing)
    lines = [line for segment in segments(settings.lake.landing) for line in read_segment(segment.path)]
    said = [msgspec.json.decode(line.payload, type=Event) for line in lines if line.source == SERVER]
    return [(one.event, one.visitor_id or f"user {one.user_id}", (one.properties or {})["audience"]) for one in said]


def follow(settings: Settings, *events: Event) -> None:
    """A collector's life: these events become durable, are merged, and it ends."""
    live = LandingFollower(settings, open_profiles(settings), LiveMetrics({"registry": None, "namespace": "nextclick"}))
    live.start()
    live.durable([RequestBatch("plain", now(), tuple(map(encode, events)), (), ())])
    live.close()


def test_who_enters_and_leaves_is_in_the_log_once_also_after_a_restart(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"lookers": LOOKERS, "buyers": BUYERS})
    views = [event(number) for number in range(3)]
    follow(settings, *views[:2])
    assert changes(settings) == []
    follow(settings, views[2])
    assert changes(settings) == [("audience_entered", "v1", "lookers")]
    follow(settings, *views)
    assert len(changes(settings)) == 1, "what comes again changes nothing"
    follow(settings, event(3, "purchase"))
    assert sorted(changes(settings)[1:]) == [
        ("audience_entered", "v1", "buyers"),
        ("audience_left", "v1", "lookers"),
    ]


def test_an_event_of_a_user_is_looked_at_for_the_device_and_for_the_user(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    follow(settings, event(1, "purchase", user_id="u1"), event(2, "purchase", visitor=None, user_id="u2"))
    assert sorted(subject for _, subject, _ in changes(settings)) == ["user u1", "user u2", "v1"]


def test_an_audience_is_of_its_site_and_not_looked_at_where_it_is_off_or_nightly(tmp_path: Path) -> None:
    audiences = {
        "off": f"off = true\n{BUYERS}",
        "far": 'event = "purchase"\nwithin = "31d"',
        "many": 'event = "purchase"\nwithin = "6h"\nleast = 65',
        "shop": f'site = "shop"\n{BUYERS}',
    }
    settings = settings_with(tmp_path, audiences)
    follow(settings, event(1, "purchase"), event(2, "purchase", visitor="v2", site="shop"))
    assert changes(settings) == [("audience_entered", "v2", "shop")]


def test_a_wrong_definition_stops_the_collector_before_it_serves(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"wrong": 'event = "bought"\nwithin = "6h"'})
    with pytest.raises(AudienceError, match="'bought' is not known"):
        follow(settings)


class Killed(Exception):
    """The process ends here."""


class Fragile:
    """A store whose process is killed before, or after, it wrote standings; or beside another that wrote first."""

    def __init__(self, settings: Settings, fate: str = "") -> None:
        self._store = open_profiles(settings)
        self.fate = fate

    def replace_standings(self, replaced: Mapping[bytes, tuple[bytes, bytes]]) -> list[bytes]:
        if self.fate == "before":
            raise Killed
        if self.fate == "other":
            self.fate = ""
            return list(replaced)
        self._store.replace_standings(replaced)
        if self.fate == "after":
            raise Killed
        return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_a_standing_that_another_process_changed_is_looked_at_once_more(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    deliver(settings, Fragile(settings, "other"), [event(1, "purchase")])
    key = profile.visitor_key("default", "v1")
    assert list(decode_standing(open_profiles(settings).standings([key])[0]).since) == ["buyers"]


def test_standings_that_never_stand_still_are_an_error_that_is_tried_again(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    store = Fragile(settings)
    store.replace_standings = list  # type: ignore[method-assign, assignment]
    with pytest.raises(ModelError, match="tried again"):
        deliver(settings, store, [event(1, "purchase")])


def deliver(settings: Settings, store: Any, events: Sequence[Event], received_at: int | None = None) -> None:
    """What the follower does with a piece of events."""
    arrivals, watch = Arrivals(settings), AudienceWatch(settings, store)
    updates: dict[bytes, list[profile.Action]] = {}
    for one in events:
        arrival = arrivals.read(encode(one), received_at or now())
        assert arrival
        watch.add(arrival.keys, arrival.event, received_at or now())
        for key in arrival.keys:
            updates.setdefault(key, []).append(arrival.action)
    merged = store.merge(updates)
    try:
        watch.look(merged)
    finally:
        watch.publish(at_once=True)  # what a killed process made durable the next writer publishes


def test_a_store_that_is_made_anew_takes_up_who_belongs_without_a_word(tmp_path: Path) -> None:
    """Also where the history comes in pieces, of which each says something else."""
    settings = settings_with(tmp_path, {"lookers": LOOKERS, "buyers": BUYERS})
    store = open_profiles(settings)
    before = store.began() - 1
    old = [event(number, ago=HOUR) for number in range(3)]
    deliver(settings, store, old, before)
    deliver(settings, store, [event(3, "purchase", ago=HOUR)], before)
    key = profile.visitor_key("default", "v1")
    assert list(decode_standing(store.standings([key])[0]).since) == ["buyers"]
    assert changes(settings) == []
    deliver(settings, store, [event(4)])
    assert changes(settings) == [], "what was taken up is not said"
    deliver(settings, store, [event(5, "purchase", visitor="v2")])
    assert changes(settings) == [("audience_entered", "v2", "buyers")]


DRAWN = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from(["view_item", "purchase", "search"]),
        st.sampled_from([HOUR, 2 * HOUR, 5 * HOUR, 7 * HOUR]),
        st.sampled_from(["v1", "v2"]),
    ),
    max_size=30,
    unique_by=lambda drawn: drawn[0],
)


@hypothesis_settings(max_examples=25)
@given(DRAWN, st.randoms(use_true_random=False))
def test_any_order_duplicates_and_kills_end_in_who_belongs_by_the_whole_history(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, str, int, str]], rng: random.Random
) -> None:
    settings = settings_with(tmp_path_factory.mktemp("lake"), {"lookers": LOOKERS, "buyers": BUYERS})
    events = [event(number, kind, ago, visitor) for number, kind, ago, visitor in drawn]
    left = events + rng.sample(events, len(events) // 2)
    rng.shuffle(left)
    while left:
        piece = left[: rng.randint(1, 6)]
        try:
            deliver(settings, Fragile(settings, rng.choice(["", "", "before", "after", "other"])), piece)
        except Killed:
            continue  # what is not marked comes again
        left = left[len(piece) :]

    expected = set()
    for visitor in ("v1", "v2"):
        recent = [(number, kind) for number, kind, ago, who in drawn if who == visitor and ago < 6 * HOUR]
        bought = any(kind == "purchase" for _, kind in recent)
        if bought:
            expected.add((visitor, "buyers"))
        if not bought and len({number for number, kind in recent if kind == "view_item"}) >= 3:
            expected.add((visitor, "lookers"))
    said = changes(settings)
    last = {(subject, audience): kind for kind, subject, audience in said}
    assert {who for who, kind in last.items() if kind == "audience_entered"} == expected
    standings = open_profiles(settings).standings([profile.visitor_key("default", who) for who in ("v1", "v2")])
    assert {
        (who, name) for who, raw in zip(("v1", "v2"), standings, strict=True) for name in decode_standing(raw).since
    } == expected

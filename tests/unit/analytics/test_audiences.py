"""Who belongs by the tables, and that it is who belongs by the live path."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from analytics.audiences import changes, nightly
from collector.live.audience_watch import AudienceWatch
from nextclick.audiences.standing import decode_standing
from nextclick.contracts.events import SERVER, Event, encode
from nextclick.identity.persons import ACCOUNT
from nextclick.kv import open_profiles
from nextclick.lake import delta
from nextclick.landing.reader import read_segment, segments
from nextclick.profile import profile
from nextclick.profile.live_arrivals import Arrivals
from nextclick.settings import Settings
from orchestration.step_runner import step_runner
from tests.audience_files import BUYERS, LOOKERS, Row, at, event_row, settings_with
from tests.table_rows import write
from tests.wait import now

HOUR = 3_600_000


def change_row(audience: str, kind: str, when: int, **more: Any) -> Row:
    return event_row(
        when, f"audience_{kind}", source=SERVER, properties=[("audience", audience)], event_id=f"{kind}{when}", **more
    ) | {"occurred_at": at(when), "client_time": at(when)}


def look(settings: Settings, *events: Row) -> dict[str, list[str]]:
    """After these rows came to silver.events: by audience who belongs."""
    write(settings.lake, "silver.events", events)
    return again(settings)


def again(settings: Settings) -> dict[str, list[str]]:
    nightly.run(settings)
    return members(settings)


def members(settings: Settings) -> dict[str, list[str]]:
    belongs: dict[str, list[str]] = {}
    for row in rows(settings, "gold.audience_members"):
        belongs.setdefault(row["audience"], []).append(f"{row['subject_kind']} {row['subject_id']}")
    return {name: sorted(who) for name, who in belongs.items()}


def rows(settings: Settings, table: str) -> list[dict[str, Any]]:
    found_rows: list[dict[str, Any]] = delta.require(settings.lake, table).to_pyarrow_table().to_pylist()
    return found_rows


def said(settings: Settings) -> list[Event]:
    lines = [line for segment in segments(settings.lake.landing) for line in read_segment(segment.path)]
    return [msgspec.json.decode(line.payload, type=Event) for line in lines if line.source == SERVER]


def test_who_belongs_by_the_events_and_that_it_is_said_once(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"lookers": LOOKERS, "buyers": BUYERS})
    views = [event_row(number, visitor=visitor) for visitor in ("v1", "v2") for number in range(3)]
    bought = event_row(9, "purchase", visitor="v2", user_id="u2")
    account = event_row(10, "purchase", visitor=f"{ACCOUNT}u3", user_id="u3")
    expected = {"lookers": ["visitor v1"], "buyers": ["user u2", "user u3", "visitor v2"]}
    assert look(settings, *views, bought, account) == expected
    assert sorted((one.event, (one.properties or {})["audience"]) for one in said(settings)) == [
        ("audience_entered", "buyers"),
        ("audience_entered", "buyers"),
        ("audience_entered", "buyers"),
        ("audience_entered", "lookers"),
    ]
    version = delta.require(settings.lake, "gold.audience_members").version()
    assert again(settings) == expected
    assert len(said(settings)) == 4, "what stands is not said again"
    assert delta.require(settings.lake, "gold.audience_members").version() == version


def test_what_time_alone_changes_is_seen_at_night(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    write(
        settings.lake,
        "silver.events",
        [event_row(1, "purchase", ago=7 * HOUR), change_row("buyers", "entered", now() - 7 * HOUR)],
    )
    changes.run(settings)
    assert [(row["subject_id"], row["entered"]) for row in rows(settings, "silver.audience_changes")] == [("v1", True)]
    assert again(settings) == {}
    assert [one.event for one in said(settings)] == ["audience_left"]


def test_since_when_is_what_the_last_change_says(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    entered = now() - HOUR
    write(
        settings.lake, "silver.events", [event_row(1, "purchase", ago=HOUR), change_row("buyers", "entered", entered)]
    )
    changes.run(settings)
    nightly.run(settings)
    assert [row["since"] for row in rows(settings, "gold.audience_members")] == [at(entered)]
    assert said(settings) == []


def test_an_audience_that_is_off_has_nobody_and_a_lake_without_any_no_table(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {})
    write(settings.lake, "silver.events", [event_row(1, "purchase")])
    assert nightly.run(settings).details["reason"]
    assert not delta.exists(settings.lake, "gold.audience_members")
    assert again(settings_with(tmp_path, {"buyers": BUYERS})) == {"buyers": ["visitor v1"]}
    assert again(settings_with(tmp_path, {"buyers": f"off = true\n{BUYERS}"})) == {}
    assert [one.event for one in said(settings)] == ["audience_entered", "audience_left"]


def test_what_gold_says_reaches_the_live_path(tmp_path: Path) -> None:
    audiences = {
        "regulars": 'fact = "orders"\nleast = 2',
        "leaving": 'prediction = "churn"\nof = "decile"\nleast = 9',
        "rich": 'fact = "revenue"\nleast = 30.5',
        "from-email": 'fact = "first_channel"\none_of = "email"',
    }
    settings = settings_with(tmp_path, audiences)
    old = datetime.now(UTC) - timedelta(days=90)
    visit = {
        "site": "default",
        "date": old.date(),
        "visitor_id": "v1",
        "started_at": old,
        "orders": 1,
        "channel": "direct",
    }
    money = [("EUR", Decimal("15.2500"))]
    write(
        settings.lake,
        "gold.visits",
        [
            {**visit, "session_id": "a", "channel": "email", "revenue": money},
            {**visit, "session_id": "b", "started_at": old + timedelta(days=1), "user_id": "u1", "revenue": money},
        ],
    )
    foreseen = {"site": "default", "model": "churn", "subject_kind": "person"}
    write(
        settings.lake,
        "gold.predictions",
        [
            {**foreseen, "subject_id": "u1", "decile": 9, "calibrated": 0.8},
            {**foreseen, "subject_id": "visitor:v9", "decile": 10, "calibrated": 0.9, "subject_kind": "visitor"},
        ],
    )
    assert look(settings) == {
        "regulars": ["visitor v1"],
        "leaving": ["user u1", "visitor v9"],
        "rich": ["visitor v1"],
        "from-email": ["visitor v1"],
    }
    keys = [profile.visitor_key("default", "v1"), profile.person_key("default", "u1")]
    visitor, user = (decode_standing(raw) for raw in open_profiles(settings).standings(keys))
    assert sorted(visitor.since) == ["from-email", "regulars", "rich"]
    assert visitor.night
    assert (visitor.night.orders, visitor.night.revenue, visitor.night.first_channel) == (2, {"EUR": 305_000}, "email")
    assert user.night
    assert user.night.foreseen == {"churn": (0.8, 9)}
    live(settings, Event(event="view_item", event_id="new", client_time=now(), visitor_id="v1"))
    assert sorted(one.event for one in said(settings)) == ["audience_entered"] * 5, "the live path knows it, too"


def test_who_is_gone_from_the_tables_belongs_nowhere(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"regulars": 'not = { fact = "orders", most = 1 }', "buyers": BUYERS})
    write(settings.lake, "silver.events", [change_row("regulars", "entered", now() - HOUR, visitor="erased")])
    changes.run(settings)
    assert again(settings) == {}
    assert [(one.event, one.visitor_id) for one in said(settings)] == [("audience_left", "erased")]


def test_a_live_profile_is_ahead_of_the_tables(tmp_path: Path) -> None:
    """What the live path has seen and silver has not yet is no reason to leave."""
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    live(settings, Event(event="purchase", event_id="new", client_time=now(), visitor_id="v1"))
    assert look(settings, event_row(1)) == {"buyers": ["visitor v1"]}
    assert [one.event for one in said(settings)] == ["audience_entered"]


def test_what_the_live_path_took_up_without_a_word_the_night_says(tmp_path: Path) -> None:
    """Of a history that was imported, or after the live profiles were made anew: v1 was never said, v2 was, and left meanwhile."""
    settings = settings_with(tmp_path, {"buyers": BUYERS, "lookers": LOOKERS})
    store = open_profiles(settings)
    before = store.began() - 1
    live(settings, Event(event="purchase", event_id="e1", client_time=before, visitor_id="v1"), received_at=before)
    write(settings.lake, "silver.events", [change_row("buyers", "entered", before - 7 * HOUR, visitor="v2")])
    changes.run(settings)
    views = [
        Event(event="view_item", event_id=f"n{n}", client_time=now(), visitor_id="v2", item_id=f"i{n}")
        for n in range(3)
    ]
    live(settings, *views)
    assert [(one.event, one.visitor_id) for one in said(settings)] == [("audience_entered", "v2")], "lookers"
    assert look(settings, event_row(1, "purchase")) == {"buyers": ["visitor v1"], "lookers": ["visitor v2"]}
    assert sorted((one.event, one.visitor_id, (one.properties or {})["audience"]) for one in said(settings)) == [
        ("audience_entered", "v1", "buyers"),
        ("audience_entered", "v2", "lookers"),
        ("audience_left", "v2", "buyers"),
    ]
    again(settings)
    assert len(said(settings)) == 3


def test_a_longer_look_back_than_a_profile_has_is_counted_in_the_tables(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"collectors": 'event = "view_item"\nwithin = "60d"\nleast = 70'})
    many = [event_row(number, ago=40 * 24 * HOUR + number) for number in range(69)]
    assert look(settings, *many, event_row(100)) == {"collectors": ["visitor v1"]}
    assert look(settings_with(tmp_path, {"collectors": 'event = "view_item"\nwithin = "60d"\nleast = 71'})) == {}


def test_consent_is_what_live_profiles_ask_for(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    refused = {"analytics": None, "personalization": False, "advertising": None}
    assert look(settings, event_row(1, "purchase", consent=refused)) == {}


@pytest.mark.parametrize(
    ("log", "table"),
    [
        (["+1", "-5", "+9"], ["+1", "-5", "+9"]),
        (["+9", "+1", "-5"], ["+1", "-5", "+9"]),
        (["+1", "+2", "+3"], ["+1"]),
        (["-1", "+2", "-3", "-4", "+5"], ["+2", "-3", "+5"]),
        (["+1", "+1"], ["+1"]),
        ([], []),
    ],
)
def test_a_change_says_other_than_the_one_before_it(tmp_path: Path, log: list[str], table: list[str]) -> None:
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    kinds = {"+": "entered", "-": "left"}
    came = [change_row("buyers", kinds[one[0]], 1_750_000_000_000 + int(one[1:])) for one in log]
    forged = event_row(1, "audience_entered", source="plain", properties=[("audience", "buyers")])
    write(settings.lake, "silver.events", [*came, forged])
    changes.run(settings)
    kept = rows(settings, "silver.audience_changes")
    signs = [("+" if row["entered"] else "-") + str(row["changed_at"].microsecond // 1000) for row in kept]
    assert signs == table
    assert changes.run(settings).written == 0


def live(settings: Settings, *events: Event, received_at: int | None = None) -> None:
    arrivals, store = Arrivals(settings), open_profiles(settings)
    watch = AudienceWatch(settings, store)
    for one in events:
        if arrival := arrivals.read(encode(one), received_at or now()):
            watch.add(arrival.keys, arrival.event, received_at or now())
            watch.look(store.merge({key: [arrival.action] for key in arrival.keys}))
    watch.publish(at_once=True)


DRAWN = st.lists(
    st.tuples(
        st.sampled_from(["view_item", "purchase", "search"]),
        st.sampled_from([HOUR, 2 * HOUR, 7 * HOUR]),
        st.sampled_from(["v1", "v2", "u1"]),
        st.sampled_from([None, "u1", "u2"]),
    ),
    max_size=20,
)


@hypothesis_settings(max_examples=10)
@given(DRAWN, st.randoms(use_true_random=False))
def test_the_night_agrees_with_the_live_path_whatever_came_in_which_order(
    tmp_path_factory: pytest.TempPathFactory, drawn: Iterable[tuple[str, int, str, str | None]], rng: Any
) -> None:
    settings = settings_with(tmp_path_factory.mktemp("lake"), {"lookers": LOOKERS, "buyers": BUYERS})
    table = [
        event_row(number, kind, ago, visitor, user_id=user) for number, (kind, ago, visitor, user) in enumerate(drawn)
    ]
    arrivals = [
        Event(
            event=row["event"], event_id=row["event_id"], client_time=round(row["client_time"].timestamp() * 1000),
            visitor_id=row["visitor_id"], user_id=row["user_id"], item_id=row["item_id"],
        )
        for row in rng.sample(table, len(table)) + rng.sample(table, len(table) // 2)
    ]  # fmt: skip
    live(settings, *arrivals)
    by_event = {(one.visitor_id, one.user_id, (one.properties or {})["audience"]): one.event for one in said(settings)}
    belongs = sorted(
        (name, f"visitor {visitor}" if visitor else f"user {user}")
        for (visitor, user, name), kind in by_event.items()
        if kind == "audience_entered"
    )
    before = len(said(settings))
    at_night = look(settings, *table)
    assert sorted((name, who) for name, whole in at_night.items() for who in whole) == belongs
    assert len(said(settings)) == before, "there was nothing to add"


def test_the_steps_of_a_run_look_at_everybody_from_the_first_night_on(tmp_path: Path) -> None:
    """Before anybody entered, there is no change that a table could hold."""
    settings = settings_with(tmp_path, {"buyers": BUYERS})
    write(settings.lake, "silver.events", [event_row(1, "purchase")])
    for table in ("gold.visits", "gold.predictions"):
        write(settings.lake, table, [])
    steps = step_runner(settings)
    [before], [night] = steps.perform("audience_changes"), steps.perform("audiences")
    assert (before.written, night.read, night.details["buyers"]) == (0, 1, 1)
    assert members(settings) == {"buyers": ["visitor v1"]}


def test_the_steps_of_a_run_without_an_audience_write_nothing(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"off": f"off = true\n{BUYERS}"})
    write(settings.lake, "silver.events", [event_row(1, "purchase")])
    steps = step_runner(settings)
    assert steps.perform("audience_changes")[0].written == 0
    assert steps.perform("audiences")[0].written == 0
    assert not delta.exists(settings.lake, "silver.audience_changes")

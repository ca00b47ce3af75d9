"""Who is due, counted by eye."""

from pathlib import Path
from typing import Any

import pytest

from nextclick.lake import duck
from nextclick.lake.paths import Lake, lake_at
from tests.table_rows import write
from tests.trigger_lake import AT, event, minutes, settings_of, trigger, write_events
from triggers.occasions import occasions
from triggers.occasions.looking import Looking
from triggers.occasions.occasion import Occasion


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_at(tmp_path / "lake")


def due(lake: Lake, minute: float, kind: str = "cart_left", changes: Any = (), **more: Any) -> list[Occasion]:
    with duck.answering(lake, "who is due") as database:
        return occasions(
            Looking(database, settings_of(Path(lake.root)), minutes(minute), tuple(changes)), trigger(kind, **more)
        )


def test_a_cart_is_left_once_nothing_more_was_done_for_half_an_hour(lake: Lake) -> None:
    write_events(
        lake, [event("v", "add_to_cart", 0, "lamp"), event("v", "add_to_cart", 5, "rug"), event("v", "page_view", 10)]
    )
    assert due(lake, 39.9) == []
    [left] = due(lake, 40)
    assert (left.person_id, left.items, left.due_at) == ("visitor:v", ("rug", "lamp"), minutes(40))
    assert due(lake, 300) == [left]
    assert due(lake, 40 + 24 * 60 + 1) == []  # too late


def test_what_was_taken_out_or_bought_is_not_left(lake: Lake) -> None:
    put = [event(visitor, "add_to_cart", 0, item) for visitor in "abcd" for item in ("lamp", "rug")]
    then = [
        event("a", "remove_from_cart", 1, "lamp"),
        event("b", "remove_from_cart", 1, "lamp"),
        event("b", "remove_from_cart", 1, "rug"),
        event("c", "purchase", 2, "lamp", order_id="o"),
        event("d", "purchase", 2, "lamp", quantity=0),  # of no pieces: nothing was bought
    ]
    write_events(lake, [*put, *then])
    assert {each.person_id: each.items for each in due(lake, 60)} == {
        "visitor:a": ("rug",),
        "visitor:d": ("lamp", "rug"),
    }


def test_what_the_system_says_is_nothing_that_the_person_did(lake: Lake) -> None:
    write_events(
        lake, [event("v", "add_to_cart", 0, "lamp"), event("v", "trigger_decision", 20), event("v", "served", 25)]
    )
    assert [each.due_at for each in due(lake, 60)] == [minutes(30)]


def test_a_cart_looked_at_again_is_the_same_and_one_with_more_is_another(lake: Lake) -> None:
    write_events(lake, [event("v", "add_to_cart", 0, "lamp")])
    [first] = due(lake, 40)
    write_events(lake, [event("v", "page_view", 50)])
    assert due(lake, 60) == []
    assert [each.id for each in due(lake, 80)] == [first.id]
    write_events(lake, [event("v", "add_to_cart", 90, "rug")])
    assert {each.id for each in due(lake, 120)} != {first.id}


def test_a_bot_a_refund_and_another_site_leave_no_cart(lake: Lake) -> None:
    write(lake, "silver.user_agents", [{"user_agent": "crawler", "device": "bot", "is_bot": True}])
    write_events(
        lake,
        [
            event("bot", "add_to_cart", 0, "lamp", user_agent="crawler"),
            event("other", "add_to_cart", 0, "lamp", site="elsewhere"),
            event("v", "add_to_cart", 0, "lamp", user_agent="a person"),
            event("v", "refund", 25, "rug"),
        ],
    )
    assert [(each.person_id, each.due_at) for each in due(lake, 60)] == [("visitor:v", minutes(30))]


def test_a_person_buys_on_one_device_what_lies_in_the_cart_of_another(lake: Lake) -> None:
    link = {"kind": "visitor", "user_id": "u", "first_at": AT, "last_at": AT, "site": "default"}
    write(lake, "silver.identities", [{"id": "phone", **link}, {"id": "desk", **link}])
    write_events(lake, [event("phone", "add_to_cart", 0, "lamp"), event("desk", "purchase", 5, "lamp", order_id="o")])
    assert due(lake, 60) == []


def test_silence_begins_with_the_end_of_the_last_visit(lake: Lake) -> None:
    def visit(visitor: str, minute: float) -> dict[str, Any]:
        session = {"session_id": f"{visitor}{minute}", "site": "default", "visitor_id": visitor, "channel": "direct"}
        return session | {"started_at": minutes(minute), "ended_at": minutes(minute + 5)}

    write(lake, "silver.sessions", [visit("gone", 0), visit("back", 0), visit("back", 2 * 1440), visit("long", -2880)])
    day = 1440
    assert due(lake, 3 * day, "silence") == []
    [silent] = due(lake, 3 * day + 5, "silence")
    assert (silent.person_id, silent.due_at) == ("visitor:gone", minutes(3 * day + 5))
    assert [each.person_id for each in due(lake, 5 * day + 5, "silence")] == ["visitor:back"]


def test_an_entry_counts_once_whoever_says_it_again_and_only_while_it_lasts(lake: Lake) -> None:
    def known(who: str, minute: float, entered: bool = True, kind: str = "visitor") -> dict[str, Any]:
        subject = {"site": "default", "audience": "lookers", "subject_kind": kind, "subject_id": who}
        return subject | {"changed_at": minutes(minute), "entered": entered}

    def said(
        who: str, minute: float, kind: str = "audience_entered", audience: str = "lookers", **more: Any
    ) -> dict[str, Any]:
        return event(who, kind, minute, properties=[("audience", audience)], **{"source": "server"} | more)

    day = 1440
    write(
        lake,
        "silver.audience_changes",
        [known("old", -2 * day), known("left", 0), known("left", 5, False), known("u", 3, kind="user")],
    )
    write(
        lake,
        "silver.identities",
        [{"site": "default", "kind": "visitor", "id": "desk", "user_id": "u", "first_at": AT, "last_at": AT}],
    )
    write_events(
        lake,
        [
            said("old", 1),  # again
            said("new", 2),
            said("new", 3),
            said("gone", 2),
            said("gone", 4, "audience_left"),
            said("desk", 1),  # the user's
            said("other", 2, audience="buyers"),
            said("forged", 2, source="plain"),
        ],
    )
    entered = due(lake, 10, "enters_audience", when={"audience": "lookers"})
    assert [(each.person_id, each.due_at) for each in entered] == [("u", minutes(1)), ("visitor:new", minutes(2))]

"""The person behind each event without a JVM: what a plain reading of all links gives."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nextclick.identity.merges import MOST_USERS
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake, lake_at
from nextclick.lake.people import persons
from tests import oracle
from tests.table_rows import write

START = datetime(2026, 1, 1, tzinfo=UTC)


def person_ids(lake: Lake) -> dict[str, str]:
    with duck.connect(lake) as database:
        duck.show(database, "events", lake, "silver.events", delta.open_table(lake, "silver.events"))
        persons.show(database, "person_events", "events", lake)
        return dict(database.execute("SELECT event_id, person_id FROM person_events").fetchall())


def put(lake: Lake, events: list[dict[str, Any]], links: dict[tuple[str, str, str], list[tuple[int, str]]]) -> None:
    times = [row | {"site": "s", "occurred_at": START + timedelta(milliseconds=row["client_time"])} for row in events]
    kept = ("site", "event_id", "event", "visitor_id", "user_id", "occurred_at")
    write(lake, "silver.events", [{name: row[name] for name in kept if name in row} for row in times])
    ends = {(*link, *min(marks), *max(marks)) for link, marks in links.items()}
    write(
        lake,
        "silver.identities",
        [
            {"site": "s", "kind": kind, "id": one, "user_id": user, "last_event_id": last}
            | {"first_at": START + timedelta(milliseconds=first_at), "last_at": START + timedelta(milliseconds=last_at)}
            for kind, one, user, first_at, _, last_at, last in ends
        ],
    )


@pytest.mark.parametrize("seed", range(4))
def test_persons_are_those_of_a_plain_reading(tmp_path: Path, seed: int) -> None:
    """200 events of few visitors and users at few times: shared devices, logins that overlap, merges in chains and circles."""
    draw, events = Random(seed), list[dict[str, Any]]()
    links: dict[tuple[str, str, str], list[tuple[int, str]]] = defaultdict(list)
    for n in range(200):
        visitor, user, at = (
            draw.choice("pqrstuvw"),
            draw.choice(["a", "b", "c", "visitor:d", None, None, None]),
            draw.randrange(40),
        )
        event: dict[str, Any] = {
            "event_id": f"e{n:03}",
            "event": "click",
            "visitor_id": visitor,
            "user_id": user,
            "client_time": at,
        }
        mark = (at, event["event_id"])
        if user and draw.random() < 0.1:
            previous = draw.choice("abcp")
            event |= {"event": "alias", "properties": {"previous_id": previous}}
            links["visitor", previous, user].append(mark)
            if previous != user:
                links["alias", previous, user].append(mark)
        elif user:
            links["visitor", visitor, user].append(mark)
        events.append(event)
    put(lake := lake_at(tmp_path), events, links)
    forms = {"visitor:d": "user:visitor:d"}
    assert person_ids(lake) == {event: forms.get(person, person) for event, person in oracle.persons(events).items()}


def test_an_id_of_too_many_users_is_nobodys(tmp_path: Path) -> None:
    anonymous = [
        {"event_id": one, "event": "click", "visitor_id": one, "client_time": 99} for one in ("kiosk", "family")
    ]
    counts = {"kiosk": MOST_USERS + 1, "family": MOST_USERS}
    links = {("visitor", one, f"u{n:02}"): [(n, "e")] for one, count in counts.items() for n in range(count)}
    put(lake := lake_at(tmp_path), anonymous, links)
    assert person_ids(lake) == {"kiosk": "visitor:kiosk", "family": f"u{MOST_USERS - 1}"}


def test_an_account_without_a_device_is_its_user_also_where_no_row_says_so(tmp_path: Path) -> None:
    rows = [
        {"event_id": one, "event": "click", "visitor_id": one, "client_time": 1}
        for one in (" user:4242", "4242", " user:a")
    ]
    put(lake := lake_at(tmp_path), rows, {("alias", "a", "b"): [(1, "e")]})
    assert person_ids(lake) == {" user:4242": "4242", "4242": "visitor:4242", " user:a": "b"}

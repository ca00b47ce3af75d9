"""Live profiles beside silver's rows, without a JVM: an account that has no device has a profile of its own alone."""

import json
from datetime import UTC, datetime
from pathlib import Path

from expectations.measures import live_profiles
from nextclick.identity.persons import ACCOUNT
from nextclick.kv import open_profiles
from nextclick.profile.live_arrivals import Arrivals
from nextclick.settings import load
from tests.table_rows import seq, write

AT = 1_767_139_200_000
WHEN = datetime.fromtimestamp(AT / 1000, UTC)


def test_an_account_without_a_device_is_no_visitor(tmp_path: Path) -> None:
    """A device 4242 viewed a lamp; so did user 4242, once on a device and once by an event that names none."""
    settings = load(tmp_path / "lake", profile="test", environ={"NEXTCLICK_LIVE__KEEP_DAYS": "3650"})
    settings.lake.prepare()
    sent = [
        {"event_id": "a", "visitor_id": "4242"},
        {"event_id": "b", "visitor_id": "phone", "user_id": "4242"},
        {"event_id": "c", "user_id": "4242"},
    ]
    events = [{"event": "view_item", "item_id": "lamp", "client_time": AT, **event} for event in sent]
    arrivals, store = Arrivals(settings), open_profiles(settings)
    for event in events:
        if arrival := arrivals.read(json.dumps(event).encode(), AT):
            store.merge({key: [arrival.action] for key in arrival.keys})
    stamps = {"site": "default", "received_at": WHEN}
    write(
        settings.lake,
        "bronze.events",
        [
            {"seq": seq(n), "payload": json.dumps(event), "intact": True, "received_at": WHEN}
            for n, event in enumerate(events)
        ],
    )
    times = {"client_time": WHEN, "occurred_at": WHEN, **stamps}
    write(
        settings.lake,
        "silver.events",
        [
            {**event, "visitor_id": event.get("visitor_id", f"{ACCOUNT}4242"), "seq": seq(n), **times}
            for n, event in enumerate(events)
        ],
    )
    write(settings.lake, "silver.quarantine", [])
    found = live_profiles.run(settings)
    assert (found.profiles, found.differ, found.named) == (3, 0, [])

"""Collectors that are killed under load: who entered an audience is in the landing log, in the standings, and for the night."""

import random
import signal
import time
from pathlib import Path

import msgspec
import pytest

from analytics.audiences import changes, nightly
from nextclick.audiences.standing import decode_standing
from nextclick.contracts.events import Event
from nextclick.kv import open_profiles
from nextclick.lake import delta
from nextclick.landing.reader import read_segment, segments
from nextclick.profile import profile
from nextclick.settings import Settings
from tests.audience_files import at, settings_with
from tests.collector_process import collecting
from tests.integration.test_live import QUICK, Load, from_log, is_caught_up
from tests.table_rows import write
from tests.wait import wait_until

LOOKERS = 'event = "view_item"\nof = "items"\nwithin = "6h"\nleast = 3'
BUYERS = 'event = "purchase"\nwithin = "6h"'


def landed(settings: Settings) -> list[tuple[Event, str, int]]:
    """Everything in the landing log, with its source and arrival."""
    lines = [line for segment in segments(settings.lake.landing) for line in read_segment(segment.path)]
    return [(msgspec.json.decode(line.payload, type=Event), line.source or "", line.received_at or 0) for line in lines]


def begun(load: Load) -> None:
    wait_until(lambda: load.acknowledged > 2)


def killed_under_load(folder: Path, times: int, seed: int) -> None:
    draw, settings = random.Random(seed), settings_with(folder, {"lookers": LOOKERS, "buyers": BUYERS})
    here = QUICK | {"NEXTCLICK_CONF_DIR": str(settings.conf_dir)}
    for number in range(times):
        with collecting(settings.lake.root, **here) as collector:
            load = Load(collector, str(number))
            begun(load)
            time.sleep(draw.uniform(0.1, 0.6))
            collector.stop(signal.SIGKILL)
            load.stop()
    with collecting(settings.lake.root, **here):
        wait_until(lambda: bool(from_log(settings)) and is_caught_up(settings))
    expected = {key for key, one in from_log(settings).items() if len({action.item for action in one.actions}) >= 3}
    assert expected
    keys = list(from_log(settings))
    standings = dict(zip(keys, open_profiles(settings).standings(keys), strict=True))
    assert {key for key, raw in standings.items() if "lookers" in decode_standing(raw).since} == expected
    into_silver(settings)
    changes.run(settings)
    nightly.run(settings)
    rows = delta.require(settings.lake, "silver.audience_changes").to_pyarrow_table().to_pylist()
    keys_of = {"visitor": profile.visitor_key, "user": profile.person_key}
    entered = [keys_of[row["subject_kind"]]("default", row["subject_id"]) for row in rows if row["entered"]]
    assert sorted(entered) == sorted(expected), "each is there once"
    assert len(rows) == len(entered), "nobody left"
    members = delta.require(settings.lake, "gold.audience_members").to_pyarrow_table().to_pylist()
    assert {(row["audience"], row["subject_kind"], row["subject_id"], row["since"]) for row in members} == {
        ("lookers", row["subject_kind"], row["subject_id"], row["changed_at"]) for row in rows
    }


def into_silver(settings: Settings) -> None:
    """The log as the stream would bring it: the first arrival of each event."""
    known = dict[tuple[str, int], object]()
    for event, source, received_at in landed(settings):
        times = {"client_time": at(event.client_time), "occurred_at": at(event.occurred_at or event.client_time)}
        row = {
            "site": event.site or "default", "event": event.event, "event_id": event.event_id, "item_id": event.item_id,
            "visitor_id": event.visitor_id or f" user:{event.user_id}", "user_id": event.user_id, "source": source,
            "received_at": at(received_at), "properties": list((event.properties or {}).items()), **times,
        }  # fmt: skip
        known.setdefault((event.event_id, event.client_time), row)
    write(settings.lake, "silver.events", known.values())  # type: ignore[arg-type]


def test_after_a_kill_under_load_each_who_entered_did_so_once(tmp_path: Path) -> None:
    killed_under_load(tmp_path, 1, seed=3)


@pytest.mark.stress
def test_after_ten_kills_under_load_each_who_entered_did_so_once(tmp_path: Path) -> None:
    killed_under_load(tmp_path, 10, seed=4)

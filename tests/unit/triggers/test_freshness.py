"""Up to when silver knows what happened."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings
from tests.table_rows import seq, write
from tests.trigger_lake import AT, event, minutes, settings_of, write_events
from triggers.freshness import known_until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = settings_of(tmp_path, settle_seconds=60.0)
    write_events(settings.lake, [event("v", "page_view", 5)])
    return settings


def bronze(settings: Settings, segment: str) -> None:
    write(
        settings.lake,
        "bronze.events",
        [{"seq": seq(0, segment), "received_at": minutes(5), "payload": "{}", "intact": True}],
    )


def landed(settings: Settings) -> str:
    """The name of a segment that was published now."""
    names: list[str] = []
    with SegmentWriter(settings.lake.landing, settings.landing, names.append) as writer:
        writer.append(b"{}", "plain", 0)
    return names[0]


def test_of_a_lake_without_events_nothing_is_known(tmp_path: Path) -> None:
    assert known_until(settings_of(tmp_path), AT) is None


def test_where_all_that_arrived_is_in_silver_it_is_now_but_for_what_still_settles(settings: Settings) -> None:
    assert known_until(settings, minutes(300)) == minutes(299)
    bronze(settings, landed(settings))
    assert known_until(settings, minutes(300)) == minutes(299)


def test_where_something_waits_it_is_the_newest_arrival(settings: Settings) -> None:
    bronze(settings, landed(settings))
    landed(settings)
    assert known_until(settings, minutes(300)) == minutes(5)


def test_what_bronze_has_and_silver_has_not_waits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    bronze(settings, landed(settings))
    taken: list[Any] = [-1]
    monkeypatch.setattr("triggers.freshness.taken_version", lambda *_: taken[0])
    assert known_until(settings, minutes(300)) == minutes(5)
    taken[0] = 0
    assert known_until(settings, minutes(300)) == minutes(299)


def test_what_lies_in_kafka_cannot_be_seen(settings: Settings) -> None:
    streaming = msgspec.structs.replace(settings.streaming, source="kafka")
    assert known_until(msgspec.structs.replace(settings, streaming=streaming), minutes(300)) == minutes(5)

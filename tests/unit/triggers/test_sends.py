"""Decisions in silver.events → silver.sends."""

from pathlib import Path
from typing import Any

import pytest

from nextclick.lake import commits, delta
from nextclick.settings import Settings
from tests.table_rows import write
from tests.trigger_lake import minutes, settings_of
from triggers import sends
from triggers.decision_log import as_event
from triggers.outbox.schema import TriggerDecision, ms


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(tmp_path)


def decided(send_id: str, outcome: str, minute: float, tries: int = 1) -> dict[str, Any]:
    """A decision as silver.events has it."""
    decision = TriggerDecision(
        id=send_id, trigger="t", site="default", person_id="visitor:v", visitor_id="v", user_id=None, due_at=ms(minutes(0)),
        expires_at=ms(minutes(60)), decided_at=ms(minutes(1)), holdout=0.1, window_s=3600, items='["lamp","rug"]', payload=None,
        outcome=outcome, ended_at=ms(minutes(minute)), error="HTTP 400" if outcome == "failed" else None, tries=tries,
    )  # fmt: skip
    event = as_event(decision)
    stamps = {"client_time": minutes(1), "occurred_at": minutes(minute), "received_at": minutes(minute)}
    return {
        "event": event.event, "event_id": event.event_id, "site": event.site, "visitor_id": event.visitor_id, "source": "server",
        "channel": "direct", "properties": list((event.properties or {}).items()), **stamps,
    }  # fmt: skip


def rows(settings: Settings) -> list[dict[str, Any]]:
    return sorted(
        delta.require(settings.lake, "silver.sends").to_pyarrow_table().to_pylist(), key=lambda row: str(row["send_id"])
    )


def test_a_decision_is_a_row_with_times_and_items(settings: Settings) -> None:
    write(settings.lake, "silver.events", [decided("a", "sent", 5), {"event": "page_view"}])
    assert sends.run(settings).written == 1
    assert rows(settings) == [
        {
            "site": "default", "send_id": "a", "trigger": "t", "person_id": "visitor:v", "visitor_id": "v", "outcome": "sent",
            "due_at": minutes(0), "decided_at": minutes(1), "ended_at": minutes(5), "holdout": 0.1, "window_s": 3600, "tries": 1,
            "items": ["lamp", "rug"], "error": None,
        }
    ]  # fmt: skip


@pytest.mark.parametrize("most", [commits.MOST_MERGED, 2])
def test_what_was_sent_stays_sent_and_a_later_failure_wins_over_an_earlier_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(commits, "MOST_MERGED", most)  # two make three rows two merges
    lake = settings.lake
    write(
        lake, "silver.events", [decided("a", "failed", 5, 12), decided("b", "failed", 5), decided("c", "held_out", 5)]
    )
    sends.run(settings)
    write(lake, "silver.events", [decided("a", "sent", 9), decided("b", "failed", 8, 7)])
    assert sends.run(settings).written == 2
    write(
        lake, "silver.events", [decided("a", "failed", 5, 12)]
    )  # a copy, such as of an older file that was joined with others
    assert sends.run(settings).written == 0
    assert [(row["send_id"], row["outcome"], row["tries"], row["error"]) for row in rows(settings)] == [
        ("a", "sent", 1, None), ("b", "failed", 7, "HTTP 400"), ("c", "held_out", 1, None),
    ]  # fmt: skip


def test_called_twice_it_reads_nothing_and_made_anew_it_is_the_same(settings: Settings) -> None:
    lake = settings.lake
    write(lake, "silver.events", [decided("a", "sent", 5), decided("b", "capped", 5)])
    sends.run(settings)
    before, version = rows(settings), delta.require(lake, "silver.sends").version()
    assert sends.run(settings).read == 0
    write(lake, "silver.events", [decided("b", "capped", 5), decided("a", "sent", 5)], mode="overwrite")
    assert sends.run(settings).written == 0
    assert rows(settings) == before
    assert delta.require(lake, "silver.sends").version() == version + 1  # it knows how far it read


def test_only_the_servers_word_counts(settings: Settings) -> None:
    write(settings.lake, "silver.events", [decided("a", "sent", 5) | {"source": "plain"}])
    assert sends.run(settings).written == 0
    assert rows(settings) == []

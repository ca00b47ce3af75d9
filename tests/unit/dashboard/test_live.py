"""What arrives is counted once, while it is written and after its segment was published, and no longer than half an hour."""

import json
from pathlib import Path

from dashboard.live import LiveWindow
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings, load

START = 1_767_225_600_000
"""2026-01-01, in milliseconds."""


def event(kind: str, visitor: str, page: str) -> bytes:
    return json.dumps({"event": kind, "site": "shop", "visitor_id": visitor, "page_url": page}).encode()


def test_what_is_being_written_counts_and_counts_once(tmp_path: Path) -> None:
    settings: Settings = load(tmp_path, profile="test", environ={})
    now = START / 1000 + 60
    window = LiveWindow(settings.lake.landing, lambda: now)
    assert window.look()["events"] == 0
    with SegmentWriter(settings.lake.landing, settings.landing) as writer:
        writer.append(event("page_view", "a", "https://x/a?secret=1"), "plain", START)
        writer.append(event("page_view", "b", "https://x/a#b"), "plain", START + 59_000)
        writer.append(b"[no event", "plain", START)
        writer.sync()
        now += 2
        seen = window.look()
        assert (seen["events"], seen["visitors"], seen["pages"]) == (2, 2, [("https://x/a", 2)])
        assert seen["minutes"][-2:] == [(START, 2), (START + 60_000, 0)]
        writer.append(event("purchase", "a", "https://x/b"), "plain", START + 61_000)
    now += 2
    assert (window.look()["events"], window.look()["visitors"]) == (3, 2)
    now += 29 * 60
    assert window.look()["kinds"] == [("purchase", 1)]
    now += 60
    assert window.look()["events"] == 0

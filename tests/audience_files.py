"""Settings whose conf/ has audiences of a test, and rows of silver.events for them."""

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nextclick.settings import DEFAULT_CONF, Settings, load
from tests.wait import now

Row = dict[str, Any]
BUYERS = 'event = "purchase"\nwithin = "6h"'
LOOKERS = """
all = [
    { event = "view_item", of = "items", within = "6h", least = 3 },
    { not = { event = "purchase", within = "6h" } },
]
"""


def settings_with(folder: Path, audiences: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Settings:
    """Of a lake below `folder`, with these audiences and no other."""
    conf = folder / "conf"
    if not conf.exists():
        shutil.copytree(DEFAULT_CONF, conf, ignore=shutil.ignore_patterns("audiences", "mappings"))
    (conf / "audiences").mkdir(exist_ok=True)
    for old in (conf / "audiences").iterdir():
        old.unlink()
    for name, text in audiences.items():
        (conf / "audiences" / f"{name}.toml").write_text(f'meaning = "{name}"\n{text}', encoding="utf-8")
    settings = load(folder / "lake", conf_dir=conf, profile="test", environ=environ or {})
    settings.lake.prepare()
    return settings


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def event_row(number: int, kind: str = "view_item", ago: int = 1000, visitor: str = "v1", **more: Any) -> Row:
    when = at(now() - ago)
    times = {"client_time": when, "occurred_at": when, "received_at": when}
    return {
        "event": kind,
        "event_id": f"e{number}",
        "visitor_id": visitor,
        "site": "default",
        "item_id": f"i{number}",
        **times,
        **more,
    }

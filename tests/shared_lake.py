"""A small lake that is shared with partners: what they may see, and what must never leave."""

import shutil
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from nextclick.lake.paths import Lake
from nextclick.settings import DEFAULT_CONF, Settings, load
from tests.conftest import LAKE
from tests.table_rows import write

SECRET: Final = "never-leaves"
CONF: Final = """
[shares.acme]
recipients = ["acme"]
sites = ["shop"]
[shares.acme.tables]
"gold.visits" = ["date", "session_id", "channel"]
"report.traffic" = ["date", "channel", "visits"]

[shares.all]
recipients = ["own", "acme"]
history = true
[shares.all.tables]
"gold.item_daily" = ["item_id", "views", "revenue", "date"]

[shares.other]
recipients = ["other"]
[shares.other.tables]
"gold.visits" = ["session_id"]
""".replace("session_id", "session_id")


def fill(lake: Lake) -> None:
    """Visits of two days and two sites; items in two commits."""
    for day, number in ((1, 2), (2, 3)):
        write(
            lake,
            "gold.visits",
            [_visit(day, f"{day}-{n}", "shop", "email") for n in range(number)] + [_visit(day, f"x{day}", SECRET, "x")],
        )
    write(lake, "gold.item_daily", [_item(1, "a", 5), _item(2, "b", 7)])
    write(lake, "gold.item_daily", [_item(2, "c", 1)])


def _visit(day: int, session: str, site: str, channel: str) -> dict[str, object]:
    hidden = {"visitor_id": f"{SECRET}-{session}", "entry_page": f"/{SECRET}"}
    return {"date": date(2026, 1, day), "session_id": session, "site": site, "channel": channel, **hidden}


def _item(day: int, item: str, views: int) -> dict[str, object]:
    facts = {"item_id": item, "views": views, "revenue": [("EUR", views)], "site": "shop"}
    return {"date": date(2026, 1, day), **facts}


def settings_of(folder: Path, conf: str = CONF, **sharing: object) -> Settings:
    """Settings of a lake in `folder`, with this conf/shares.toml."""
    shutil.copytree(DEFAULT_CONF, folder / "conf")
    (folder / "conf" / "shares.toml").write_text(conf, encoding="utf-8")
    settings = load(folder / LAKE, folder / "conf", profile="test", environ={})
    return msgspec.structs.replace(settings, sharing=msgspec.structs.replace(settings.sharing, **sharing))

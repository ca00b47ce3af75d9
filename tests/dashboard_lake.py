"""A small lake for the dashboard's pages, whose figures a reader counts."""

from datetime import date, timedelta
from typing import Any

from nextclick.lake.paths import Lake
from tests.table_rows import write

LAST = date(2026, 1, 28)
"""Its newest day; with the 27 before it, what pages show if nobody says."""
HOSTILE = "</script><img src=x onerror=alert(1)>"


def _visit(back: int, visitor: str, channel: str, **fields: Any) -> dict[str, Any]:
    day = LAST - timedelta(back)
    return {
        "date": day,
        "session_id": f"{visitor}{back}",
        "visitor_id": visitor,
        "channel": channel,
        "site": "shop",
    } | fields


VISITS = [
    _visit(0, "a", "email", is_bounce=False, views=4, orders=1, revenue=[("EUR", 40)]),
    _visit(0, "b", HOSTILE, is_bounce=True, views=1, orders=0),
    _visit(1, "a", "email", is_bounce=False, views=2, orders=0),
    _visit(3, "c", "direct", is_bounce=False, views=3, orders=0),
    _visit(30, "a", "email", is_bounce=True, views=1, orders=0),
]
"""Four visits of three visitors in the range, and one in that before."""


def fill(lake: Lake) -> None:
    write(lake, "gold.visits", VISITS)
    days = {(row["date"], row["visitor_id"]) for row in VISITS}
    write(
        lake,
        "gold.visitor_days",
        [{"date": day, "visitor_id": visitor, "site": "shop"} for day, visitor in sorted(days)],
    )
    pages = [("/", 6, 3), ("/a", 3, 1), (HOSTILE, 1, 0)]
    write(
        lake,
        "gold.page_daily",
        [
            {"date": LAST, "site": "shop", "page": page, "views": views, "entries": entries}
            for page, views, entries in pages
        ],
    )

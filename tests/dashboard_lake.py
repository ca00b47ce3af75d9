"""Small lakes for the dashboard's pages, whose figures a reader counts."""

import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from nextclick.lake.paths import Lake
from nextclick.settings import CHECKOUT
from serving.bandits import state
from serving.bandits.methods import Arm
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


def fill_all(lake: Lake) -> None:
    """With what a shop has whose recommender is live, and which has troubles: something for every page."""
    fill(lake)
    write(lake, "gold.recommendation_performance", _PERFORMANCE)
    write(lake, "gold.model_daily", _FIGURES)
    write(lake, "gold.attribution_daily", _CREDIT)
    write(lake, "silver.events", _experiment_events())
    write(lake, "gold.data_quality", _CHECKS)
    write(lake, "silver.quarantine", _REJECTS)
    write(lake, "gold.anomalies", _ANOMALIES)
    state.write(
        lake,
        state.State(
            version=3, bandits={"banner:home": {"summer": Arm(trials=200, rewards=30), HOSTILE: Arm(trials=4)}}
        ),
    )


def conf_with_experiment(folder: Path) -> Path:
    """The checkout's conf/ with an experiment of the lake's days."""
    conf = Path(shutil.copytree(CHECKOUT / "conf", folder / "conf"))
    (conf / "experiments" / "colour.toml").write_text(_EXPERIMENT)
    return conf


_EXPERIMENT: Final = """
site = "shop"
start = 2026-01-05T00:00:00Z
stop = 2026-01-20T00:00:00Z

[[variants]]
name = "grey"

[[variants]]
name = "red"
"""
_ANOMALIES: Final = [
    {
        "site": "shop", "kind": kind, "subject": subject, "state": state, "step_start": at, "step_end": at, "observed": 5,
        "expected": 1234.4, "severity": "alarm",
    }
    for kind, subject, state, at in (
        ("traffic", "events", "closed", datetime(2026, 1, 20, tzinfo=UTC)),
        ("click_flood", HOSTILE, "open", datetime(2025, 1, 20, tzinfo=UTC)),
    )
]  # fmt: skip
_PERFORMANCE: Final = [
    {
        "date": LAST - timedelta(back), "site": "shop", "surface": "home", "experiment": "none", "variant": "none",
        "model_version": "3", "position": position, "served": 100, "shown": 80, "clicks": 40 // position, "revenue": [("EUR", 5)],
    }
    for back in range(5)
    for position in (1, 2, 10)
]  # fmt: skip


def _figure(version: str, metric: str, value: float, **ends: float) -> dict[str, Any]:
    return {
        "date": LAST,
        "site": "shop",
        "model_version": version,
        "metric": metric,
        "segment": "all",
        "value": value,
        "n": 50,
    } | ends


_FIGURES: Final = [
    _figure("3", "offline_recall_at_20", 0.2, low=0.15, high=0.26),
    _figure("popular", "offline_recall_at_20", 0.1, low=0.05, high=0.14),
    _figure("3", "offline_ndcg_at_20", 0.12),
    _figure("3", "offline_recall_at_20", 0.18) | {"date": LAST - timedelta(1), "model_version": "2"},
    _figure("3", "online_clicks_per_foreseen", 1.25, low=0.9, high=1.6),
]
"""Version 3 finds twice what popularity does; of NDCG nobody measured popularity's."""
_CREDIT: Final = [
    {
        "date": LAST, "site": "shop", "goal": "purchase", "rule": rule, "channel": channel, "currency": "EUR",
        "conversions": Decimal(number), "revenue": Decimal(10 * number),
    }
    for rule, channel, number in (("last", "direct", 3), ("last_non_direct", "email", 2), ("last_non_direct", "direct", 1))
]  # fmt: skip


def _experiment_events() -> list[dict[str, Any]]:
    """Each of six days 20 visitors see grey and 20 red; a tenth of grey and half of red click."""
    rows: list[dict[str, Any]] = []
    for number in range(240):
        variant, at = ("grey", "red")[number % 2], datetime(2026, 1, 6 + number // 40, 12, tzinfo=UTC)
        clicks = number % 20 == 0 if variant == "grey" else number % 4 == 1
        kinds = ["served", "impression", *(["click"] if clicks else [])]
        rows += [
            {
                "event": kind, "event_id": f"{kind}{number}", "site": "shop", "visitor_id": f"v{number}", "request_id": f"r{number}",
                "source": "server" if kind == "served" else "plain", "occurred_at": at + timedelta(minutes=minute), "received_at": at,
                "experiment": "colour" if kind == "served" else None, "variant": variant if kind == "served" else None,
            }
            for minute, kind in enumerate(kinds)
        ]  # fmt: skip
    late = datetime(2026, 1, 13, tzinfo=UTC)
    return [*rows, {"event": "page_view", "event_id": "late", "site": "shop", "occurred_at": late, "received_at": late}]


def _check(table: str, name: str, success: bool, observed: str | None, **more: Any) -> dict[str, Any]:
    said = {
        "table_name": table,
        "table_id": "t",
        "table_version": 0,
        "kind": "check",
        "expectation": name,
        "meaning": f"{name} holds.",
    }
    return said | {"severity": "stop", "success": success, "observed": observed, "checked_at": NOON_OF_CHECKS} | more


NOON_OF_CHECKS: Final = datetime(2026, 1, 28, 12, tzinfo=UTC)
_CHECKS: Final = [
    _check("silver.events", "residual", True, None),
    _check("silver.events", "key_unique", False, "2 keys twice"),
    _check("gold.visits", "types", False, HOSTILE),
    _check(
        "gold.visits",
        "types",
        False,
        HOSTILE,
        kind="override",
        actor="Ada",
        reason="a test shop",
        checked_at=NOON_OF_CHECKS + timedelta(hours=1),
    ),
]
"""A stop that stands, and one that Ada overrode."""
_REJECTS: Final = [
    {
        "seq": {"batch": 0, "segment": "s", "position": position}, "origin": "door", "reason": reason, "message": f"{reason} at {position}",
        "payload": payload, "source": "plain", "received_at": NOON_OF_CHECKS + timedelta(minutes=position),
    }
    for position, (reason, payload) in enumerate(
        [("bad_type", HOSTILE), ("bad_type", "1"), ("bad_type", "2"), ("bad_type", "latest"), ("too_large", "x" * 5_000)]
    )
]  # fmt: skip

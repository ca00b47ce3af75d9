"""What the detectors see: traffic on the clicks of a news portal, which has a real hole; bots by behaviour on a real access log.

    nextclick bench anomalies [globo|weblogs] [--json]

The hole: on 5 October 2017 from 05:30Z to 08:45Z the portal's clicks are missing. Hours are injected as well: four quarters, drawn on
days 6 to 12, times a factor, drawn anew as a Poisson. A bot of the log is a visitor whose user agent crawler-user-agents lists; the
detector sees what they asked for, never the agent, and scores each visitor by models that learned from other addresses; or from other
networks, which is what a lake can do, since it keeps no whole address.
"""

import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from crawleruseragents import is_crawler
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.measure import ratio
from collector.access_logs.reading import LogReading
from ml.anomalies import behaviour, traffic
from ml.anomalies.traffic import Floats
from nextclick.contracts.events import Event
from nextclick.errors import UsageError
from nextclick.settings import load

QUARTER_MS: Final = 900_000
START: Final = int(datetime(2017, 10, 1, 3, tzinfo=UTC).timestamp()) * 1000
DAYS: Final = 13
HOLE: Final = range(394, 407)
"""Quarters of an hour from the start."""
THRESHOLD: Final = 6.0
FACTORS: Final = {"×3": 3.0, "÷3": 1 / 3, "÷5": 1 / 5}
_PERIOD: Final = 96
_TRIES: Final = 100
_CLICKS: Final = """
SELECT quarter, sum(clicks)::DOUBLE, sum(clicks * clicks)::DOUBLE FROM (
    SELECT user_id, (click_timestamp - $start) // $quarter AS quarter, count(*) AS clicks FROM read_csv($files, header = true)
    WHERE click_timestamp >= $start AND click_timestamp < $end GROUP BY ALL
) GROUP BY quarter
"""
ALL, SOME = "all", f"{behaviour.LEAST} requests or more"
_TEXTS: Final = ("site", "visitor_id", "event", "page_url", "referrer", "item_id", "ip")
_REQUESTS: Final = pa.schema(
    [
        *((name, pa.string()) for name in _TEXTS),
        ("occurred_at", pa.timestamp("us", "UTC")),
        ("is_bot", pa.bool_()),
        ("dwell_ms", pa.int64()),
        ("scroll_pct", pa.float64()),
        ("properties", pa.map_(pa.string(), pa.string())),
    ]
)


def globo(folder: Path) -> dict[str, Any]:
    """The hole, false episodes, and injected hours."""
    files = sorted(map(str, folder.glob("clicks_hour_*.csv*")))
    if not files:
        raise UsageError(f"{folder} holds no clicks_hour_*.csv.gz. Name the folder of the Globo clicks.")
    span = {"start": START, "end": START + DAYS * _PERIOD * QUARTER_MS, "quarter": QUARTER_MS}
    with duckdb.connect(config={"threads": 1}) as database:
        quarter, sums, squares = database.execute(_CLICKS, {**span, "files": files}).fetchnumpy().values()
    clicks = np.zeros(DAYS * _PERIOD)
    clicks[quarter] = sums
    unit = float(squares.sum() / sums.sum())
    return _of_hole(clicks, unit) | {
        "injected": {name: _injected(clicks, unit, each) for name, each in FACTORS.items()}
    }


def _of_hole(clicks: Floats, unit: float) -> dict[str, Any]:
    z = traffic.judge(traffic.counts(clicks, unit), _PERIOD, THRESHOLD).z
    seen = [step for step in HOLE if z[step] < -THRESHOLD]
    others = [one for one in traffic.episodes(z, THRESHOLD) if one.end <= HOLE.start or one.first >= HOLE.stop]
    days = (len(clicks) - traffic.BELIEVED * _PERIOD - len(HOLE)) / _PERIOD
    return {
        "hole_steps": len(seen),
        "hole_first_step": seen[0] - HOLE.start if seen else None,
        "false_episodes": len(others),
        "false_steps": sum(one.end - one.first for one in others),
        "days": days,
        "false_episodes_in_3_days": 3 * len(others) / days,
    }


def _injected(clicks: Floats, unit: float, factor: float) -> dict[str, float | None]:
    """In how many of the tries a step of the hour alarmed, and after how many quarters, on average of those."""
    rng = np.random.default_rng(0)
    delays = []
    for at in rng.integers(6 * _PERIOD, 12 * _PERIOD, _TRIES).tolist():
        hour = clicks[at - 5 * _PERIOD : at + 4].copy()
        hour[-4:] = rng.poisson(hour[-4:] * factor)
        z = traffic.judge(traffic.counts(hour, unit), _PERIOD, THRESHOLD).z
        alarms = np.flatnonzero(np.abs(z[-4:]) > THRESHOLD)
        delays += alarms[:1].tolist()
    return {"share": len(delays) / _TRIES, "quarters": float(np.mean(delays)) if delays else None}


def weblogs(folder: Path) -> dict[str, Any]:
    """How well behaviour tells bots."""
    files = sorted(folder.glob("apache-combined*"))
    if not files:
        raise UsageError(f"{folder} holds no apache-combined*.log.gz. Name the folder of the access log.")
    return {
        f"{who}, folds by {apart}": figures
        for apart, is_whole in (("address", True), ("network", False))
        for who, figures in _scored(requests(files[0], is_whole)).items()
    }


def _scored(log: pa.Table) -> dict[str, dict[str, float]]:
    with duckdb.connect(config={"threads": 1}) as database:
        database.register("requests", log)
        database.execute("CREATE VIEW acts AS SELECT *, CAST(occurred_at AS DATE) AS day FROM requests")
        those = behaviour.visitors(database, "", least=1)
    scores = behaviour.scores(those)
    if scores is None:
        raise UsageError("All bots of the log share an address: nothing can be learned of them.")
    many = those.features[:, [*behaviour.FEATURES].index("requests")] >= behaviour.LEAST
    return {name: _figures(those.is_bot[which], scores[which]) for name, which in ((ALL, many | True), (SOME, many))}


def _figures(is_bot: np.ndarray[Any, Any], scores: Floats) -> dict[str, float]:
    return {
        "visitors": len(scores),
        "bots": float(is_bot.mean()),
        "auc": float(roc_auc_score(is_bot, scores)),
        "pr_auc": float(average_precision_score(is_bot, scores)),
    }


def requests(log: Path, is_whole: bool) -> pa.Table:
    """The lines of an access log as `nextclick import` makes events of them, with the columns that behaviour is told by.

    `is_whole`: with the whole address in the place of its network, which is all that a lake keeps.
    """
    return pa.Table.from_pylist([*_events(log, is_whole)], _REQUESTS)


def _events(log: Path, is_whole: bool) -> Iterator[Mapping[str, Any]]:
    decode = msgspec.json.Decoder(Event).decode
    with tempfile.TemporaryDirectory() as folder:
        settings = load(folder, environ={"NEXTCLICK_ACCESS_LOGS__ROTATE_HOURS": "24"})
        reading = LogReading(settings, "combined", "")
        payload = reading.to_payload(log)
        for batch in reading.open(log).batches(0, 10_000):
            for row in batch.rows:
                if isinstance(row, dict):
                    yield _row(decode(payload(row))) | ({"ip": row["address"]} if is_whole else {})


def _row(event: Event) -> dict[str, Any]:
    texts = {name: getattr(event, name) for name in (*_TEXTS, "dwell_ms", "scroll_pct")}
    return texts | {
        "occurred_at": datetime.fromtimestamp((event.client_time or 0) / 1000, UTC),
        "is_bot": is_crawler(event.user_agent or ""),
        "properties": [*(event.properties or {}).items()],
    }


def goals(results: Mapping[str, Any]) -> list[str]:
    """Against the goals."""
    lines = []
    if portal := results.get("globo"):
        injected = portal["injected"]
        lines += [
            ratio("steps of the hole", portal["hole_steps"], "all", len(HOLE), 1.0, at_least=True),
            ratio("false episodes in 3 days", portal["false_episodes_in_3_days"], "the goal", 1.0, 1.0, at_least=False),
            *(
                ratio(f"hours {name}", injected[name]["share"], "the goal", 0.9, 1.0, at_least=True)
                for name in ("×3", "÷5")
            ),
        ]
    if log := results.get("weblogs"):
        least = {f"{ALL}, folds by address": 0.72, f"{SOME}, folds by address": 0.77}
        lines += [
            ratio(f"PR-AUC, {name}", log[name]["pr_auc"], "the goal", goal, 1.0, True) for name, goal in least.items()
        ]
    return lines


def table(results: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = []
    if portal := results.get("globo"):
        lines.append(
            f"the hole: {portal['hole_steps']} of {len(HOLE)} steps, the first after {portal['hole_first_step']}; "
            f"{portal['false_episodes']} false episodes ({portal['false_steps']} steps) in {portal['days']:.1f} days"
        )
        lines += [
            f"hours {name}: {one['share']:.0%} seen, after {one['quarters'] or 0:.1f} quarters"
            for name, one in portal["injected"].items()
        ]
    for name, one in (results.get("weblogs") or {}).items():
        lines.append(
            f"{name:<38} {one['visitors']:,} visitors and days, {one['bots']:.1%} bots: AUC {one['auc']:.3f}, PR-AUC {one['pr_auc']:.3f}"
        )
    return "\n".join([*lines, *goals(results), f"{results['seconds']:.0f} s, {results['peak_mb']:.0f} MB"])

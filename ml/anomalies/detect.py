"""All that is out of the ordinary in the last days of a lake, as rows of gold.anomalies and gold.suspects."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ml.anomalies import behaviour, rules, traffic
from ml.anomalies.behaviour import Visitors
from ml.anomalies.rules import Abuse
from ml.anomalies.series import Series, all_series
from ml.anomalies.window import Span
from nextclick.contracts.gold_anomalies import OPEN, TRAFFIC
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = dict[str, Any]
BOT: Final = "bot"
"""The reason of a suspect that behaves as bots do."""
NOTED: Final = 0.5
"""A score below it, of which no rule says anything, has no row."""
CLOSED: Final = "closed"


class Detected(NamedTuple):
    """Rows without what only their table knows: `first_seen` and `source_version`."""

    anomalies: list[Row]
    suspects: list[Row]
    unlearned: dict[str, str]
    """Sites of which nothing could be learned of bots, and why."""


def detect(database: "DuckDBPyConnection", settings: Settings, spans: Mapping[str, Span]) -> Detected:
    """By the views of ml/anomalies/window.py."""
    chosen = settings.anomalies
    anomalies = [row for each in all_series(database, spans) for row in _of_series(each, chosen.threshold)]
    abused = rules.abuse(database, chosen.false_discoveries)
    anomalies += [_of_abuse(one, spans[one.site]) for one in abused]
    suspects: list[Row] = []
    unlearned: dict[str, str] = {}
    for site in spans:
        theirs = behaviour.visitors(database, site)
        scores = behaviour.scores(theirs)
        if isinstance(scores, str):
            unlearned[site], scores = scores, np.full(len(theirs.is_bot), np.nan)
        suspects += _suspects(site, theirs, scores, [one for one in abused if one.site == site], chosen.bot_score)
    return Detected(anomalies, suspects, unlearned)


def _of_series(series: Series, threshold: float) -> Iterator[Row]:
    judged = traffic.judge(series.levels, series.period, threshold)
    for one in traffic.episodes(judged.z, threshold):
        yield {
            "site": series.site,
            "kind": TRAFFIC,
            "subject": series.name,
            "step_start": series.start + one.first * series.step,
            "step_end": series.start + one.end * series.step,
            "observed": series.observed(one.first, one.end),
            "expected": series.expected(judged.expected, one.first, one.end),
            "z": one.z,
            "p_value": None,
            "severity": "alarm" if abs(one.z) > 2 * threshold else "notice",
            "model_version": traffic.VERSION,
            "state": OPEN if one.lasts else CLOSED,
        }


def _of_abuse(one: Abuse, span: Span) -> Row:
    """It is open as long as its day is the newest."""
    return {
        "site": one.site,
        "kind": one.kind,
        "subject": one.subject,
        "step_start": one.start,
        "step_end": one.end,
        "observed": one.n,
        "expected": one.tolerated,
        "z": None,
        "p_value": one.p_value,
        "severity": "alarm",
        "model_version": rules.VERSION,
        "state": OPEN if one.start >= span.newest_day else CLOSED,
    }


def _suspects(
    site: str, theirs: Visitors, scores: np.ndarray[Any, Any], abused: Sequence[Abuse], least: float
) -> list[Row]:
    """Who has such a score, or is named by a rule; those whose agent says that they are bots are left out everywhere already."""
    named: defaultdict[tuple[str, date], set[str]] = defaultdict(set)
    for one in abused:
        for visitor in one.visitors:
            named[visitor, one.day].add(one.kind)
    rows = zip(
        theirs.rows["visitor_id"].to_pylist(),
        theirs.rows["day"].to_pylist(),
        scores.tolist(),
        theirs.is_bot,
        strict=True,
    )
    return [
        _suspect(site, visitor, day, score, least, named[visitor, day])
        for visitor, day, score, is_bot in rows
        if not is_bot and (score >= NOTED or (visitor, day) in named)
    ]


def _suspect(site: str, visitor: str, day: date, score: float, least: float, kinds: set[str]) -> Row:
    reasons = [*([BOT] if score >= least else []), *sorted(kinds)]
    version = "; ".join([*([behaviour.VERSION] if score == score else []), *([rules.VERSION] if kinds else [])])
    return {
        "date": day,
        "site": site,
        "visitor_id": visitor,
        "score": round(score, 4) if score == score else None,
        "is_suspect": bool(reasons),
        "reasons": reasons,
        "model_version": version,
    }

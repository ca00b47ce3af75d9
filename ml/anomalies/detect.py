"""All that is out of the ordinary in the last days of a lake, as rows of gold.anomalies and gold.suspects."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ml.anomalies import behaviour, rules, traffic
from ml.anomalies.rules import Abuse
from ml.anomalies.series import Series, all_series
from ml.anomalies.window import Span
from nextclick.contracts.gold_anomalies import OPEN, TRAFFIC
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = dict[str, Any]
VisitorDay = tuple[str, date]
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
        scores = behaviour.scored(database, site, NOTED)
        if isinstance(scores, str):
            unlearned[site], scores = scores, {}
        suspects += _suspects(site, scores, [one for one in abused if one.site == site], chosen.bot_score)
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


def _suspects(site: str, scores: Mapping[VisitorDay, float], abused: Sequence[Abuse], least: float) -> Iterator[Row]:
    """Who has such a score, or is named by a rule; those whose agent says that they are bots are left out everywhere already."""
    named: defaultdict[VisitorDay, set[str]] = defaultdict(set)
    for one in abused:
        for visitor in one.visitors:
            named[visitor, one.day].add(one.kind)
    for visitor, day in sorted({*scores, *named}):
        score, kinds = scores.get((visitor, day)), sorted(named.get((visitor, day), ()))
        reasons = [*([BOT] if score is not None and score >= least else []), *kinds]
        versions = [*([] if score is None else [behaviour.VERSION]), *([rules.VERSION] if kinds else [])]
        yield {
            "date": day,
            "site": site,
            "visitor_id": visitor,
            "score": None if score is None else round(score, 4),
            "is_suspect": bool(reasons),
            "reasons": reasons,
            "model_version": "; ".join(versions),
        }

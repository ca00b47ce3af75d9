"""How good answers were, by day: gold.recommendation_performance and silver.served_items → the online figures of gold.model_daily."""

import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from ml.models.protocol import Stages, quiet
from ml.report.model_figures import ModelFigure, put
from nextclick.contracts import gold, silver_served
from nextclick.contracts.gold_analytics import MODEL_DAILY
from nextclick.ctr import FORESEEN
from nextclick.definitions.intervals import wilson
from nextclick.lake import delta, duck
from nextclick.lake.day_changes import changed_days, cursor_at
from nextclick.lake.people import human_events
from nextclick.report import JobReport
from nextclick.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

_CURSOR: Final = "nextclick.performance"
"""In a commit's information: which version of gold.recommendation_performance the online figures were made of."""


def run(settings: Settings, progress: Stages = quiet) -> JobReport:
    """Make the online figures of those days anew whose answers changed since the last time; of the same rows come the same figures."""
    started, lake = time.monotonic(), settings.lake
    performance = delta.require(lake, gold.RECOMMENDATION_PERFORMANCE.name)
    days = changed_days(lake, gold.RECOMMENDATION_PERFORMANCE.name, performance, MODEL_DAILY.name, _CURSOR)
    if not days:
        return JobReport(job=MODEL_DAILY.job, seconds=time.monotonic() - started, details={"reason": "nothing new"})
    figures = {figure.key: figure for figure in _online(settings, performance, days)}
    written = put(settings, figures, days, cursor_at(performance).fact(_CURSOR))
    return JobReport(job=MODEL_DAILY.job, read=len(days), written=written, seconds=time.monotonic() - started)


def _online(settings: Settings, performance: "DeltaTable", days: set[date]) -> Iterator[ModelFigure]:
    """Shares of what was shown, and of answers, with their intervals; a share of nothing is absent."""
    with duck.connect(settings.lake) as database:
        duck.show(database, "performance", settings.lake, gold.RECOMMENDATION_PERFORMANCE.name, performance)
        for *key, shown, clicks, carts, purchases in database.execute(_SHOWN, [sorted(days)]).fetchall():
            for metric, hits in (("ctr", clicks), ("cart_rate", carts), ("purchase_rate", purchases)):
                yield _share(key, metric, hits, shown)
        for *key, answers, degraded, shown, clicks, foreseen in _answers(settings, database, days):
            if answers:
                yield _share(key, "degraded_share", degraded, answers)
            if foreseen:
                low, high = (end * shown / foreseen for end in wilson(clicks, shown))
                yield _figure(key, "clicks_per_foreseen", clicks / foreseen, shown, low, high)


def _share(key: list[Any], metric: str, hits: int, n: int) -> ModelFigure:
    return _figure(key, metric, hits / n, n, *wilson(hits, n))


def _figure(key: list[Any], metric: str, value: float, n: int, low: float, high: float) -> ModelFigure:
    day, site, version, segment = key
    return ModelFigure(day, site, version, f"online_{metric}", segment, value, n, low, high)


_SHOWN: Final = """
SELECT date, site, model_version,
       CASE WHEN grouping(surface) = 0 THEN 'surface ' || surface
            WHEN grouping(variant) = 0 THEN 'variant ' || experiment || '/' || variant ELSE 'all' END,
       sum(shown)::BIGINT AS shown, sum(clicks)::BIGINT, sum(carts)::BIGINT, sum(purchases)::BIGINT
FROM performance WHERE list_contains($1, date)
GROUP BY GROUPING SETS ((date, site, model_version), (date, site, model_version, surface),
                        (date, site, model_version, experiment, variant))
HAVING sum(shown) > 0 AND (grouping(variant) = 1 OR experiment <> 'none')
"""


def _answers(settings: Settings, database: "DuckDBPyConnection", days: set[date]) -> list[tuple[Any, ...]]:
    """By day, site and model version: answers that say whether they were makeshifts, and what of the items that were shown."""
    name = silver_served.SERVED_ITEMS.name
    human_events.show(database, "served_items", settings, name, delta.require(settings.lake, name))
    params = [sorted(days), min(days) - timedelta(days=1), max(days) + timedelta(days=2)]
    return database.execute(_of_answers(settings), params).fetchall()


def _of_answers(settings: Settings) -> str:
    zones = settings.analytics.timezones
    cases = "".join(f" WHEN {_text(site)} THEN {_text(zone)}" for site, zone in zones.items())
    default = _text(settings.analytics.timezone)
    zone = f"CASE site{cases} ELSE {default} END" if cases else default
    return f"""
WITH items AS (
    SELECT (served_at AT TIME ZONE {zone})::DATE AS date, site, coalesce(model_version, 'unknown') AS model_version, request_id, degraded,
           shown_at IS NOT NULL AND isfinite(features['{FORESEEN}']) AS judged, clicked_at, features['{FORESEEN}'] AS foreseen
    FROM served_items WHERE served_at >= $2 AND served_at < $3
)
SELECT date, site, model_version, 'all', count(DISTINCT request_id) FILTER (degraded IS NOT NULL),
       count(DISTINCT request_id) FILTER (degraded), count(*) FILTER (judged), count(clicked_at) FILTER (judged),
       coalesce(sum(foreseen) FILTER (judged), 0)
FROM items WHERE list_contains($1, date) GROUP BY ALL
"""


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"

"""How a visitor behaved on a day: what tells programs from people where the user agent does not say it.

Learned from the visitors whose agent says that they are bots, against the others. Each is scored by a model that learned from other
addresses, so that nobody is called a person because they were learned as one.
"""

from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ml.anomalies.traffic import Floats

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VERSION: Final = "bots 1"
FEW: Final = 50
"""Visitors and days of bots, and of others, below which nothing is learned."""
LEAST: Final = 3
"""Requests of a visitor and day: fewer tell little, and are most of all."""
_FOLDS: Final = 5
_MOST_LEARNED: Final = 20_000
"""Visitors and days that one model learns from, the first by a hash of their address."""
_FEW_ROWS: Final = 5_000
"""Rows below which one thread learns: a second one waits most of the time, and turns (300 rows on a busy machine: 10.5 s of the
processor for 0.3)."""

FEATURES: Final[dict[str, str]] = {
    "requests": "count(*)",
    "pages": "count(*) FILTER (NOT is_asset)",
    "assets": "avg(is_asset::INT)",
    "without_referrer": "avg((referrer IS NULL)::INT)",
    "errors": "avg((status >= 400)::INT)",
    "not_get": "avg((method <> 'GET')::INT)",
    "not_modified": "avg((status = 304)::INT)",
    "distinct_pages": "count(DISTINCT page_url) / count(*)",
    "distinct_items": "count(DISTINCT item_id) / count(*)",
    "kinds": "count(DISTINCT event)",
    "attention": "avg((dwell_ms IS NOT NULL OR scroll_pct IS NOT NULL)::INT)",
    "bytes": "avg(bytes)",
    "span": "max(second) - min(second)",
    "rate": "count(*) / (max(second) - min(second) + 60)",
    "gap": "avg(gap)",
    "gap_spread": "stddev_pop(gap) / (avg(gap) + 1)",
    "favicon": "max((path = '/favicon.ico')::INT)",
    "robots": "max((path = '/robots.txt')::INT)",
    "feeds": "avg(regexp_matches(page_url, 'feed|rss|atom|\\.xml')::INT)",
}
"""SQL over the requests of one visitor and day. What a site does not tell is null, and is learned as such."""
_ASSET: Final = r"(?i)\.(?:css|js|mjs|map|json|png|jpe?g|gif|ico|svg|webp|avif|woff2?|ttf|mp4|mp3)$"
_VISITORS: Final = f"""
WITH requests AS (
    SELECT *, regexp_matches(path, '{_ASSET}') AS is_asset, second - lag(second) OVER days AS gap
    FROM (
        SELECT *, epoch(occurred_at) AS second, regexp_replace(coalesce(page_url, ''), '^[a-zA-Z]+://[^/?#]*|[?#].*$', '', 'g') AS path,
               TRY_CAST(properties['status'] AS INT) AS status, properties['method'] AS method,
               TRY_CAST(properties['bytes'] AS DOUBLE) AS bytes
        FROM acts WHERE visitor_id IS NOT NULL AND site = $site
    )
    WINDOW days AS (PARTITION BY visitor_id, day ORDER BY second)
)
SELECT visitor_id, day, bool_or(is_bot) AS is_bot, coalesce(any_value(ip ORDER BY ip), visitor_id) AS address,
       {", ".join(f"({sql})::DOUBLE AS {name}" for name, sql in FEATURES.items())}
FROM requests GROUP BY visitor_id, day HAVING count(*) >= $least ORDER BY day, visitor_id
"""


_COUNTS: Final = """
SELECT count(*) FILTER (is_bot), count(*) FILTER (NOT is_bot) FROM (
    SELECT bool_or(is_bot) AS is_bot FROM acts WHERE visitor_id IS NOT NULL AND site = $site
    GROUP BY visitor_id, day HAVING count(*) >= $least
)
"""


class Visitors(NamedTuple):
    """The visitors of a site, each with its days; parallel."""

    rows: pa.Table
    """visitor_id and day."""
    is_bot: NDArray[np.bool_]
    """The user agent says so."""
    address: NDArray[np.uint64]
    """Hash of the address, else of the visitor: who shares one is learned together."""
    features: Floats
    """[rows × FEATURES]; NaN where nothing is told."""


def visitors(database: "DuckDBPyConnection", site: str, least: int = LEAST) -> Visitors:
    """Of the view `acts`: those with at least so many requests a day."""
    query, params = f"SELECT *, hash(address) AS side FROM ({_VISITORS})", {"site": site, "least": least}
    rows = database.sql(query, params=params).to_arrow_table()
    features = [rows[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in FEATURES]
    return Visitors(
        rows.select(["visitor_id", "day"]),
        rows["is_bot"].to_numpy(zero_copy_only=False),
        rows["side"].to_numpy(),
        np.column_stack(features),
    )


def lacking(database: "DuckDBPyConnection", site: str) -> str | None:
    """Why nothing can be learned of the site's bots; None where it can. It looks at no feature."""
    [(bots, others)] = database.execute(_COUNTS, {"site": site, "least": LEAST}).fetchall()
    if min(bots, others) >= FEW:
        return None
    return f"{bots:,} of {bots + others:,} visitors of {LEAST} requests or more say that they are bots; {FEW} of both are needed."


def scores(those: Visitors) -> Floats | None:
    """Of each the probability that its agent says bot, by its behaviour alone; None where all bots share an address."""
    fold = those.address % np.uint64(_FOLDS)
    result = np.empty(len(those.is_bot))
    for one in range(_FOLDS):
        learned = np.flatnonzero(fold != one)
        some = learned[np.argsort(those.address[learned], kind="stable")[:_MOST_LEARNED]]
        if len(np.unique(those.is_bot[some])) < 2:
            return None
        known = np.isfinite(those.features[some]).any(axis=0)
        model = _learned(those.features[some][:, known], those.is_bot[some])
        result[fold == one] = model.predict_proba(those.features[fold == one][:, known])[:, 1]
    return result


def scored(database: "DuckDBPyConnection", site: str, least: float) -> dict[tuple[str, date], float] | str:
    """Scores of at least `least` by visitor and day, of those whose agent does not say bot; or why nothing can be learned."""
    if reason := lacking(database, site):
        return reason
    those = visitors(database, site)
    if (values := scores(those)) is None:
        return "All that say that they are bots share an address."
    kept = np.flatnonzero((values >= least) & ~those.is_bot)
    rows = those.rows.take(kept).to_pylist()
    return {(row["visitor_id"], row["day"]): score for row, score in zip(rows, values[kept].tolist(), strict=True)}


def _learned(features: Floats, is_bot: NDArray[np.bool_]) -> Any:
    """Trees, since it is thresholds that tell (docs/anomalies.md has a regression beside them)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.05, max_leaf_nodes=15, min_samples_leaf=10, early_stopping=False, random_state=0
    )
    with threadpool_limits(1 if len(features) < _FEW_ROWS else None, "openmp"):
        return trees.fit(features, is_bot)

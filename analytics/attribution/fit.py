"""What the fitted rules are fitted to: the paths of a site's last days with conversions of a goal, and of who had none there."""

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.attribution.credits import LINES
from nextclick.contracts.gold_analytics import MOST_TOUCHES
from nextclick.definitions.attribution import FITTED_DAYS, INTERNAL, PathCounts, refusal, removal_effects

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SiteGoal = tuple[str, str]


class Fit(NamedTuple):
    """To which days the rules of one site and goal are fitted, both included, and what came out."""

    first: date
    last: date
    refused: str | None
    """Why they say nothing, where they do."""
    effects: dict[str, float]
    """Removal effect of each channel."""


_WINDOWS: Final = f"""
CREATE OR REPLACE TEMP TABLE windows AS
SELECT site, goal, max(date) - {FITTED_DAYS - 1} AS first, max(date) AS last FROM conversions GROUP BY ALL
"""
_TOUCHES: Final = f"""
SELECT site, goal, CASE WHEN len(named) > 0 THEN named ELSE channels END AS path, count(*)
FROM (SELECT *, list_filter(channels, lambda channel: channel <> '{INTERNAL}') AS named FROM ({{paths}})) GROUP BY ALL
"""
_CONVERTED: Final = f"""
SELECT site, goal, list_transform(path, lambda touch: touch.channel) AS channels
FROM ({LINES}) JOIN windows USING (site, goal) WHERE whole AND date >= first
"""
_OTHERS: Final = f"""
SELECT site, goal, list_concat(all_channels[:1], all_channels[2:][-{MOST_TOUCHES - 1}:]) AS channels
FROM (
    SELECT w.site, w.goal, list(v.channel ORDER BY v.started_at, v.session_id) AS all_channels
    FROM windows w JOIN visits v ON w.site = v.site AND v.date BETWEEN w.first AND w.last
    ANTI JOIN (SELECT site, goal, visitor_id FROM conversions JOIN windows USING (site, goal) WHERE date >= first) c
      ON c.site = w.site AND c.goal = w.goal AND c.visitor_id = v.visitor_id
    GROUP BY w.site, w.goal, v.visitor_id
)
"""


def fits(database: "DuckDBPyConnection") -> dict[SiteGoal, Fit]:
    """By site and goal, from `conversions` and `visits`, which are views there."""
    database.execute(_WINDOWS)
    converted, others = _counts(database, _CONVERTED), _counts(database, _OTHERS)
    result = {}
    for site, goal, first, last in database.execute("FROM windows").fetchall():
        paths = converted[site, goal]
        refused = refusal(paths)
        effects = {} if refused else removal_effects(paths, others.get((site, goal), {}))
        result[site, goal] = Fit(first, last, refused, effects)
    return result


def _counts(database: "DuckDBPyConnection", paths: str) -> dict[SiteGoal, PathCounts]:
    counts: dict[SiteGoal, dict[tuple[str, ...], int]] = defaultdict(dict)
    for site, goal, path, count in database.execute(_TOUCHES.format(paths=paths)).fetchall():
        counts[site, goal][tuple(path)] = count
    return dict(counts)

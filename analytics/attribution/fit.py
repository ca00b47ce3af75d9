"""What the fitted rules are fitted to: the paths of a site's last days with conversions of a goal, and of who had none there."""

from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics.attribution.credits import LINES
from nextclick.definitions.attribution import FITTED_DAYS, INTERNAL, Numbers, Walks

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
_CONVERTED: Final = f"""
SELECT row_number() OVER () AS path, list_transform(path, lambda touch: touch.channel) AS channel
FROM ({LINES}) WHERE whole AND site = $site AND goal = $goal AND date >= $first
"""
_OTHERS: Final = """
SELECT visitor_id AS path, channel, epoch_us(started_at) AS moment FROM visits
ANTI JOIN (SELECT visitor_id FROM conversions WHERE site = $site AND goal = $goal AND date >= $first) USING (visitor_id)
WHERE site = $site AND date BETWEEN $first AND $last
"""


def fits(database: "DuckDBPyConnection") -> dict[SiteGoal, Fit]:
    """By site and goal, from `conversions` and `visits`, which are views there."""
    database.execute(_WINDOWS)
    windows = database.execute("FROM windows ORDER BY ALL").fetchall()
    return {(site, goal): _fit(database, site, goal, first, last) for site, goal, first, last in windows}


def _fit(database: "DuckDBPyConnection", site: str, goal: str, first: date, last: date) -> Fit:
    span = {"site": site, "goal": goal, "first": first}
    converted = database.sql(_CONVERTED, params=span).to_arrow_table()
    others = database.sql(_OTHERS, params=span | {"last": last}).to_arrow_table()
    lists, visitors = converted["channel"].combine_chunks(), others["path"].combine_chunks().dictionary_encode()
    path = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy())
    channel, names = _places(pa.chunked_array([pc.list_flatten(lists), *others["channel"].chunks], pa.string()))
    visitor, of_visit = visitors.indices.to_numpy(), channel[len(path) :]
    order = np.lexsort((of_visit, others["moment"].to_numpy(), visitor))
    walks = Walks(names)
    walks.add(*_touches(path, channel[: len(path)], names), converted=True)
    walks.add(*_touches(visitor[order], of_visit[order], names), converted=False)
    refused = walks.refusal
    return Fit(first, last, refused, {} if refused else walks.removal_effects())


def _places(words: pa.ChunkedArray) -> tuple[Numbers, list[str]]:
    """Each word's place among all of them, and these in order: the same words come to the same numbers, in whatever order they are read."""
    encoded = words.combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    return pc.sort_indices(order).to_numpy().astype(np.int64)[encoded.indices.to_numpy()], encoded.dictionary.take(
        order
    ).to_pylist()


def _touches(path: Numbers, channel: Numbers, names: list[str]) -> tuple[Numbers, Numbers]:
    """Without visits from the site itself, unless all of a path are."""
    outside = np.array([name != INTERNAL for name in names])[channel]
    kept = outside | (np.bincount(path, weights=outside) == 0)[path]
    return path[kept], channel[kept]

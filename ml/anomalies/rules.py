"""Fraud and abuse by rules: counts that people do not reach, with the probability that one does by chance.

Each rule is a view of `acts` (ml/anomalies/window.py) with a row for each unit that was counted: its `site` and `day`, the `subject`, the
span from `step_start` to `step_end`, the count `n`, the count that is `tolerated`, whether it `counts` (what the rule demands besides),
and the `visitors` who did it. p is the upper tail of a Poisson of mean `tolerated` at n. Of all units of a site and day together the false
discovery rate is held by Benjamini and Hochberg (1995, J. R. Statist. Soc. B 57, 289).
"""

from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

from ml.anomalies.traffic import Floats
from nextclick.contracts.gold_anomalies import ABUSE

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VERSION: Final = "rules 1"
_FACTOR: Final = 20
"""So many times what is usual is tolerated in ten minutes."""
_TOLERATED: Final = f"{_FACTOR} * CASE WHEN count(*) OVER (PARTITION BY site) >= 20 THEN median({{}}) OVER (PARTITION BY site) ELSE 1 END"
"""The median of a site's units is usual; of fewer than twenty it is not known, and taken for one."""
_TEN: Final = "time_bucket(INTERVAL 10 MINUTES, occurred_at)"
_BY_DAY: Final = "day::TIMESTAMPTZ AS step_start, day::TIMESTAMPTZ + INTERVAL 1 DAY AS step_end"
_PEOPLE: Final = "acts WHERE NOT is_bot AND visitor_id IS NOT NULL"
_REPEATS: Final = 0.5
"""Of what happens once: repeats that are tolerated, on average."""

RULES: Final[dict[str, str]] = {
    # ×20 of what few visitors do to an item in ten minutes, by fewer than five; those with a fifth of it did it
    "click_flood": f"""
        SELECT site, any_value(day) AS day, item AS subject, step_start, step_start + INTERVAL 10 MINUTES AS step_end, sum(clicks) AS n,
               {_TOLERATED.format("sum(clicks)")} AS tolerated, true AS counts,
               list(visitor_id ORDER BY visitor_id) FILTER (clicks >= all_clicks / 5) AS visitors
        FROM (
            SELECT *, sum(clicks) OVER (PARTITION BY site, item, step_start) AS all_clicks FROM (
                SELECT site, day, coalesce(item_id, properties['banner']) AS item, {_TEN} AS step_start, visitor_id, count(*) AS clicks
                FROM {_PEOPLE} AND event = 'click' GROUP BY ALL
            ) WHERE item IS NOT NULL
        )
        GROUP BY site, item, step_start HAVING count(*) < 5
    """,
    "cart_bomb": f"""
        SELECT site, any_value(day) AS day, visitor_id AS subject, {_TEN} AS step_start, step_start + INTERVAL 10 MINUTES AS step_end,
               count(*) AS n, {_TOLERATED.format("count(*)")} AS tolerated, true AS counts, [visitor_id] AS visitors
        FROM {_PEOPLE} AND event = 'add_to_cart' GROUP BY site, visitor_id, {_TEN}
    """,
    "many_agents": f"""
        SELECT site, day, visitor_id AS subject, {_BY_DAY}, count(DISTINCT user_agent) AS n, 2 AS tolerated, n > 10 AS counts,
               [visitor_id] AS visitors
        FROM {_PEOPLE} AND user_agent IS NOT NULL GROUP BY site, day, visitor_id
    """,
    # an order is sent again by a page that is loaded again, hours later too; a visitor who sends one three times did it
    "repeated_order": f"""
        SELECT site, day, order_id AS subject, {_BY_DAY}, sum(sends) - 1 AS n, {_REPEATS} AS tolerated, n >= 5 AS counts,
               coalesce(list(visitor_id ORDER BY visitor_id) FILTER (sends >= 3), []) AS visitors
        FROM (
            SELECT site, day, order_id, visitor_id, count(DISTINCT time_bucket(INTERVAL 1 MINUTE, occurred_at)) AS sends
            FROM {_PEOPLE} AND event = 'purchase' AND order_id IS NOT NULL GROUP BY ALL
        )
        GROUP BY site, day, order_id
    """,
    # more than three views of items a second, for a minute; one a second is tolerated
    "impossible_speed": f"""
        SELECT site, any_value(day) AS day, visitor_id AS subject, time_bucket(INTERVAL 1 MINUTE, occurred_at) AS step_start,
               step_start + INTERVAL 1 MINUTE AS step_end, count(*) AS n, 60 AS tolerated, n > 180 AS counts, [visitor_id] AS visitors
        FROM {_PEOPLE} AND event = 'view_item' GROUP BY site, visitor_id, time_bucket(INTERVAL 1 MINUTE, occurred_at)
    """,
    # banners of one visitor: shown twenty times or more, and nine of ten clicked; without an answer's id it is shown once a minute
    "self_clicks": f"""
        SELECT site, day, visitor_id AS subject, {_BY_DAY}, count_if(clicked) AS n, count(*) / 10 AS tolerated,
               count(*) >= 20 AND n > 0.9 * count(*) AS counts, [visitor_id] AS visitors
        FROM (
            SELECT site, day, visitor_id, bool_or(event = 'click') AS clicked
            FROM {_PEOPLE} AND properties['banner'] IS NOT NULL
            GROUP BY site, day, visitor_id, coalesce(request_id, time_bucket(INTERVAL 1 MINUTE, occurred_at)::VARCHAR), properties['banner']
        )
        GROUP BY site, day, visitor_id
    """,
    "coupon_abuse": f"""
        SELECT site, day, coupon || ' ' || visitor_id AS subject, {_BY_DAY}, count(DISTINCT order_id) - 1 AS n, {_REPEATS} AS tolerated,
               n >= 5 AS counts, [visitor_id] AS visitors
        FROM (
            SELECT *, coalesce(properties['order.coupon'], properties['coupon'], properties['voucher']) AS coupon
            FROM {_PEOPLE} AND event = 'purchase' AND order_id IS NOT NULL
        )
        WHERE coupon IS NOT NULL GROUP BY site, day, coupon, visitor_id
    """,
}
"""By the kind of the anomaly."""
_UNITS: Final = " UNION ALL BY NAME ".join(
    f"SELECT '{kind}' AS kind, site, day, subject, step_start, step_end, n::DOUBLE AS n, tolerated::DOUBLE AS tolerated, counts, visitors "
    f"FROM ({RULES[kind]})"
    for kind in ABUSE
)
_TESTED: Final = f"""
SELECT *, count(*) OVER (PARTITION BY site, day) AS tests FROM ({_UNITS}) QUALIFY n > tolerated
ORDER BY site, day, kind, subject, step_start
"""


class Abuse(NamedTuple):
    """A unit that is abuse by a rule."""

    kind: str
    site: str
    day: date
    subject: str
    start: datetime
    end: datetime
    n: float
    tolerated: float
    p_value: float
    visitors: tuple[str, ...]


def abuse(database: "DuckDBPyConnection", rate: float) -> list[Abuse]:
    """What the rules say of `acts`, with a false discovery rate of at most `rate` among the units of a site and day."""
    result: list[Abuse] = []
    for _, rows in groupby(database.execute(_TESTED).fetchall(), key=itemgetter(1, 2)):
        units = [*rows]
        p = tail(np.array([unit[6] for unit in units]), np.array([unit[7] for unit in units]))
        for unit, p_value, is_one in zip(units, p.tolist(), discoveries(p, units[0][-1], rate).tolist(), strict=True):
            *columns, counts, visitors, _ = unit
            if is_one and counts:
                result.append(Abuse._make([*columns, p_value, tuple(visitors)]))
    return result


def tail(n: Floats, mean: Floats) -> Floats:
    """P(N ≥ n) of a Poisson: the regularized lower incomplete gamma function (n above 0)."""
    return np.asarray(gammainc(n, mean))


def discoveries(p: Floats, tests: int, rate: float) -> NDArray[np.bool_]:
    """Which of the smallest p-values of so many tests are discoveries at this false discovery rate: all up to the largest
    p₍ᵢ₎ ≤ rate · i / tests.
    """
    order = np.argsort(p, kind="stable")
    below = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / tests)
    passed = np.zeros(len(p), np.bool_)
    passed[order[: below.max(initial=-1) + 1]] = True
    return passed

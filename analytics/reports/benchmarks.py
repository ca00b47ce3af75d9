"""A site beside the others of the lake, and beside what the market says."""

from typing import Final

from analytics.report import Report
from nextclick.definitions import health as h

_LEAST_VISITS: Final = 100
_LEAST_SITES: Final = 5
_FIGURES: Final = {
    "visits": "visits",
    "bounce_rate": "bounces / visits",
    "engagement_rate": "engaged_visits / visits",
    "views_per_visit": "views / visits",
    "conversion_rate": "buying_visits / visits",
}
_EACH: Final = " UNION ALL ".join(
    f"SELECT site, visits, '{name}' AS figure, {sql} * 1.0 AS value FROM sites" for name, sql in _FIGURES.items()
)


def _quartile(share: float) -> str:
    quartile = f"percentile_cont({share}) WITHIN GROUP (ORDER BY other.value)"
    return f"CASE WHEN count(other.site) >= {_LEAST_SITES} THEN {quartile} END"


BENCHMARKS: Final = Report(
    name="benchmarks",
    doc="Each site's figures of the range, beside the quartiles of the lake's other sites.",
    reads=("gold.visits",),
    rows=f"""
        WITH sites AS (
            SELECT site, count(*) AS visits, sum(CAST(is_bounce AS INT)) AS bounces, sum(CAST(is_engaged AS INT)) AS engaged_visits,
                sum(views) AS views, sum(CAST(orders > 0 AS INT)) AS buying_visits
            FROM gold.visits WHERE date BETWEEN {{since}} AND {{until}} GROUP BY site
        ), figures AS ({_EACH})
        SELECT own.site, own.figure, own.value, count(other.site) AS others, {_quartile(0.25)} AS q1, {_quartile(0.5)} AS median,
            {_quartile(0.75)} AS q3
        FROM figures own LEFT JOIN figures other
            ON other.figure = own.figure AND other.site <> own.site AND other.visits >= {_LEAST_VISITS}
        GROUP BY own.site, own.figure, own.value
    """,
    dimensions=("site", "figure"),
    around=0,
    metrics=(h.VALUE, h.OTHERS, h.LOW, h.MEDIAN, h.HIGH),
    by=("site", "figure"),
    date=None,
)

MARKET: Final = Report(
    name="market",
    doc="What panels and services say of sites, also of others'.",
    expects="`nextclick import --mapping market`.",
    reads=("silver.market",),
    rows="SELECT date, domain, metric, origin, value FROM silver.market",
    dimensions=("date", "domain", "metric", "origin"),
    around=0,
    metrics=(h.MARKET,),
    by=("date", "domain", "metric", "origin"),
)

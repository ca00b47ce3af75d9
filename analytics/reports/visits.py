"""Visits: how many, whence, and what they brought."""

from typing import Final

from analytics.report import Report, seconds_between
from nextclick.definitions import visits as v

OF_A_VISIT: Final = (
    "date", "site", "channel", "source", "medium", "campaign", "referrer_host", "entry_page", "exit_page", "device", "os", "browser",
    "app_version", "country", "experiment", "variant",
)  # fmt: skip
_COLUMNS: Final = ", ".join(OF_A_VISIT)

TRAFFIC: Final = Report(
    name="traffic",
    doc="How many came, whence, and whether they stayed.",
    reads=("gold.visits",),
    rows=f"""
        SELECT {_COLUMNS}, (site, visitor_id) AS visitor, 1 AS visits,
            CAST(is_bounce AS INT) AS bounces, CAST(is_engaged AS INT) AS engaged_visits, views,
            {seconds_between('started_at', 'ended_at')} AS seconds, nullif(engaged_ms, 0) / 1000 AS engaged_seconds,
            searches, carts, orders, CAST(orders > 0 AS INT) AS buying_visits
        FROM gold.visits
    """,
    dimensions=OF_A_VISIT,
    around=0,
    metrics=(
        v.VISITS, v.VISITORS, v.ENGAGED_VISITS, v.ENGAGEMENT_RATE, v.BOUNCES, v.BOUNCE_RATE, v.VIEWS, v.VIEWS_PER_VISIT,
        v.SECONDS_PER_VISIT, v.ENGAGED_SECONDS, v.SEARCHES, v.CARTS, v.ORDERS, v.BUYING_VISITS, v.CONVERSION_RATE,
    ),
)  # fmt: skip

REVENUE: Final = Report(
    name="revenue",
    doc="What visits paid, one row a currency.",
    reads=("gold.visits",),
    rows=f"""
        SELECT {_COLUMNS}, currency, revenue[currency] AS revenue, orders, CAST(orders > 0 AS INT) AS buying_visits
        FROM (SELECT *, unnest(map_keys(revenue)) AS currency FROM gold.visits)
    """,
    dimensions=(*OF_A_VISIT, "currency"),
    around=0,
    metrics=(v.REVENUE, v.ORDERS, v.REVENUE_PER_ORDER, v.BUYING_VISITS),
    by=("date", "currency"),
)

NEWCOMERS: Final = Report(
    name="newcomers",
    doc="Visits that were a visitor's first ever, beside those of who came back.",
    reads=("gold.visits",),
    rows=f"""
        WITH newcomers AS (
            SELECT site, visitor_id, date, min(started_at) AS first_at
            FROM gold.visits JOIN (
                SELECT site, visitor_id, first_date AS date FROM {{firsts}} WHERE first_date >= {{since}} AND first_date <= {{until}}
            ) USING (site, visitor_id, date)
            WHERE date >= {{since}} AND date <= {{until}} GROUP BY site, visitor_id, date
        )
        SELECT {_COLUMNS}, CASE WHEN started_at = first_at THEN 'new' ELSE 'returning' END AS visitor_kind,
            (site, visitor_id) AS visitor, 1 AS visits, CAST(is_bounce AS INT) AS bounces, CAST(is_engaged AS INT) AS engaged_visits,
            orders, CAST(orders > 0 AS INT) AS buying_visits
        FROM gold.visits LEFT JOIN newcomers USING (site, visitor_id, date) WHERE date >= {{since}} AND date <= {{until}}
    """,
    dimensions=("visitor_kind", *OF_A_VISIT),
    around=0,
    metrics=(
        v.VISITS, v.VISITORS, v.BOUNCES, v.BOUNCE_RATE, v.ENGAGED_VISITS, v.ENGAGEMENT_RATE, v.ORDERS, v.BUYING_VISITS, v.CONVERSION_RATE,
    ),
    by=("visitor_kind",),
)  # fmt: skip

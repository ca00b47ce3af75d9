"""Items, and what was recommended."""

from typing import Final

from analytics.report import Report
from nextclick.ctr import FORESEEN
from nextclick.definitions import shop as s

# Counts stand in rows without a currency, and money in rows of its own, so that both add up.
_ITEM_COUNTS: Final = """
    SELECT date, site, item_id, NULL AS currency, views AS item_views, carts AS item_carts, purchases, refunds, NULL AS revenue
    FROM gold.item_daily
"""
_ITEM_MONEY: Final = """
    UNION ALL SELECT date, site, item_id, currency, NULL, NULL, NULL, NULL, revenue[currency]
    FROM (SELECT *, unnest(map_keys(revenue)) AS currency FROM gold.item_daily)
"""
_NAMED: Final = """
    SELECT date, site, item_id, name, category, currency, item_views, item_carts, purchases, refunds, revenue FROM ({rows})
    LEFT JOIN (SELECT site, item_id, name, category FROM silver.items) USING (site, item_id)
"""

ITEMS: Final = Report(
    name="items",
    doc="What is viewed, put into carts and bought.",
    reads=("gold.item_daily", "silver.items"),
    rows=_NAMED.format(rows=_ITEM_COUNTS + _ITEM_MONEY),
    without={"currency": _NAMED.format(rows=_ITEM_COUNTS)},
    dimensions=("date", "site", "item_id", "name", "category", "currency"),
    around=0,
    metrics=(
        s.ITEM_VIEWS, s.ITEM_CARTS, s.PURCHASES, s.REFUNDS, s.ITEM_REVENUE, s.VIEW_TO_CART, s.CART_TO_PURCHASE, s.VIEW_TO_PURCHASE,
    ),
    by=("item_id", "name"),
)  # fmt: skip

_ANSWERS: Final = ("date", "site", "surface", "model_version", "experiment", "variant", "position")
_COLUMNS: Final = ", ".join(_ANSWERS)

_ANSWER_COUNTS: Final = f"""
    SELECT {_COLUMNS}, NULL AS currency, served, shown, clicks, carts, purchases, NULL AS revenue
    FROM gold.recommendation_performance
"""
_ANSWER_MONEY: Final = f"""
    UNION ALL SELECT {_COLUMNS}, currency, NULL, NULL, NULL, NULL, NULL, revenue[currency]
    FROM (SELECT *, unnest(map_keys(revenue)) AS currency FROM gold.recommendation_performance)
"""

RECOMMENDER: Final = Report(
    name="recommender",
    doc="What answers held, and what came of it.",
    reads=("gold.recommendation_performance",),
    rows=_ANSWER_COUNTS + _ANSWER_MONEY,
    without={"currency": _ANSWER_COUNTS},
    dimensions=(*_ANSWERS, "currency"),
    around=0,
    metrics=(s.SERVED, s.SHOWN, s.SHOWN_SHARE, s.CLICKS, s.CTR, s.SERVED_CARTS, s.SERVED_PURCHASES, s.SERVED_REVENUE),
    by=("surface", "model_version"),
)

# Rows by what was foreseen, in steps that double: most clicks are foreseen as rare.
_STEPS: Final = " ".join(f"WHEN foreseen <= {step / 100} THEN {step}" for step in (1, 2, 4, 8, 16, 32, 64))

CALIBRATION: Final = Report(
    name="calibration",
    doc="Whether as many of the items that were shown are clicked as the click model foresaw, by how likely it foresaw a click.",
    expects="Answers that a click model ranked.",
    reads=("silver.served_items", "silver.user_agents"),
    rows=f"""
        SELECT date, site, surface, model_version, CASE {_STEPS} ELSE 100 END AS foreseen_up_to, 1 AS shown, clicks, foreseen
        FROM (
            SELECT CAST(served_at AT TIME ZONE {{zone}} AS DATE) AS date, site, surface, model_version, features['{FORESEEN}'] AS foreseen,
                CAST(clicked_at IS NOT NULL AS INT) AS clicks
            FROM silver.served_items
            WHERE shown_at IS NOT NULL AND served_at >= {{since}} - INTERVAL 2 DAY AND served_at < {{until}} + INTERVAL 2 DAY
                AND (user_agent IS NULL OR user_agent NOT IN (SELECT user_agent FROM silver.user_agents WHERE is_bot))
                AND {{counts}}
        ) WHERE foreseen BETWEEN 0 AND 1
    """,
    dimensions=("date", "site", "surface", "model_version", "foreseen_up_to"),
    metrics=(s.SHOWN, s.CLICKS, s.FORESEEN_CLICKS, s.CTR, s.FORESEEN_CTR, s.CLICKS_PER_FORESEEN),
    by=("foreseen_up_to",),
)

MODEL: Final = Report(
    name="model",
    doc="How good the recommender is, offline against popularity and online.",
    reads=("gold.model_daily",),
    rows="SELECT date, site, model_version, metric, segment, value, n, low, high FROM gold.model_daily",
    dimensions=("date", "site", "model_version", "metric", "segment"),
    around=0,
    metrics=(s.MODEL_VALUE, s.MODEL_N, s.MODEL_LOW, s.MODEL_HIGH),
    by=("date", "site", "model_version", "metric", "segment"),
)

"""Campaigns: what they cost, what came, and who gets the credit."""

from typing import Final

from analytics.attribution import refusals
from analytics.report import Report
from nextclick.definitions import campaigns as a
from nextclick.definitions.visits import VISITS

_OF: Final = ("date", "site", "channel", "source", "medium", "campaign")
_COLUMNS: Final = ", ".join(_OF)

CAMPAIGNS: Final = Report(
    name="campaigns",
    doc="What campaigns cost, the visits that came, and the purchases that are credited to them.",
    expects="UTM tags in addresses; costs by `nextclick import --mapping google_ads`, meta_ads or costs.",
    reads=("gold.campaign_daily", "gold.attribution_daily"),
    rows=f"""
        SELECT {_COLUMNS}, content, nullif(currency, '') AS currency, impressions, clicks, cost, visits,
            NULL AS conversions, NULL AS revenue
        FROM gold.campaign_daily
        UNION ALL SELECT {_COLUMNS}, NULL, nullif(currency, ''), NULL, NULL, NULL, NULL, conversions, revenue
        FROM gold.attribution_daily WHERE rule = 'last_non_direct' AND goal = 'purchase'
    """,
    dimensions=(*_OF, "content", "currency"),
    around=0,
    metrics=(
        VISITS, a.IMPRESSIONS, a.AD_CLICKS, a.AD_CTR, a.COST, a.CPC, a.VISITS_BESIDE, a.COST_PER_VISIT, a.CREDITED, a.CREDITED_REVENUE,
        a.CPA, a.ROAS,
    ),
    by=("channel", "source", "campaign"),
    beside={"currency": "visits IS NOT NULL"},
)  # fmt: skip

ATTRIBUTION: Final = Report(
    name="attribution",
    doc="Who gets the credit of conversions, by each rule.",
    reads=("gold.attribution_daily", "gold.attribution_fitted"),
    rows=f"""
        SELECT {_COLUMNS}, goal, rule, nullif(currency, '') AS currency, conversions, revenue FROM gold.attribution_daily
        UNION ALL SELECT {_COLUMNS}, goal, rule, nullif(currency, ''), conversions, revenue FROM gold.attribution_fitted
    """,
    dimensions=(*_OF, "goal", "rule", "currency"),
    around=0,
    metrics=(a.BY_RULE, a.REVENUE_BY_RULE),
    by=("goal", "rule", "channel"),
    says=refusals.sentences,
)

"""Credits of conversions, by each rule of attribution."""

from nextclick.contracts.gold import DATE
from nextclick.contracts.gold_analytics import CAMPAIGN, CURRENCY
from nextclick.contracts.silver import AMOUNT, SITE
from nextclick.contracts.table import Column, Table

_CREDITS = (
    DATE,
    SITE,
    Column("goal", "string", "purchase, or a goal of the settings.", nullable=False),
    Column("rule", "string", "Rule of nextclick/definitions/attribution.py.", nullable=False),
    *CAMPAIGN,
    CURRENCY,
    Column(
        "conversions",
        AMOUNT,
        "Conversions credited to it; of one in several currencies, in the row without a currency.",
        nullable=False,
        minimum=0,
    ),
    Column("revenue", AMOUNT, "Revenue credited to it.", nullable=False),
)

_CREDITS_KEY = ("date", "site", "goal", "rule", "channel", "source", "medium", "campaign", "currency")

ATTRIBUTION_DAILY = Table(
    name="gold.attribution_daily",
    doc="One row per day, site, goal, rule, channel, source, medium, campaign and currency: who gets the credit, by rules of one path.",
    columns=_CREDITS,
    key=_CREDITS_KEY,
    job="attribution",
    does="who gets the credit of conversions",
    spark=False,
    reads=("gold.conversions", "gold.visits"),
    partitioned_by=("date",),
)

ATTRIBUTION_FITTED = Table(
    name="gold.attribution_fitted",
    doc="As gold.attribution_daily, by rules that are fitted to the last 90 days of a site and goal; no rows where these say too little.",
    columns=(*_CREDITS, Column("fitted_to", "date", "Last of the days that it was fitted to.", nullable=False)),
    key=_CREDITS_KEY,
    job="attribution",
    spark=False,
    reads=ATTRIBUTION_DAILY.reads,
)

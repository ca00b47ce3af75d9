"""Figures of campaigns: what they cost, and what is credited to them."""

from nextclick.definitions.metric import MetricUnit, beside, ratio, total
from nextclick.definitions.visits import VISITS

_MONEY = ("currency",)
IMPRESSIONS = total("impressions", "How often the advertisement was shown, as its network says.")
AD_CLICKS = total("clicks", "How often it was clicked, as its network says.")
COST = total("cost", "What was paid for it; absent where no cost was imported.", MetricUnit.MONEY, _MONEY)
AD_CTR = ratio("ctr", "clicks / impressions.", AD_CLICKS, IMPRESSIONS)
CPC = ratio("cpc", "cost / clicks.", COST, AD_CLICKS, MetricUnit.MONEY)
VISITS_BESIDE = beside(
    "visits_beside",
    "Visits of the row's campaigns, whole in the row of each currency: what costs stand beside. Over currencies they do not add up.",
    VISITS,
)
COST_PER_VISIT = ratio("cost_per_visit", "cost / visits_beside.", COST, VISITS_BESIDE, MetricUnit.MONEY)
CREDITED = total("conversions", "Purchases credited by the rule last_non_direct.")
CREDITED_REVENUE = total("revenue", "Revenue credited by the rule last_non_direct.", MetricUnit.MONEY, _MONEY)
CPA = ratio("cpa", "cost / conversions.", COST, CREDITED, MetricUnit.MONEY)
ROAS = ratio("roas", "revenue / cost.", CREDITED_REVENUE, COST, MetricUnit.EACH)

BY_RULE = total("conversions", "Conversions credited by the rule; parts of one add up to it.", apart=("rule", "goal"))
REVENUE_BY_RULE = total(
    "revenue", "Revenue credited by the rule; over a rule's rows it is the conversions' revenue, to the last unit.",
    MetricUnit.MONEY, ("rule", "goal", "currency"),
)  # fmt: skip

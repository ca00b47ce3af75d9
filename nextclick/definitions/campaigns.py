"""Figures of campaigns: what they cost, what is credited to them, and what those that start by themselves bring."""

from nextclick.definitions.intervals import difference_sql
from nextclick.definitions.metric import Metric, MetricUnit, beside, ratio, total
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

_TRIGGER = ("trigger",)
SENT = total("sent", "Occasions of triggers on which the receiver took a webhook.")
HELD_OUT = total("held_out", "Occasions of people who are held out, which would have been sent.")
CAPPED = total("capped", "Occasions beyond what the person may be sent.")
QUIET = total("quiet", "Occasions that lay in quiet hours until it was too late.")
NO_CONSENT = total("no_consent", "Occasions of people who did not allow it.")
FAILED = total("failed", "Occasions whose webhook was given up.")
PEOPLE_SENT = total(
    "people_sent",
    "People by their first occasion that was sent, given up ones among them, once the trigger's window after the decision is over.",
    apart=_TRIGGER,
)
PEOPLE_HELD_OUT = total(
    "people_held_out", "People by their first occasion that was held out, likewise.", apart=_TRIGGER
)
BUYERS_SENT = total(
    "buyers_sent", "Those of people_sent who bought in the window, on whichever device.", apart=_TRIGGER
)
BUYERS_HELD_OUT = total("buyers_held_out", "Those of people_held_out who did.", apart=_TRIGGER)
RATE_SENT = ratio("rate_sent", "buyers_sent / people_sent.", BUYERS_SENT, PEOPLE_SENT)
RATE_HELD_OUT = ratio("rate_held_out", "buyers_held_out / people_held_out.", BUYERS_HELD_OUT, PEOPLE_HELD_OUT)
_LOW, _HIGH = difference_sql((BUYERS_SENT.sql, PEOPLE_SENT.sql), (BUYERS_HELD_OUT.sql, PEOPLE_HELD_OUT.sql))
LIFT = Metric(
    "lift", "rate_sent - rate_held_out.", f"{RATE_SENT.sql} - {RATE_HELD_OUT.sql}", MetricUnit.SHARE, _TRIGGER
)
LIFT_LOW = Metric(
    "lift_low",
    "Lower end of the lift's 95 % interval (Newcombe); above 0, the trigger sells.",
    _LOW,
    MetricUnit.SHARE,
    _TRIGGER,
)
LIFT_HIGH = Metric("lift_high", "Upper end of it.", _HIGH, MetricUnit.SHARE, _TRIGGER)

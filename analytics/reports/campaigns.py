"""Campaigns: what they cost, what came, and who gets the credit; and those that start by themselves."""

from typing import Final

from analytics.attribution import refusals
from analytics.report import Report, seconds_between
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

_OUTCOMES: Final = ("sent", "held_out", "capped", "quiet", "no_consent", "failed")
_COUNTS: Final = ", ".join(f"CAST(outcome = '{outcome}' AS INT) AS {outcome}" for outcome in _OUTCOMES)

# A person is judged once a trigger, by the first decision that puts them into one of the groups. Who was to be sent it belongs to those
# who were, also where the receiver failed: else the groups would differ by more than the message.
SENDS: Final = Report(
    name="sends",
    doc="What triggers sent and why not, and what it brought against those who are held out.",
    expects="Triggers in conf/triggers/, and `nextclick triggers`.",
    reads=("silver.sends", "silver.identities", "gold.conversions"),
    rows=f"""
        WITH judged AS (
            SELECT *, row_number() OVER (PARTITION BY site, trigger, person_id ORDER BY decided_at, send_id) AS nth
            FROM silver.sends WHERE outcome IN ('sent', 'failed', 'held_out')
        ), known AS (
            SELECT max(happened_at) AS known_at FROM (
                SELECT ended_at AS happened_at FROM silver.sends UNION ALL SELECT conversions.at FROM gold.conversions AS conversions
            )
        ), devices AS (
            SELECT site, person_id, visitor_id FROM judged WHERE visitor_id IS NOT NULL
            UNION SELECT judged.site, judged.person_id, identities.id FROM judged JOIN silver.identities AS identities
                ON identities.site = judged.site AND identities.user_id = judged.person_id AND identities.kind = 'visitor'
        ), buyers AS (
            SELECT DISTINCT judged.site, judged.send_id, 1 AS bought
            FROM judged JOIN devices ON devices.site = judged.site AND devices.person_id = judged.person_id
                JOIN gold.conversions AS bought ON bought.site = devices.site AND bought.visitor_id = devices.visitor_id
            WHERE bought.goal = 'purchase' AND bought.at >= decided_at
                AND {seconds_between('decided_at', 'bought.at')} < window_s
        ), firsts AS (
            SELECT judged.site AS of_site, judged.send_id AS of_send, CAST(outcome <> 'held_out' AS INT) AS was_sent,
                coalesce(bought, 0) AS bought
            FROM judged CROSS JOIN known
                LEFT JOIN buyers ON buyers.site = judged.site AND buyers.send_id = judged.send_id
            WHERE nth = 1 AND {seconds_between('decided_at', 'known_at')} >= window_s
        )
        SELECT CAST(decided_at AT TIME ZONE {{zone}} AS DATE) AS date, site, trigger, outcome, {_COUNTS},
            was_sent AS people_sent, 1 - was_sent AS people_held_out,
            was_sent * bought AS buyers_sent, (1 - was_sent) * bought AS buyers_held_out
        FROM silver.sends LEFT JOIN firsts ON of_site = site AND of_send = send_id
    """,
    dimensions=("date", "site", "trigger", "outcome"),
    metrics=(
        a.SENT, a.HELD_OUT, a.PEOPLE_SENT, a.PEOPLE_HELD_OUT, a.RATE_SENT, a.RATE_HELD_OUT, a.LIFT, a.LIFT_LOW, a.LIFT_HIGH,
        a.BUYERS_SENT, a.BUYERS_HELD_OUT, a.CAPPED, a.QUIET, a.NO_CONSENT, a.FAILED,
    ),
    by=("trigger",),
)  # fmt: skip

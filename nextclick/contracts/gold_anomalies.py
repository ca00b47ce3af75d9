"""Gold of what is out of the ordinary: anomalies of sites, and the visitors who are suspected of not being customers."""

from typing import Final

from nextclick.contracts.silver import SITE
from nextclick.contracts.table import Column, Table

TRAFFIC: Final = "traffic"
"""The kind of an anomaly of a series; the others are rules of ml/anomalies/rules.py."""
ABUSE: Final = (
    "click_flood",
    "cart_bomb",
    "many_agents",
    "repeated_order",
    "impossible_speed",
    "self_clicks",
    "coupon_abuse",
)
SEVERITIES: Final = ("notice", "alarm")
OPEN: Final = "open"
TIMES: Final = {"silver.events": "occurred_at", "silver.sessions": "started_at", "silver.served_items": "served_at"}
"""The time of a row that says on which day, in UTC, its visitor is a suspect or none."""
LEFT_OUT: Final = "anomalies.leave_out_suspects"
"""The setting that decides whether gold counts what suspects did."""
_READS: Final = ("silver.events", "silver.quarantine", "silver.user_agents", "silver.sessions")

ANOMALIES = Table(
    name="gold.anomalies",
    doc="One row per anomaly: a site's traffic away from what was expected, or abuse by a rule, from its first step to its last.",
    columns=(
        SITE,
        Column("kind", "string", "What it is: docs/anomalies.md.", nullable=False, one_of=(TRAFFIC, *ABUSE)),
        Column(
            "subject",
            "string",
            "Of traffic the series, such as `sessions`; else the item, the visitor, the order or the coupon.",
            nullable=False,
        ),
        Column(
            "step_start", "timestamp", "Start of its first step; of a rule by days, of the day (UTC).", nullable=False
        ),
        Column("step_end", "timestamp", "End of its last step so far.", nullable=False),
        Column("observed", "double", "What was counted from start to end; of a share, the share.", nullable=False),
        Column(
            "expected",
            "double",
            "What was expected there; of a rule the count that is still tolerated, whose Poisson tail the p-value is.",
            nullable=False,
        ),
        Column("z", "double", "Of traffic: the largest distance of a step from what was expected, in its sigma."),
        Column("p_value", "double", "Of a rule: the probability of as much or more by chance.", minimum=0, maximum=1),
        Column("severity", "string", "How much it matters.", nullable=False, one_of=SEVERITIES),
        Column("model_version", "string", "The form of the detector that saw it.", nullable=False),
        Column("first_seen", "timestamp", "When it was first written here.", nullable=False),
        Column(
            "state",
            "string",
            "open: it lasts. closed: it is over. withdrawn: events that came later explain it.",
            nullable=False,
            one_of=(OPEN, "closed", "withdrawn"),
        ),
        Column(
            "source_version",
            "bigint",
            "Delta version of silver.events in which it was last seen otherwise than before.",
            nullable=False,
            minimum=0,
        ),
    ),
    key=("site", "kind", "subject", "step_start"),
    job="anomalies",
    does="what is out of the ordinary",
    spark=False,
    reads=_READS,
)

SUSPECTS = Table(
    name="gold.suspects",
    doc="One row per day, site and visitor that may be no customer. What they did counts, unless anomalies.leave_out_suspects is set.",
    columns=(
        Column("date", "date", "Day, in UTC.", nullable=False),
        SITE,
        Column("visitor_id", "string", "The device or browser.", nullable=False),
        Column(
            "score",
            "double",
            "Probability that it behaves as visitors do whose agent says that they are bots; null where that could not be learned.",
            minimum=0,
            maximum=1,
        ),
        Column("is_suspect", "boolean", "The score reaches anomalies.bot_score, or a rule says so.", nullable=False),
        Column("reasons", "array<string>", "`bot`, and the kinds of gold.anomalies that name it.", nullable=False),
        Column("model_version", "string", "The form of the detector that saw it.", nullable=False),
        Column("source_version", "bigint", "Delta version of silver.events that says so.", nullable=False, minimum=0),
    ),
    key=("date", "site", "visitor_id"),
    job="anomalies",
    spark=False,
    reads=_READS,
    partitioned_by=("date",),
)

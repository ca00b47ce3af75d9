"""Gold: what models and people read."""

from nextclick.contracts.gold_anomalies import LEFT_OUT
from nextclick.contracts.silver import REVENUE, SITE
from nextclick.contracts.silver_served import SUBJECT
from nextclick.contracts.table import Column, Table

ZONES = ("analytics.timezone", "analytics.timezones")
"""Settings that decide on which day something is."""
COUNTED = (*ZONES, LEFT_OUT)
"""Beside them, the one that decides whether what suspects did counts."""
DATE = Column("date", "date", "Day in the site's time zone ([analytics] of the settings).", nullable=False)

INTERACTIONS = Table(
    name="gold.interactions",
    doc="One row per person and item: how strongly the person used the item, as of its last event. Without bots, and what visitors forbid.",
    columns=(
        SITE,
        Column(
            "person_id",
            "string",
            "A known user, stitched from visitors; else `visitor:` and the visitor's id.",
            nullable=False,
        ),
        Column("item_id", "string", "The item.", nullable=False),
        Column(
            "strength",
            "double",
            "Sum over the pair's events of weight(kind) · 2^(-(last_at − occurred_at) / half-life). Readers decay it to now.",
            nullable=False,
            minimum=0,
        ),
        Column("events", "bigint", "Events that count.", nullable=False, minimum=1),
        Column("views", "bigint", "Events page_view and view_item.", nullable=False, minimum=0),
        Column("clicks", "bigint", "Events click.", nullable=False, minimum=0),
        Column("carts", "bigint", "Events add_to_cart.", nullable=False, minimum=0),
        Column("purchases", "bigint", "Events purchase; an order of a person counts once.", nullable=False, minimum=0),
        Column("plays", "bigint", "Events play.", nullable=False, minimum=0),
        Column("first_at", "timestamp", "First event.", nullable=False),
        Column("last_at", "timestamp", "Last event.", nullable=False),
    ),
    key=("site", "person_id", "item_id"),
    job="build_interactions",
    made_with=("interactions", "consent", LEFT_OUT),
    does="who used what, how strongly",
    reads=("silver.events", "silver.identities", "silver.user_agents"),
    format=2,
    change_feed=True,
)

TRAFFIC_DAILY = Table(
    name="gold.traffic_daily",
    doc="One row per day (of started_at), site, channel, device and country; bots left out.",
    columns=(
        DATE,
        SITE,
        Column("channel", "string", "Marketing channel.", nullable=False),
        Column(
            "device", "string", "Device class: as the source says, else by the user agent; or unknown.", nullable=False
        ),
        Column("country", "string", "Country code, or unknown.", nullable=False),
        Column(
            "visitors",
            "bigint",
            "Distinct visitors of this row; they do not add up over rows.",
            nullable=False,
            minimum=1,
        ),
        Column("sessions", "bigint", "Sessions.", nullable=False, minimum=1),
        Column("views", "bigint", "Events page_view and view_item.", nullable=False, minimum=0),
        Column("bounces", "bigint", "Sessions with at most one act.", nullable=False, minimum=0),
        Column("bounce_rate", "double", "bounces / sessions.", nullable=False, minimum=0, maximum=1),
        Column("engaged_seconds", "double", "Reported engagement, seconds.", nullable=False, minimum=0),
        Column("conversions", "bigint", "Sessions with a purchase.", nullable=False, minimum=0),
        Column("conversion_rate", "double", "conversions / sessions.", nullable=False, minimum=0, maximum=1),
        Column("revenue", REVENUE, "Purchases less refunds, per currency.", nullable=False),
    ),
    key=("date", "site", "channel", "device", "country"),
    job="build_traffic_daily",
    does="traffic by day",
    made_with=COUNTED,
    reads=("silver.sessions", "silver.user_agents"),
    partitioned_by=("date",),
)

ITEM_DAILY = Table(
    name="gold.item_daily",
    doc="One row per day (of the event), site and item; bots left out.",
    columns=(
        DATE,
        SITE,
        Column("item_id", "string", "The item.", nullable=False),
        Column("views", "bigint", "Events page_view and view_item with this item.", nullable=False, minimum=0),
        Column("carts", "bigint", "Events add_to_cart.", nullable=False, minimum=0),
        Column("purchases", "bigint", "Events purchase; an order of a visitor counts once.", nullable=False, minimum=0),
        Column("revenue", REVENUE, "Price × quantity of purchases less refunds, per currency.", nullable=False),
        Column("view_to_cart", "double", "carts / views; null without views.", minimum=0),
        Column("cart_to_purchase", "double", "purchases / carts; null without carts.", minimum=0),
        Column("view_to_purchase", "double", "purchases / views; null without views.", minimum=0),
        Column("refunds", "bigint", "Events refund.", minimum=0),
    ),
    key=("date", "site", "item_id"),
    job="build_item_daily",
    does="items by day",
    made_with=COUNTED,
    reads=("silver.events", "silver.user_agents"),
    partitioned_by=("date",),
)

RECOMMENDATION_PERFORMANCE = Table(
    name="gold.recommendation_performance",
    doc="One row per day (of the answer), site, surface, model version, experiment, variant and position; bots left out.",
    columns=(
        DATE,
        SITE,
        Column("surface", "string", "Where it was asked for, or unknown.", nullable=False),
        Column("model_version", "string", "The model that made the answers, or unknown.", nullable=False),
        Column("experiment", "string", "The experiment, or none.", nullable=False),
        Column("variant", "string", "The experiment's variant, or none.", nullable=False),
        Column("position", "int", "Place in the answer, from 1.", nullable=False, minimum=1),
        Column("served", "bigint", "Items that answers held here.", nullable=False, minimum=1),
        Column("shown", "bigint", "Those that were really shown.", nullable=False, minimum=0),
        Column("clicks", "bigint", "Those that were clicked.", nullable=False, minimum=0),
        Column("ctr", "double", "clicks / shown; null where none was shown.", minimum=0, maximum=1),
        Column("carts", "bigint", "Those that were put into a cart.", nullable=False, minimum=0),
        Column("purchases", "bigint", "Those that were bought.", nullable=False, minimum=0),
        Column("revenue", REVENUE, "What was paid for them, per currency.", nullable=False),
    ),
    key=("date", "site", "surface", "model_version", "experiment", "variant", "position"),
    job="build_recommendation_performance",
    does="answers by day",
    made_with=COUNTED,
    reads=("silver.served_items", "silver.user_agents"),
    waits_for=("silver.served_items", "request_id"),
    partitioned_by=("date",),
)

PREDICTIONS = Table(
    name="gold.predictions",
    doc="One row per person who was active lately and thing foreseen: how likely it is, as of the newest event. Made anew by trainings.",
    columns=(
        SITE,
        Column(
            "model",
            "string",
            "What is foreseen: churn (no session), or conversion_7d (a purchase), within horizon_s.",
            nullable=False,
            one_of=("churn", "conversion_7d"),
        ),
        Column("model_version", "string", "Registered version of the model, or `counted`.", nullable=False),
        Column("subject_kind", "string", "Who it is.", nullable=False, one_of=("person", "visitor")),
        Column("subject_id", "string", "The person, as gold.interactions has it.", nullable=False),
        Column("as_of", "timestamp", "Only what was known before it counts.", nullable=False),
        Column("horizon_s", "bigint", "Seconds that it looks ahead from as_of.", nullable=False, minimum=1),
        Column(
            "score", "double", "Log-odds before calibration's curve; of counted rates the term itself.", nullable=False
        ),
        Column("calibrated", "double", "The probability.", nullable=False, minimum=0, maximum=1),
        Column(
            "decile",
            "int",
            "Tenth of the people by probability: 10 holds the highest.",
            nullable=False,
            minimum=1,
            maximum=10,
        ),
        Column(
            "reasons",
            "map<string,double>",
            "The three terms that move the score most away from the mean, and how far: docs/predictions.md.",
            nullable=False,
        ),
        Column(
            "source_version",
            "bigint",
            "Delta version of silver.events that it was made from.",
            nullable=False,
            minimum=0,
        ),
    ),
    key=("site", "model", "subject_id"),
    job="predict",
    does="who comes back, who buys",
    spark=False,
    reads=("silver.events", "silver.user_agents"),
)

AUDIENCE_MEMBERS = Table(
    name="gold.audience_members",
    doc="One row per audience and visitor or user who belongs to it, as the nightly job last saw it. docs/audiences.md says who does.",
    columns=(
        *SUBJECT,
        Column("since", "timestamp", "From when on, without a break: the last change that says so.", nullable=False),
    ),
    key=("site", "audience", "subject_kind", "subject_id"),
    job="audiences",
    does="who belongs to which audience",
    spark=False,
    reads=("silver.events", "silver.audience_changes", "gold.visits", "gold.predictions"),
)

DATA_QUALITY = Table(
    name="gold.data_quality",
    doc="One row per expectation checked on a table version, and one per stop that a person overrode.",
    columns=(
        Column("table_name", "string", "The table.", nullable=False),
        Column(
            "table_id", "string", "Delta's id of the table: with another one, its versions start again.", nullable=False
        ),
        Column("table_version", "bigint", "Its Delta version.", nullable=False, minimum=0),
        Column(
            "kind",
            "string",
            "A check's result, or a person's override of a stop.",
            nullable=False,
            one_of=("check", "override"),
        ),
        Column("expectation", "string", "Name of the expectation, unique within its table.", nullable=False),
        Column("meaning", "string", "What it says, with its limits.", nullable=False),
        Column("severity", "string", "What a failure does.", nullable=False, one_of=("stop", "warn")),
        Column("success", "boolean", "It holds.", nullable=False),
        Column(
            "scope",
            "string",
            "All rows, or those in files added since the last checked version.",
            nullable=False,
            one_of=("all", "changed"),
        ),
        Column("observed", "string", "What was seen, where there is something to say."),
        Column("checked_at", "timestamp", "When it was checked or overridden.", nullable=False),
        Column("run_id", "string", "The run of checks, or the override.", nullable=False),
        Column("actor", "string", "Who overrode the stop."),
        Column("reason", "string", "Why."),
    ),
    key=("table_name", "table_version", "kind", "expectation", "run_id"),
    job="check",
    spark=False,
    reads=(),
)

"""Gold for people: visits, and what is counted of them by day. nextclick/definitions/ says what each figure means.

`date` is the day in the site's time zone ([analytics] of the settings). What does not add up over rows says so.
"""

from nextclick.contracts.gold import COUNTED, DATE
from nextclick.contracts.silver import AMOUNT, REVENUE, SITE
from nextclick.contracts.table import Column, Table
from nextclick.definitions import content as c
from nextclick.definitions import visits as v
from nextclick.definitions.metric import Metric
from nextclick.definitions.words import BOUNCE, ENGAGED

_GOALS = "map<string,bigint>"
TOUCH = "struct<at:timestamp,channel:string,source:string,medium:string,campaign:string,session_id:string>"
MOST_TOUCHES = 50
"""Touches that a conversion's path holds at most: the first, and the last 49."""


def _count(name: str, doc: str) -> Column:
    return Column(name, "bigint", doc, nullable=False, minimum=0)


def _counted(metric: Metric) -> Column:
    """What a report's figure sums."""
    return _count(metric.name, metric.meaning)


VISITS = Table(
    name="gold.visits",
    doc="One row per visit (a session of silver.sessions), by the day of its start; those that start with a bot's agent are left out.",
    columns=(
        DATE,
        SITE,
        Column("session_id", "string", "Of silver.sessions.", nullable=False),
        Column("started_at", "timestamp", "Time of the first event.", nullable=False),
        Column("ended_at", "timestamp", "Time of the last event.", nullable=False),
        Column("visitor_id", "string", "The device or browser.", nullable=False),
        Column("user_id", "string", "The last user that an event of the visit names."),
        Column("channel", "string", "Marketing channel of the first event.", nullable=False),
        Column(
            "source",
            "string",
            "utm_source of the first event, else its referrer's host, else `(direct)`.",
            nullable=False,
        ),
        Column("medium", "string", "utm_medium of the first event, or `(none)`.", nullable=False),
        Column("campaign", "string", "utm_campaign of the first event, or `(none)`.", nullable=False),
        Column("term", "string", "utm_term of the first event."),
        Column("content", "string", "utm_content of the first event."),
        Column("referrer_host", "string", "Host of the first event's referrer."),
        Column("entry_page", "string", "Page of the first event that has one, as in gold.page_daily."),
        Column("exit_page", "string", "Page of the last event that has one."),
        Column("device", "string", "Device class, or unknown.", nullable=False),
        Column("os", "string", "Operating system, by the first event's user agent."),
        Column("browser", "string", "Browser, by the first event's user agent."),
        Column("app_version", "string", "Property app_version of the first event that has one."),
        Column("country", "string", "Country code, or unknown.", nullable=False),
        _count("events", "Events."),
        _counted(v.VIEWS),
        _count("items", "Distinct items that an event names."),
        _counted(v.SEARCHES),
        _counted(v.CARTS),
        _counted(v.ORDERS),
        _count("crashes", "Events app_crash."),
        _count("engaged_ms", "Reported engagement, milliseconds."),
        Column("max_scroll_pct", "double", "Deepest scroll, per cent.", minimum=0, maximum=100),
        Column("is_bounce", "boolean", BOUNCE.meaning, nullable=False),
        Column("is_engaged", "boolean", ENGAGED.meaning, nullable=False),
        Column(
            "goals",
            _GOALS,
            "Goal of the settings → how often it was reached; goals never reached are not there.",
            nullable=False,
        ),
        Column("revenue", REVENUE, f"{v.REVENUE.meaning} Per currency.", nullable=False),
        Column("experiment", "string", "The experiment of the first event that names one."),
        Column("variant", "string", "That experiment's variant."),
    ),
    key=("site", "session_id"),
    job="build_visits",
    does="visits, visitors, pages and events by day",
    made_with=(*COUNTED, "analytics.engaged_seconds", "analytics.goals"),
    reads=("silver.sessions", "silver.events", "silver.user_agents"),
    partitioned_by=("date",),
    change_feed=True,
)

VISITOR_DAYS = Table(
    name="gold.visitor_days",
    doc="One row per day, site and visitor with an event of a visit that day: what every distinct count of people is made of.",
    columns=(
        DATE,
        SITE,
        Column("visitor_id", "string", "The device or browser.", nullable=False),
        _count("visits", "Visits that started that day."),
        _count("events", "Events of its visits that day."),
        _counted(v.VIEWS),
        _count("engaged_ms", "Reported engagement of that day, milliseconds."),
        _counted(v.ORDERS),
        Column("goals", _GOALS, "Goal of the settings → how often it was reached that day.", nullable=False),
        Column("revenue", REVENUE, f"{v.REVENUE.meaning} Per currency.", nullable=False),
        Column("top_level", "bigint", "Highest number in property `level` of level_complete that day.", minimum=0),
    ),
    key=("date", "site", "visitor_id"),
    job="build_visits",
    made_with=(*COUNTED, "analytics.goals"),
    reads=VISITS.reads,
    partitioned_by=("date",),
)

PAGE_DAILY = Table(
    name="gold.page_daily",
    doc="One row per day (of the event), site and page of visits; of more pages a day than analytics.pages_max the rest is `(other)`.",
    columns=(
        DATE,
        SITE,
        Column(
            "page",
            "string",
            "page_url without query and fragment, but for a route (`#/…`); or `(other)`.",
            nullable=False,
        ),
        _counted(v.VIEWS),
        _count("visitors", f"{c.PAGE_VISITORS.meaning} They do not add up over rows."),
        _counted(c.ENTRIES),
        _count("exits", f"{c.EXITS.meaning} By the day of their start."),
        _counted(c.ENTRY_BOUNCES),
        _count("engaged_ms", "Reported engagement on it, milliseconds."),
        Column(
            "scroll_sum",
            "double",
            "Sum over its visitors of the day of their deepest scroll, per cent.",
            nullable=False,
            minimum=0,
        ),
        _count("scroll_n", "Visitors of the day with a scroll: scroll_sum / scroll_n is the mean depth."),
    ),
    key=("date", "site", "page"),
    job="build_visits",
    made_with=(*COUNTED, "analytics.pages_max"),
    reads=VISITS.reads,
    partitioned_by=("date",),
)

EVENT_DAILY = Table(
    name="gold.event_daily",
    doc="One row per day (of the event), site, kind of event and platform; without item_update and bots.",
    columns=(
        DATE,
        SITE,
        Column("event", "string", "Kind of event, custom ones too.", nullable=False),
        Column("platform", "string", "Property platform, else device class; or unknown.", nullable=False),
        _counted(c.EVENTS),
        _count("visitors", f"{c.EVENT_VISITORS.meaning} They do not add up over rows."),
        _count("visits", "Distinct visits; they do not add up over rows."),
        _counted(c.WITH_ERROR),
        Column("value_sum", "double", f"{c.VALUE_SUM.meaning} To six decimals.", nullable=False),
        _count("value_n", "Events that have one: value_sum / value_n is the mean."),
    ),
    key=("date", "site", "event", "platform"),
    job="build_visits",
    made_with=COUNTED,
    reads=VISITS.reads,
    partitioned_by=("date",),
)

CONVERSIONS = Table(
    name="gold.conversions",
    doc="One row per conversion of a visitor (an order, or a goal that a visit reached), with the touches that led to it.",
    columns=(
        DATE,
        SITE,
        Column(
            "conversion_id",
            "string",
            "`purchase:ORDER_ID`; without an order, and of other goals, `GOAL@SESSION_ID`.",
            nullable=False,
        ),
        Column("goal", "string", "purchase, or a goal of the settings.", nullable=False),
        Column("at", "timestamp", "When it first happened.", nullable=False),
        Column("visitor_id", "string", "The device or browser.", nullable=False),
        Column("session_id", "string", "The visit in which it happened.", nullable=False),
        Column(
            "revenue",
            REVENUE,
            "The order's purchases, less its refunds since the first, per currency; empty for other goals.",
            nullable=False,
        ),
        _count("items", "Pieces bought."),
        Column(
            "path",
            f"array<{TOUCH}>",
            "Touches in order: visits of the visitor that began in analytics.lookback_days before it, and its own; those whose "
            "channel is internal are none, unless all are.",
            nullable=False,
        ),
        _count("path_n", "Touches before the path was cut to 50: the first, and the last 49."),
    ),
    key=("site", "visitor_id", "conversion_id"),
    job="build_visits",
    made_with=(*COUNTED, "analytics.goals", "analytics.lookback_days"),
    reads=VISITS.reads,
    partitioned_by=("date",),
    change_feed=True,
)

_CAMPAIGN = (
    Column("channel", "string", "Marketing channel.", nullable=False),
    Column("source", "string", "As in gold.visits.", nullable=False),
    Column("medium", "string", "As in gold.visits.", nullable=False),
    Column("campaign", "string", "As in gold.visits.", nullable=False),
)
_CURRENCY = Column("currency", "string", "ISO 4217 code; empty where nothing was paid.", nullable=False)

CAMPAIGN_DAILY = Table(
    name="gold.campaign_daily",
    doc="One row per day, site, channel, source, medium, campaign, content and currency; visits have one without a currency.",
    columns=(
        DATE,
        SITE,
        *_CAMPAIGN,
        Column("content", "string", "utm_content, or the advertisement; or `(none)`.", nullable=False),
        Column("currency", "string", "ISO 4217 code of what was paid; empty in the row of the visits.", nullable=False),
        Column("impressions", "bigint", "As silver.costs says; null where nobody says.", minimum=0),
        Column("clicks", "bigint", "As silver.costs says; null where nobody says.", minimum=0),
        Column("cost", AMOUNT, "What was paid; null in the row of the visits.", minimum=0),
        _count("visits", "Visits, in the row without a currency; 0 in the others, so that they add up."),
    ),
    key=("date", "site", "channel", "source", "medium", "campaign", "content", "currency"),
    job="build_campaign_daily",
    does="campaigns, their visits and costs by day",
    made_with=COUNTED,
    reads=("gold.visits", "silver.costs"),
    partitioned_by=("date",),
)

_CREDITS = (
    DATE,
    SITE,
    Column("goal", "string", "purchase, or a goal of the settings.", nullable=False),
    Column("rule", "string", "Rule of nextclick/definitions/attribution.py.", nullable=False),
    *_CAMPAIGN,
    _CURRENCY,
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

MODEL_DAILY = Table(
    name="gold.model_daily",
    doc="One row per day, site, model version, metric and segment: how good the recommender is, offline and online.",
    columns=(
        DATE,
        SITE,
        Column("model_version", "string", "Registered version of the model, or `popular`.", nullable=False),
        Column("metric", "string", "offline_…, lists_… or online_…: docs/quality.md.", nullable=False),
        Column(
            "segment",
            "string",
            "all, or a part of the answers: `surface home`, `variant EXPERIMENT/NAME`.",
            nullable=False,
        ),
        Column("value", "double", "Its value.", nullable=False),
        Column("n", "bigint", "People or answers that it was measured on.", nullable=False, minimum=0),
        Column("low", "double", "Lower end of its 95 % interval, where there is one."),
        Column("high", "double", "Upper end."),
    ),
    key=("date", "site", "model_version", "metric", "segment"),
    job="model_daily",
    spark=False,
    reads=("gold.recommendation_performance", "silver.served_items"),
    partitioned_by=("date",),
)

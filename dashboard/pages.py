"""The pages, in the order of their links. A new one is one more entry."""

from typing import Final

from dashboard.panels import Choice, DashboardPage, Panel, Part, Shape
from nextclick.definitions.attribution import FITTED, RULES

_MAIN_TABLES: Final = (
    "silver.events", "gold.visits", "gold.page_daily", "gold.item_daily", "gold.interactions", "gold.recommendations", "gold.data_quality",
)  # fmt: skip
_SOURCES: Final = ("channel", "source", "medium", "campaign", "referrer_host")
_USUAL_RULE: Final = "last_non_direct"
_RULE: Final = Choice("rule", (_USUAL_RULE, *(rule for rule in (*RULES, *FITTED) if rule != _USUAL_RULE)))

OVERVIEW: Final = DashboardPage(
    "overview",
    "Overview",
    "How many came, what they did, and how fresh that is.",
    (
        Panel(
            "Visits", "traffic", Shape.SERIES, ("date",),
            ("visitors", "visits", "views", "engagement_rate", "bounce_rate", "orders", "conversion_rate"),
            is_wide=True,
        ),
        Panel("Revenue", "revenue", Shape.TILES, ("currency",), ("revenue", "revenue_per_order", "buying_visits"), is_wide=True),
        Panel("Channels", "traffic", by=_SOURCES, figures=("visits", "visitors", "bounce_rate")),
        Panel("Pages", "pages", by=("page",), figures=("views", "entries", "exit_rate")),
        Panel("Items", "items", by=("name,item_id", "category"), figures=("item_views", "item_carts", "purchases")),
        Panel("Recommender", "recommender", by=("surface,model_version", "position"), figures=("shown", "clicks", "ctr")),
        Panel("Devices", "traffic", by=("device", "browser", "os"), figures=("visits", "engagement_rate")),
        Panel("Countries", "traffic", by=("country", "site"), figures=("visits", "engagement_rate")),
        Panel(
            "Freshness", "freshness", Shape.TABLE, ("table_name",), ("age_seconds", "rows", "version"),
            (f"table_name={','.join(_MAIN_TABLES)}",), is_wide=True,
        ),
    ),
)  # fmt: skip

ACQUISITION: Final = DashboardPage(
    "acquisition",
    "Acquisition",
    "Whence visits come, what that costs, and who gets the credit of conversions.",
    (
        Panel(
            "Visits by source", "traffic", by=_SOURCES,
            figures=("visits", "visitors", "engagement_rate", "bounce_rate", "orders", "conversion_rate"), most=15, is_wide=True,
        ),
        Panel("Newcomers", "newcomers", figures=("visits", "bounce_rate", "conversion_rate")),
        Panel("Entry pages", "traffic", by=("entry_page", "exit_page"), figures=("visits", "bounce_rate")),
        Panel(
            "Credit of conversions", "attribution",
            by=("goal,channel", "channel", "channel,currency", "source", "medium", "campaign", "goal"), most=15, is_wide=True, choice=_RULE,
        ),
        Panel(
            "Credit by every rule", "attribution", Shape.HEAT,
            ("goal,channel,rule", "channel,rule", "source,rule", "campaign,rule"), ("conversions",), most=12, is_wide=True, across="rule",
        ),
        Panel(
            "Campaigns", "campaigns", by=("campaign,currency", "channel,currency", "source,currency", "content,currency"),
            figures=("visits_beside", "clicks", "cost", "cost_per_visit", "conversions", "cpa", "roas"), most=15, is_wide=True,
        ),
        Panel("The market", "market", Shape.TABLE, ("date,domain,metric,origin",), most=15, is_wide=True),
    ),
)  # fmt: skip

PEOPLE: Final = DashboardPage(
    "people",
    "People",
    "Who is active, who comes back, and who is missing.",
    (
        Panel("Active", "active", Shape.SERIES, ("date",), is_wide=True, counts_persons=True),
        Panel("Retention by week", "retention_week", Shape.HEAT, ("cohort,n",), most=16, is_wide=True, counts_persons=True),
        Panel("Retention by day", "retention_day", Shape.HEAT, ("cohort,n",), most=16, is_wide=True, counts_persons=True),
        Panel(
            "Lifecycle by week", "lifecycle", Shape.STACK, ("date",), ("new", "returned", "resurrected", "dormant"), counts_persons=True,
        ),
        Panel("Days active", "frequency", Shape.COLUMNS, ("days",), most=28, counts_persons=True),
        Panel(
            "Foreseen", "predictions", by=("model,decile", "model,subject_kind", "model,model_version"),
            figures=("people", "expected", "expected_share"), most=20, is_wide=True,
        ),
        Panel("Audiences", "audiences", by=("audience,subject_kind", "date,audience,subject_kind"), most=20, is_wide=True),
    ),
)  # fmt: skip

BEHAVIOUR: Final = DashboardPage(
    "behaviour",
    "Behaviour",
    "What visitors look at, click, search, play and load, and where they go.",
    (
        Part("paths"),
        Panel(
            "Pages", "pages", by=("page",), figures=("views", "entries", "exits", "exit_rate", "seconds_per_view", "mean_scroll"),
            most=15, is_wide=True,
        ),
        Panel("Elements", "elements", by=("page,element", "href", "item_id"), most=12),
        Panel("Search", "search", by=("query",), figures=("searches", "without_click_share", "refined_share"), most=12),
        Panel("Media", "media", by=("medium",), most=12, is_wide=True),
        Panel("Files", "files", by=("file", "type"), most=12, is_wide=True),
    ),
)  # fmt: skip

CONVERSION: Final = DashboardPage(
    "conversion",
    "Conversion",
    "How many come to the end of a way, and what they pay.",
    (
        Part("funnel"),
        Panel(
            "Orders", "traffic", Shape.SERIES, ("date",), ("orders", "buying_visits", "conversion_rate", "carts", "searches"), is_wide=True
        ),
        Panel("Conversion by source", "traffic", by=(*_SOURCES, "device"), figures=("buying_visits", "visits", "conversion_rate")),
        Panel(
            "Revenue", "revenue", by=("currency", "channel,currency", "country,currency"),
            figures=("revenue", "orders", "revenue_per_order"),
        ),
        Panel(
            "Triggers", "sends", by=("trigger", "trigger,outcome"),
            figures=("sent", "held_out", "rate_sent", "rate_held_out", "lift", "lift_low"), is_wide=True,
        ),
        Panel("Goals", "attribution", by=("goal", "goal,channel", "goal,currency"), is_wide=True, choice=_RULE),
    ),
)  # fmt: skip

ITEMS: Final = DashboardPage(
    "items",
    "Items",
    "What is viewed, put into carts and bought.",
    (
        Panel(
            "By day", "items", Shape.SERIES, ("date",), ("item_views", "item_carts", "purchases", "view_to_cart", "cart_to_purchase"),
            is_wide=True,
        ),
        Panel("Items", "items", by=("name,item_id", "category", "name,item_id,currency"), most=40, is_wide=True),
    ),
)  # fmt: skip

RECOMMENDER: Final = DashboardPage(
    "recommender",
    "Recommender",
    "What answers held, what came of it, and how good the model is.",
    (
        Panel(
            "Answers",
            "recommender",
            Shape.SERIES,
            ("date",),
            ("served", "shown", "shown_share", "clicks", "ctr"),
            is_wide=True,
        ),
        Part("model", ("model",)),
        Panel("CTR by place", "recommender", Shape.COLUMNS, ("position",), ("ctr", "shown", "clicks"), most=50),
        Panel(
            "Versions, surfaces and variants",
            "recommender",
            by=("model_version", "surface", "experiment,variant"),
            figures=("shown", "clicks", "ctr"),
        ),
        Panel(
            "Calibration: clicks by foreseen probability, %",
            "calibration",
            Shape.COLUMNS,
            ("foreseen_up_to",),
            ("ctr", "foreseen_ctr", "shown", "clicks", "foreseen"),
            draws=("ctr", "foreseen_ctr"),
        ),
        Part("lists", ("model",)),
        Part("experiments"),
        Part("bandits"),
        Part("actions"),
    ),
)

EVENTS: Final = DashboardPage(
    "events",
    "Events",
    "Every kind of event, one's own too; games and an app's releases.",
    (
        Panel(
            "By day",
            "events",
            Shape.SERIES,
            ("date",),
            ("events", "with_error", "error_share"),
            is_wide=True,
        ),
        Panel(
            "Kinds",
            "events",
            by=("event", "event,platform"),
            figures=("events", "with_error", "error_share", "value_mean"),
            most=30,
            is_wide=True,
        ),
        Panel("Levels of games", "games", Shape.COLUMNS, ("level",), most=60, is_wide=True),
        Panel("Releases", "releases", by=("app_version", "app_version,event"), most=20, is_wide=True),
    ),
)

QUALITY: Final = DashboardPage(
    "quality",
    "Quality",
    "What holds of the tables, how old they are, what was rejected, what is out of the ordinary, and how sites compare.",
    (
        Part("account"),
        Panel(
            "Checks",
            "quality",
            Shape.TABLE,
            ("table_name,severity", "severity,table_name,expectation,observed"),
            ("failed", "failed_share"),  # so those that fail come first
            most=12,
            is_wide=True,
        ),
        Panel(
            "Freshness",
            "freshness",
            Shape.TABLE,
            ("table_name,written_at",),
            ("age_seconds", "rows", "version"),
            most=50,
            is_wide=True,
        ),
        Part("lag"),
        Panel(
            "Quarantine",
            "rejects",
            by=("reason", "reason,message", "origin,source"),
            most=20,
            is_wide=True,
            goes_on=True,
        ),
        Part("rejects"),
        Panel(
            "Out of the ordinary", "anomalies", by=("kind,state", "site,kind", "severity,state"), most=20, is_wide=True
        ),
        Part("unusual"),
        Panel("Sites side by side", "benchmarks", Shape.TABLE, ("site,figure",), most=30, is_wide=True),
    ),
)

DEFINITIONS: Final = DashboardPage(
    "definitions", "Definitions", "What each word and figure means, and over what it adds up.", (Part("definitions"),)
)

LIVE: Final = DashboardPage(
    "live", "Live", "What arrives now, before any job has read it; bots are among it.", (Part("live"),)
)

PAGES: Final = (
    OVERVIEW, ACQUISITION, PEOPLE, BEHAVIOUR, CONVERSION, ITEMS, RECOMMENDER, EVENTS, LIVE, QUALITY, DEFINITIONS,
)  # fmt: skip

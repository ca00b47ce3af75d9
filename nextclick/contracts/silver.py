"""Silver: typed, checked, deduplicated for ever; sessions, identities, items and every reject."""

from nextclick.contracts.bronze import SEQ
from nextclick.contracts.table import Column, Table

MONEY = "decimal(18,4)"
AMOUNT = "decimal(38,4)"
"""Price × quantity, and sums of it: the largest price and quantity fit 1e14 times."""
REVENUE = f"map<string,{AMOUNT}>"
DWELL_MS = 31 * 86_400_000
"""A month: no page was looked at for longer in one piece, and a bigint holds the sum of three billion such events."""
ORDER_LINES = (
    f"array<struct<order_id:string,item_id:string,at:timestamp,id:string,currency:string,amount:{AMOUNT},"
    "first:struct<at:timestamp,id:string>>>"
)
CONSENT = "struct<analytics:boolean,personalization:boolean,advertising:boolean>"
SITE = Column("site", "string", "The site or app that the event belongs to.", nullable=False)

EVENTS = Table(
    name="silver.events",
    doc="One row per event: the first arrival of each (site, event_id, client_time).",
    columns=(
        SEQ,
        SITE,
        Column("event_id", "string", "The event's id within its site, from the client or derived.", nullable=False),
        Column("event", "string", "Kind: page_view, view_item, add_to_cart, purchase, … or custom.", nullable=False),
        Column(
            "client_time", "timestamp", "As the client stamped it, once; a resend carries it again.", nullable=False
        ),
        Column("occurred_at", "timestamp", "When it happened, corrected for the client's clock.", nullable=False),
        Column("sent_at", "timestamp", "When the client sent it."),
        Column("received_at", "timestamp", "When the collector or the import accepted it.", nullable=False),
        Column(
            "visitor_id", "string", "A device or browser, else ` user:` and the user's id; null only for item_update."
        ),
        Column("user_id", "string", "The known user, where the event names one."),
        Column("session_hint", "string", "The client's own session id: kept, never trusted."),
        Column("item_id", "string", "What is recommended: product, article, video."),
        Column("name", "string", "The item's name."),
        Column("category", "string", "The item's category."),
        Column("price", MONEY, "Price of one piece, in `currency`.", minimum=0),
        Column("currency", "string", "ISO 4217 code."),
        Column("quantity", "int", "Pieces.", minimum=0, maximum=1_000_000),
        Column("order_id", "string", "The order that a purchase belongs to."),
        Column("query", "string", "What was searched."),
        Column(
            "page_url", "string", "The page's address, without click, session and UTM parameters and e-mail addresses."
        ),
        Column("referrer", "string", "Where the visitor came from, cleaned likewise."),
        Column(
            "utm_source", "string", "Campaign source, from the event or from the page's address; so the other four."
        ),
        Column("utm_medium", "string", "Campaign medium."),
        Column("utm_campaign", "string", "Campaign name."),
        Column("utm_term", "string", "Campaign term."),
        Column("utm_content", "string", "Campaign content."),
        Column("user_agent", "string", "The browser's User-Agent header."),
        Column("ip", "string", "The address, truncated before it is stored."),
        Column("country", "string", "Country code, as the source gives it."),
        Column("device", "string", "Device class, as the source gives it."),
        Column(
            "dwell_ms",
            "bigint",
            "Milliseconds of engagement that this event reports.",
            minimum=0,
            maximum=DWELL_MS,
        ),
        Column("scroll_pct", "double", "Depth reached, per cent.", minimum=0, maximum=100),
        Column("position", "int", "Place in a list, from 1.", minimum=0),
        Column("surface", "string", "Where on the page or app a list was shown."),
        Column("list_id", "string", "The list that the item was shown in."),
        Column("request_id", "string", "The recommendation answer that this event belongs to."),
        Column("model_version", "string", "The model that made the answer."),
        Column("propensity", "double", "Probability with which the item was shown.", minimum=0, maximum=1),
        Column("experiment", "string", "The experiment that the visitor was in."),
        Column("variant", "string", "The experiment's variant."),
        Column("properties", "map<string,string>", "Everything else that the event carried."),
        Column("source", "string", "Who sent it: a dialect, `log`, `import:NAME`.", nullable=False),
        Column("channel", "string", "Marketing channel, from UTM tags, click ids and referrer.", nullable=False),
        Column(
            "payload_hash", "bigint", "xxhash64 of the event without its times, network and source.", nullable=False
        ),
        # Columns that a later version adds stand behind payload_hash: see spark_jobs/transforms/silver/type_events.py.
        Column("timezone", "string", "The device's time zone, as IANA names it."),
        Column("consent", CONSENT, "What the visitor allowed; null where nobody said."),
        Column(
            "unread_fields",
            "array<string>",
            "Fields whose value could not be read: it is in `properties`, and the column is null.",
        ),
    ),
    key=("site", "event_id", "client_time"),
    job="build_events",
    does="typed, checked, deduplicated",
    reads=("bronze.events",),
)

MOVED, RESTORED = "moved", "restored"
"""Reasons of rows whose origin is operator: a person took the event out of silver.events; a replay let it in again."""

QUARANTINE = Table(
    name="silver.quarantine",
    doc="One row per reject, with its reason: by the door (collector, import), by silver, or by a person.",
    columns=(
        SEQ,
        Column("origin", "string", "Who rejected it.", nullable=False, one_of=("door", "silver", "operator")),
        Column("reason", "string", "Reason code, such as bad_type or id_collision.", nullable=False),
        Column("message", "string", "What was wrong, where, and the limit it broke.", nullable=False),
        Column("payload", "string", "The payload, whole up to the body cap.", nullable=False),
        Column("replayable", "boolean", "The payload is whole, so a replay can mend it.", nullable=False),
        Column("source", "string", "Who sent it."),
        Column("received_at", "timestamp", "When it came."),
    ),
    key=("origin", "seq"),
    job="build_events",
    log_job=("ingest_rejects", "quarantine log → silver"),
    reads=("bronze.events",),
)

IDENTITIES = Table(
    name="silver.identities",
    doc="One row per link seen between a visitor, or a user that was merged, and a user. docs/identity.md says what follows.",
    columns=(
        SITE,
        Column(
            "kind",
            "string",
            "visitor: a visitor's user. alias: a user merged into another.",
            nullable=False,
            one_of=("visitor", "alias"),
        ),
        Column("id", "string", "The visitor_id, or the user id that was merged away.", nullable=False),
        Column("user_id", "string", "The user that it is.", nullable=False),
        Column("first_at", "timestamp", "First event that says so.", nullable=False),
        Column("last_at", "timestamp", "Last event that says so.", nullable=False),
        Column("last_event_id", "string", "Id of that last event: breaks ties of last_at.", nullable=False),
    ),
    key=("site", "kind", "id", "user_id"),
    job="build_identities",
    does="which visitor is which user",
    reads=("silver.events",),
    format=2,
    change_feed=True,
)

ITEMS = Table(
    name="silver.items",
    doc="One row per item: each attribute as the latest event or record of its most trusted source gives it ([items] of the settings).",
    columns=(
        SITE,
        Column("item_id", "string", "The item.", nullable=False),
        Column("name", "string", "Name."),
        Column("category", "string", "Category."),
        Column("price", MONEY, "Price.", minimum=0),
        Column("currency", "string", "Currency of that price."),
        Column(
            "available", "boolean", "Whether it can be had (nextclick/contracts/availability.py); null if nobody said."
        ),
        Column("attributes", "map<string,string>", "Latest attributes of a catalogue record."),
        Column("first_seen", "timestamp", "First event or record of it.", nullable=False),
        Column("last_seen", "timestamp", "Last event or record of it.", nullable=False),
        Column(
            "latest",
            "struct<name:struct<at:timestamp,id:string,value:string>,"
            "category:struct<at:timestamp,id:string,value:string>,"
            f"price:struct<at:timestamp,id:string,value:struct<price:{MONEY},currency:string>>,"
            "available:struct<at:timestamp,id:string,value:boolean>,"
            "attributes:struct<at:timestamp,id:string,value:string>>",
            "For each attribute the event (time, id) that it comes from, so that late events compose.",
        ),
        Column(
            "trusted",
            "struct<name:string,category:string,price:string,available:string,attributes:string>",
            "For each attribute who says so: catalogue, server or page.",
        ),
        Column("in_catalogue", "boolean", "A catalogue record names it, not events alone."),
    ),
    key=("site", "item_id"),
    job="build_items",
    does="what is known of each item",
    reads=("silver.events",),
    change_feed=True,
)

DEVICES = ("desktop", "phone", "tablet", "tv", "console", "bot", "other")

USER_AGENTS = Table(
    name="silver.user_agents",
    doc="One row per distinct user agent: what it says of the browser, the system and the device, and whether it is a bot.",
    columns=(
        Column("user_agent", "string", "The User-Agent header, as events carry it.", nullable=False),
        Column(
            "browser",
            "string",
            "Browser, or the program that it is; null where nothing is known, as in the next three.",
        ),
        Column("browser_version", "string", "Its version: up to three numbers with dots between."),
        Column("os", "string", "Operating system."),
        Column("os_version", "string", "Its version."),
        Column("device", "string", "Device class.", nullable=False, one_of=DEVICES),
        Column("is_bot", "boolean", "A program visits, not a person: gold leaves it out.", nullable=False),
        Column("bot_name", "string", "Which bot; null for people."),
    ),
    key=("user_agent",),
    job="build_user_agents",
    does="browsers, devices, bots",
    reads=("silver.events",),
)

SESSIONS = Table(
    name="silver.sessions",
    doc="One row per session: events of one visitor on one site with no gap longer than the site's ([sessions] of the settings).",
    columns=(
        Column("session_id", "string", "Hash of the site, the visitor and the session's first event.", nullable=False),
        SITE,
        Column("visitor_id", "string", "The device or browser.", nullable=False),
        Column("started_at", "timestamp", "Time of the first event.", nullable=False),
        Column("ended_at", "timestamp", "Time of the last event.", nullable=False),
        Column("events", "bigint", "Events.", nullable=False, minimum=1),
        Column("page_views", "bigint", "Events page_view.", nullable=False, minimum=0),
        Column("item_views", "bigint", "Events view_item.", nullable=False, minimum=0),
        Column("searches", "bigint", "Events search.", nullable=False, minimum=0),
        Column("clicks", "bigint", "Events click.", nullable=False, minimum=0),
        Column("plays", "bigint", "Events play.", nullable=False, minimum=0),
        Column("carts", "bigint", "Events add_to_cart.", nullable=False, minimum=0),
        Column(
            "purchases", "bigint", "Events purchase (one an item); an order counts once.", nullable=False, minimum=0
        ),
        Column(
            "passive",
            "bigint",
            "Events engagement, scroll, pause and refund: attention, or the shop's doing, not an act.",
            nullable=False,
            minimum=0,
        ),
        Column(
            "revenue",
            REVENUE,
            "Sum of price × quantity of its purchases less its refunds, per currency.",
            nullable=False,
        ),
        Column("engaged_ms", "bigint", "Sum of dwell_ms.", nullable=False, minimum=0),
        Column("max_scroll_pct", "double", "Deepest scroll, per cent.", minimum=0, maximum=100),
        Column("entry_page", "string", "page_url of the first event that has one."),
        Column("exit_page", "string", "page_url of the last event that has one."),
        Column("channel", "string", "Channel of the first event.", nullable=False),
        Column("device", "string", "Device class of the first event."),
        Column("country", "string", "Country of the first event."),
        Column(
            "user_agent", "string", "User agent of the first event: a bot's session is one that starts with a bot's."
        ),
        Column("is_bounce", "boolean", "At most one act (an event that is not passive).", nullable=False),
        Column("is_overlong", "boolean", "Longer than sessions.overlong_hours.", nullable=False),
        Column("first_event_id", "string", "Id of the first event by (occurred_at, event_id).", nullable=False),
        Column(
            "entry", "struct<at:timestamp,id:string,page:string>", "The event of entry_page, so that sessions compose."
        ),
        Column(
            "exit", "struct<at:timestamp,id:string,page:string>", "The event of exit_page, so that sessions compose."
        ),
        Column("refunds", "bigint", "Events refund.", minimum=0),
        Column(
            "order_lines",
            ORDER_LINES,
            "Its purchases that name an order, with the first send of each line by this visitor, so that sessions compose; "
            "a line counts in the session of its first send. Null where it has none.",
        ),
        Column("other_revenue", REVENUE, "Revenue without that of order_lines, where it has some."),
    ),
    key=("session_id",),
    job="build_sessions",
    does="visits, exact",
    made_with=("sessions",),
    reads=("silver.events",),
    change_feed=True,
)

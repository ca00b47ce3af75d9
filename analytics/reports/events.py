"""Events by themselves: what is clicked, loaded, played, searched, and kinds of one's own."""

from typing import Final

from analytics.report import Report
from nextclick.definitions import content as c
from nextclick.definitions.visits import VIEWS

SOURCES: Final = ("silver.events", "silver.user_agents")
_PEOPLE: Final = """
    SELECT *, CAST(occurred_at AT TIME ZONE {zone} AS DATE) AS date, (site, visitor_id) AS visitor FROM silver.events
    WHERE occurred_at >= {since} - INTERVAL 2 DAY AND occurred_at < {until} + INTERVAL 2 DAY AND visitor_id IS NOT NULL
        AND (user_agent IS NULL OR user_agent NOT IN (SELECT user_agent FROM silver.user_agents WHERE is_bot))
        AND {counts}
"""
_PATH: Final = "regexp_replace(page_url, '[?#].*', '')"


def of_people(columns: str, where: str) -> str:
    """Events of people, by the day of the site."""
    return f"SELECT {columns} FROM ({_PEOPLE}) WHERE {where}"


PAGES: Final = Report(
    name="pages",
    doc="What pages are viewed, where visits begin and end, and how far they are read.",
    reads=("gold.page_daily",),
    rows="""
        SELECT date, site, page, views, visitors AS page_visitors, entries, exits, entry_bounces,
            nullif(engaged_ms, 0) / 1000 AS engaged_seconds, scroll_sum, scroll_n
        FROM gold.page_daily
    """,
    dimensions=("date", "site", "page"),
    around=0,
    metrics=(
        VIEWS, c.PAGE_VISITORS, c.ENTRIES, c.EXITS, c.EXIT_RATE, c.ENTRY_BOUNCES, c.ENTRY_BOUNCE_RATE, c.PAGE_SECONDS,
        c.SECONDS_PER_VIEW, c.SCROLL_SUM, c.SCROLL_N, c.MEAN_SCROLL,
    ),
    by=("page",),
)  # fmt: skip

EVENTS: Final = Report(
    name="events",
    doc="Every kind of event, custom ones too.",
    expects="Any event; property error, property value where it is a number, property platform.",
    reads=("gold.event_daily",),
    rows="SELECT date, site, event, platform, events, visitors AS event_visitors, with_error, value_sum, value_n FROM gold.event_daily",
    dimensions=("date", "site", "event", "platform"),
    around=0,
    metrics=(c.EVENTS, c.EVENT_VISITORS, c.WITH_ERROR, c.ERROR_SHARE, c.VALUE_SUM, c.VALUE_N, c.VALUE_MEAN),
    by=("event",),
)

ELEMENTS: Final = Report(
    name="elements",
    doc="What is clicked on a page.",
    expects="Events click with property target (the page tag's mark), element or id; href or url.",
    reads=SOURCES,
    rows=of_people(
        f"""date, site, {_PATH} AS page, coalesce(properties['target'], properties['element'], properties['id']) AS element,
            coalesce(properties['href'], properties['url']) AS href, item_id, visitor, 1 AS clicks""",
        "event = 'click'",
    ),
    dimensions=("date", "site", "page", "element", "href", "item_id"),
    metrics=(c.ELEMENT_CLICKS, c.WHO),
    by=("page", "element"),
)

FILES: Final = Report(
    name="files",
    doc="What is downloaded, and which images, styles and other files are loaded, as pages and logs say.",
    expects="Events download or file_download with property file, file_name or href; or an access log, whose static requests count.",
    reads=SOURCES,
    rows=f"""
        SELECT date, site, file, lower(nullif(regexp_extract(file, '\\.([A-Za-z0-9]+)$', 1), '')) AS type, visitor, 1 AS loads, bytes
        FROM ({
        of_people(
            "date, site, visitor, TRY_CAST(properties['bytes'] AS BIGINT) AS bytes, regexp_replace(coalesce("
            "CASE WHEN event <> 'request' THEN coalesce(properties['file'], properties['file_name'], properties['href']) END, page_url), "
            "'[?#].*', '') AS file",
            "event IN ('download', 'file_download') OR event = 'request' AND properties['label'] = 'static'",
        )
    })
    """,
    dimensions=("date", "site", "file", "type"),
    metrics=(c.LOADS, c.WHO, c.BYTES),
    by=("file",),
)

MEDIA: Final = Report(
    name="media",
    doc="What is played, and how far.",
    expects=(
        "Events play, pause, media_progress, media_complete (or video_…) with item_id, or property media or video_title; property percent "
        "(or video_percent) for how far; dwell_ms for the time watched."
    ),
    reads=SOURCES,
    rows=f"""
        SELECT *, CAST(percent >= 25 AS INT) AS reached_25, CAST(percent >= 50 AS INT) AS reached_50,
            CAST(percent >= 75 AS INT) AS reached_75, CAST(percent >= 100 AS INT) AS reached_100
        FROM (
            SELECT date, site, medium, visitor, 1 AS viewings, count(CASE WHEN event = 'play' THEN 1 END) AS plays,
                coalesce(max(TRY_CAST(percent AS DOUBLE)), 0) AS percent, coalesce(sum(dwell_ms), 0) / 1000 AS watched_seconds
            FROM ({
        of_people(
            "date, site, event, visitor, dwell_ms, coalesce(item_id, properties['media'], properties['video_title']) AS medium, "
            "coalesce(properties['percent'], properties['video_percent'], "
            "CASE WHEN event IN ('media_complete', 'video_complete') THEN '100' END) AS percent",
            "event IN ('play', 'pause', 'media_progress', 'media_complete', 'video_progress', 'video_complete')",
        )
    }) GROUP BY date, site, medium, visitor
        )
    """,
    dimensions=("date", "site", "medium"),
    metrics=(c.PLAYS, c.VIEWINGS, c.WHO, *c.REACHED, c.COMPLETION, c.WATCHED_SECONDS),
    by=("medium",),
)

SEARCH: Final = Report(
    name="search",
    doc="What is searched, and whether it was found.",
    expects="Events search with query.",
    reads=("gold.visits", "silver.events"),
    # Windows over the visit: its last act of an item, and its next search.
    rows="""
        WITH acts AS (
            SELECT v.date, v.site, v.visitor_id, v.session_id, e.event, e.occurred_at, lower(trim(e.query)) AS query
            FROM gold.visits v JOIN silver.events e ON e.site = v.site AND e.visitor_id = v.visitor_id
                AND e.occurred_at BETWEEN v.started_at AND v.ended_at
            WHERE v.date BETWEEN {since} AND {until} AND v.searches > 0
                AND e.event IN ('search', 'click', 'view_item', 'add_to_cart', 'purchase')
        ), searches AS (
            SELECT *, max(CASE WHEN event <> 'search' THEN occurred_at END) OVER (PARTITION BY session_id) AS last_act,
                lead(query) OVER (PARTITION BY session_id, event ORDER BY occurred_at) AS next_query
            FROM acts
        )
        SELECT date, site, query, (site, visitor_id) AS visitor, 1 AS searches,
            CAST(last_act IS NULL OR last_act < occurred_at AS INT) AS without_click,
            CAST(next_query IS NOT NULL AND next_query IS DISTINCT FROM query AS INT) AS refined
        FROM searches WHERE event = 'search'
    """,
    dimensions=("date", "site", "query"),
    around=0,
    metrics=(c.SEARCHED, c.WHO, c.WITHOUT_CLICK, c.WITHOUT_CLICK_SHARE, c.REFINED, c.REFINED_SHARE),
    by=("query",),
)

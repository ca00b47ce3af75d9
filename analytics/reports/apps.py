"""Games and an app's releases."""

from typing import Final

from analytics.report import Report, seconds_between
from analytics.reports.events import SOURCES, of_people
from nextclick.definitions import apps as a
from nextclick.definitions.visits import VISITS

GAMES: Final = Report(
    name="games",
    doc="Who starts, completes and fails a level, and where they stop.",
    expects="Events level_start, level_complete, level_fail with property level.",
    reads=SOURCES,
    rows=f"""
        WITH levels AS ({of_people(
            "date, site, visitor, event, occurred_at, properties['level'] AS level",
            "event IN ('level_start', 'level_complete', 'level_fail') AND properties['level'] IS NOT NULL",
        )}), tries AS (
            SELECT *, lag(event) OVER tried AS before, lag(occurred_at) OVER tried AS before_at,
                row_number() OVER (PARTITION BY visitor ORDER BY occurred_at DESC, event) AS back FROM levels
            WINDOW tried AS (PARTITION BY visitor, level ORDER BY occurred_at)
        ), newest AS (SELECT max(occurred_at) AS newest_at FROM levels)
        SELECT date, site, level, visitor, event, CAST(event = 'level_start' AS INT) AS starts,
            CAST(event = 'level_complete' AS INT) AS completes, CAST(event = 'level_fail' AS INT) AS fails,
            CASE WHEN event = 'level_complete' AND before = 'level_start' THEN {seconds_between('before_at', 'occurred_at')}
                END AS seconds,
            CAST(back = 1 AND occurred_at <= newest_at - INTERVAL 7 DAY AS INT) AS quit_here
        FROM tries CROSS JOIN newest
    """,
    dimensions=("date", "site", "level"),
    metrics=(
        a.PLAYERS, a.STARTS, a.FAILS, a.COMPLETES, a.COMPLETED_BY, a.TRIES, a.SECONDS_TO_COMPLETE, a.QUIT,
    ),
    by=("level",),
)  # fmt: skip

RELEASES: Final = Report(
    name="releases",
    doc="Whether a release crashes, errs or is slow, beside the others.",
    expects="Property app_version on events; app_crash; property error; property value where it is a number, such as milliseconds.",
    reads=("gold.visits", *SOURCES),
    rows=f"""
        SELECT date, site, app_version, os, 1 AS visits, CAST(crashes > 0 AS INT) AS crashed_visits, NULL AS event, NULL AS events,
            NULL AS with_error, NULL AS value
        FROM gold.visits WHERE app_version IS NOT NULL
        UNION ALL SELECT date, site, app_version, NULL, NULL, NULL, event, 1, CAST(coalesce(error, '') NOT IN ('', 'false') AS INT), value
        FROM ({of_people(
            "date, site, properties['app_version'] AS app_version, event, lower(properties['error']) AS error, "
            "TRY_CAST(properties['value'] AS DOUBLE) AS value",
            "properties['app_version'] IS NOT NULL",
        )})
    """,
    dimensions=("date", "site", "app_version", "os", "event"),
    around=0,
    metrics=(
        VISITS, a.CRASHED_VISITS, a.CRASH_FREE, a.EVENTS, a.WITH_ERROR, a.ERROR_SHARE, a.ERROR_LOW, a.ERROR_HIGH, a.P50, a.P95,
    ),
    by=("app_version",),
)  # fmt: skip

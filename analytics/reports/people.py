"""Who comes, how often, and who comes back."""

from typing import Final

from analytics.people import counts
from analytics.report import Report
from nextclick.definitions import audiences as a
from nextclick.definitions import people as p

_SITES: Final = ("date", "site")

ACTIVE: Final = Report(
    name="active",
    doc="Visitors active in the 1, 7 and analytics.active_days days that end with each day.",
    reads=("gold.visitor_days",),
    # A day of activity makes its visitor active until the 7th, or 28th, day, or until the next day of activity takes over.
    # So each adds one where it begins and takes it back where it ends, and a running sum counts: nobody twice, without sets of ids.
    rows="""
        WITH days AS (
            SELECT site, date, lead(date) OVER (PARTITION BY site, visitor_id ORDER BY date) AS next_date
            FROM gold.visitor_days WHERE date > {since} - {active_days} AND date <= {until}
        ), newest AS (SELECT max(date) AS newest_date FROM days), edges AS (
            SELECT site, date, 1 AS day, 1 AS week, 1 AS month FROM days
            UNION ALL SELECT site, least(next_date, date + 7), 0, -1, 0 FROM days
            UNION ALL SELECT site, least(next_date, date + {active_days}), 0, 0, -1 FROM days
            UNION ALL SELECT site, CAST(day AS DATE), 0, 0, 0 FROM (
                SELECT site, unnest(generate_series(oldest_date, newest_date, INTERVAL 1 DAY)) AS day
                FROM (SELECT site, min(date) AS oldest_date FROM days GROUP BY site) CROSS JOIN newest
            )
        ), counts AS (
            SELECT date, site, sum(day) AS dau, sum(week) AS week, sum(month) AS month FROM edges GROUP BY date, site
        )
        SELECT date, site, dau, wau, mau FROM (
            SELECT date, site, dau, sum(week) OVER so_far AS wau, sum(month) OVER so_far AS mau FROM counts
            WINDOW so_far AS (PARTITION BY site ORDER BY date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
        ) CROSS JOIN newest WHERE date >= {since} AND date <= newest_date
    """,
    counted=counts.active,
    dimensions=_SITES,
    around=0,
    looks_back=True,
    metrics=(p.DAU, p.WAU, p.MAU, p.STICKINESS),
    last_day=True,
)


def _retention(period: str, days: int, most: int) -> str:
    """Rows of cohorts by `period`, which has so many days, for at most so many periods after their first."""
    start, first = (
        column if days == 1 else f"CAST(date_trunc('{period}', {column}) AS DATE)" for column in ("date", "first_date")
    )
    once = "" if days == 1 else "DISTINCT"
    return f"""
        WITH firsts AS (
            SELECT * FROM (
                SELECT site, visitor_id, {first} AS cohort FROM {{firsts}}
                WHERE first_date >= {{since}} AND first_date < {{until}} + {days}
            ) WHERE cohort BETWEEN {{since}} AND {{until}}
        ), active AS (
            SELECT {once} site, visitor_id, cohort, {start} AS period FROM gold.visitor_days JOIN firsts USING (site, visitor_id)
            WHERE date >= {{since}}
        ), cohorts AS (
            SELECT site, cohort, count(*) AS size FROM firsts GROUP BY site, cohort
        ), cells AS (
            SELECT site, cohort, size, CAST(n AS BIGINT) AS n, cohort + CAST(n AS INT) * {days} + {days - 1} <= {{newest}} AS lived
            FROM cohorts CROSS JOIN (SELECT unnest(generate_series(0, {most})) AS n)
            WHERE cohort + CAST(n AS INT) * {days} <= {{newest}}
        ), back AS (
            SELECT site, cohort, date_diff('day', cohort, period) // {days} AS n, count(*) AS visitors FROM active GROUP BY ALL
        ), spans AS (
            SELECT site, cohort, date_diff('day', cohort, latest) // {days} AS n, count(*) AS visitors
            FROM (SELECT site, visitor_id, cohort, max(period) AS latest FROM active GROUP BY ALL) GROUP BY ALL
        ), later AS (
            SELECT cells.site, cells.cohort, cells.n, sum(spans.visitors) AS visitors
            FROM cells JOIN spans ON spans.site = cells.site AND spans.cohort = cells.cohort AND spans.n >= cells.n
            GROUP BY cells.site, cells.cohort, cells.n
        )
        SELECT site, cohort, n, CASE WHEN lived THEN size END AS cohort_size,
            CASE WHEN lived THEN coalesce(back.visitors, 0) END AS retained,
            CASE WHEN lived THEN coalesce(later.visitors, 0) END AS retained_since
        FROM cells LEFT JOIN back USING (site, cohort, n) LEFT JOIN later USING (site, cohort, n)
    """


_RETENTION: Final = (p.COHORT_SIZE, p.RETAINED, p.RETAINED_SINCE, p.RETENTION)

RETENTION_DAY: Final = Report(
    name="retention_day",
    doc="Of visitors by their first ever day: how many were active n days later.",
    reads=("gold.visitor_days",),
    rows=_retention("day", 1, 60),
    counted=counts.retention(1, 60),
    dimensions=("cohort", "site", "n"),
    metrics=_RETENTION,
    by=("cohort", "n"),
    date="cohort",
    across="n",
    around=0,
    onwards=True,
)

RETENTION_WEEK: Final = Report(
    name="retention_week",
    doc="Of visitors by their first ever week, from Monday: how many were active n weeks later.",
    reads=("gold.visitor_days",),
    rows=_retention("week", 7, 52),
    counted=counts.retention(7, 52),
    dimensions=("cohort", "site", "n"),
    metrics=_RETENTION,
    by=("cohort", "n"),
    date="cohort",
    across="n",
    around=0,
    onwards=True,
)

LIFECYCLE: Final = Report(
    name="lifecycle",
    doc="Of each week, from Monday: who is new, returns, was away, and who of the week before is missing.",
    reads=("gold.visitor_days",),
    # The weeks of the range with a fortnight around: who is neither new nor was there a week before was away, and who was there a
    # week before and is not here is missing.
    rows="""
        WITH weeks AS (
            SELECT DISTINCT site, visitor_id, CAST(date_trunc('week', date) AS DATE) AS week FROM gold.visitor_days
            WHERE date BETWEEN {since} - 14 AND {until} + 14
        ), counts AS (
            SELECT site, week, count(*) AS active FROM weeks GROUP BY site, week
        ), returns AS (
            SELECT here.site, here.week, count(*) AS returned
            FROM weeks here JOIN weeks before
                ON before.site = here.site AND before.visitor_id = here.visitor_id AND before.week = here.week - 7
            GROUP BY here.site, here.week
        ), newcomers AS (
            SELECT site, week, count(*) AS new FROM (
                SELECT site, CAST(date_trunc('week', first_date) AS DATE) AS week FROM {firsts}
                WHERE first_date BETWEEN {since} - 14 AND {until} + 14
            ) GROUP BY site, week
        )
        SELECT week AS date, site, active, coalesce(new, 0) AS new, coalesce(returned, 0) AS returned,
            active - coalesce(new, 0) - coalesce(returned, 0) AS resurrected, CASE WHEN week + 6 <= {newest} THEN 0 END AS dormant
        FROM counts LEFT JOIN returns USING (site, week) LEFT JOIN newcomers USING (site, week)
        UNION ALL SELECT counts.week + 7, counts.site, 0, 0, 0, 0, active - coalesce(returned, 0)
        FROM counts LEFT JOIN returns ON returns.site = counts.site AND returns.week = counts.week + 7
        WHERE active > coalesce(returned, 0) AND counts.week + 13 <= {newest}
    """,
    counted=counts.lifecycle,
    dimensions=_SITES,
    around=14,
    metrics=(p.ACTIVE, p.NEW, p.RETURNED, p.RESURRECTED, p.DORMANT),
)

FREQUENCY: Final = Report(
    name="frequency",
    doc="On how many of the analytics.active_days days that end with the range's last full day visitors were active.",
    reads=("gold.visitor_days",),
    rows="""
        SELECT site, days, 1 AS visitors FROM (
            SELECT site, visitor_id, count(*) AS days FROM gold.visitor_days
            WHERE date > least({until}, {newest}) - {active_days} AND date <= least({until}, {newest}) GROUP BY site, visitor_id
        )
    """,
    counted=counts.frequency,
    dimensions=("days", "site"),
    metrics=(p.DAYS_ACTIVE_VISITORS,),
    by=("days",),
    date=None,
    around=0,
    looks_back=True,
)

PREDICTIONS: Final = Report(
    name="predictions",
    doc="Who is expected not to come back, or to buy, as the last training foresaw it (docs/predictions.md).",
    reads=("gold.predictions",),
    rows="""
        SELECT site, model, model_version, subject_kind, decile, as_of, 1 AS people, calibrated AS expected FROM gold.predictions
    """,
    dimensions=("site", "model", "model_version", "subject_kind", "decile", "as_of"),
    metrics=(p.FORESEEN_PEOPLE, p.EXPECTED, p.EXPECTED_SHARE),
    by=("model", "decile"),
    date=None,
)

AUDIENCES: Final = Report(
    name="audiences",
    doc="Who enters and leaves audiences, and what those who belong did.",
    expects="Audiences in conf/audiences/.",
    reads=("silver.audience_changes", "gold.audience_members", "gold.visits"),
    rows="""
        SELECT CAST(changed_at AT TIME ZONE {zone} AS DATE) AS date, site, audience, subject_kind,
            CAST(entered AS INT) AS entered, 1 - CAST(entered AS INT) AS left_it,
            0 AS member_visits, 0 AS member_orders, 0 AS member_buying_visits
        FROM silver.audience_changes
        UNION ALL SELECT date, visits.site, audience, subject_kind, 0, 0, 1, orders, CAST(orders > 0 AS INT)
        FROM gold.visits AS visits JOIN gold.audience_members AS members ON members.site = visits.site
            AND members.subject_id = CASE WHEN subject_kind = 'visitor' THEN visits.visitor_id ELSE visits.user_id END
    """,
    dimensions=("date", "site", "audience", "subject_kind"),
    around=0,
    metrics=(a.ENTERED, a.LEFT, a.VISITS, a.ORDERS, a.BUYING_VISITS, a.CONVERSION_RATE),
    by=("audience", "subject_kind"),
)

"""All reports, in the order in which they are listed."""

from typing import Final

from analytics.report import Report
from analytics.reports import apps, benchmarks, campaigns, events, health, people, shop, visits
from nextclick.errors import UsageError

REPORTS: Final[tuple[Report, ...]] = (
    visits.TRAFFIC,
    visits.NEWCOMERS,
    visits.REVENUE,
    events.PAGES,
    events.ELEMENTS,
    events.FILES,
    events.MEDIA,
    events.EVENTS,
    events.SEARCH,
    people.ACTIVE,
    people.FREQUENCY,
    people.RETENTION_DAY,
    people.RETENTION_WEEK,
    people.LIFECYCLE,
    people.PREDICTIONS,
    people.AUDIENCES,
    campaigns.CAMPAIGNS,
    campaigns.ATTRIBUTION,
    campaigns.SENDS,
    shop.ITEMS,
    shop.RECOMMENDER,
    shop.MODEL,
    shop.CALIBRATION,
    apps.GAMES,
    apps.RELEASES,
    benchmarks.BENCHMARKS,
    benchmarks.MARKET,
    health.QUALITY,
    health.FRESHNESS,
    health.REJECTS,
    health.ANOMALIES,
)

_BY_NAME: Final = {report.name: report for report in REPORTS}


def report(name: str) -> Report:
    """The report of this name; UsageError lists those that there are."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UsageError(f"There is no report {name!r}. The reports are: {', '.join(_BY_NAME)}.") from None

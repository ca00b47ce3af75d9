"""All tables, in the order in which the data flows, and the Spark jobs that write them."""

from collections.abc import Iterator

from nextclick.contracts import (
    bronze,
    gold,
    gold_analytics,
    gold_anomalies,
    gold_lists,
    silver,
    silver_imported,
    silver_served,
)
from nextclick.contracts.table import Job, Table
from nextclick.errors import UsageError

TABLES: tuple[Table, ...] = (
    bronze.EVENTS,
    silver.EVENTS,
    silver.QUARANTINE,
    silver.IDENTITIES,
    silver.ITEMS,
    silver.USER_AGENTS,
    silver.SESSIONS,
    silver_served.SERVED_ITEMS,
    silver_served.SENDS,
    silver_served.AUDIENCE_CHANGES,
    silver_imported.COSTS,
    silver_imported.MARKET,
    gold_anomalies.ANOMALIES,
    gold_anomalies.SUSPECTS,
    gold.INTERACTIONS,
    gold.TRAFFIC_DAILY,
    gold.ITEM_DAILY,
    gold.RECOMMENDATION_PERFORMANCE,
    gold_analytics.VISITS,
    gold_analytics.VISITOR_DAYS,
    gold_analytics.PAGE_DAILY,
    gold_analytics.EVENT_DAILY,
    gold_analytics.CONVERSIONS,
    gold_analytics.CAMPAIGN_DAILY,
    gold_analytics.ATTRIBUTION_DAILY,
    gold_analytics.ATTRIBUTION_FITTED,
    gold_analytics.MODEL_DAILY,
    gold.PREDICTIONS,
    gold.AUDIENCE_MEMBERS,
    gold_lists.RECOMMENDATIONS,
    gold_lists.POPULAR_ITEMS,
    gold_lists.SIMILAR_ITEMS,
    gold_lists.NEXT_ITEMS,
    gold_lists.ITEM_VECTORS,
    gold.DATA_QUALITY,
)

_BY_NAME = {table.name: table for table in TABLES}


def written_by(job: str) -> tuple[Table, ...]:
    """The tables that a job writes, in the order in which the data flows."""
    return tuple(table for table in TABLES if table.job == job)


def _jobs() -> Iterator[Job]:
    for table in TABLES:
        if table.log_job:
            yield Job(*table.log_job, table.layer, (table.name,))
        if table.spark and table is written_by(table.job)[0]:
            yield _job(table)


def _job(first: Table) -> Job:
    tables = written_by(first.job)
    reads = tuple(dict.fromkeys(source for table in tables for source in table.reads))
    writes = tuple(table.name for table in tables)
    return Job(first.job, first.does, first.layer, writes, reads, first.waits_for)


JOBS: tuple[Job, ...] = tuple(sorted(_jobs(), key=lambda job: bool(job.reads)))
"""In order: those that read the logs, then along the tables."""


def table(name: str) -> Table:
    """The contract of `name`, such as `silver.events`; UsageError lists the names there are."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UsageError(f"There is no table {name!r}. The tables are: {', '.join(_BY_NAME)}.") from None

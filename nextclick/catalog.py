"""All tables, in the order in which the data flows."""

from nextclick.contract import Table
from nextclick.errors import UsageError
from nextclick.tables import bronze, gold, silver

TABLES: tuple[Table, ...] = (
    bronze.EVENTS,
    silver.EVENTS,
    silver.QUARANTINE,
    silver.IDENTITIES,
    silver.ITEMS,
    silver.USER_AGENTS,
    silver.SESSIONS,
    silver.IMPRESSIONS,
    gold.INTERACTIONS,
    gold.TRAFFIC_DAILY,
    gold.ITEM_DAILY,
    gold.RECOMMENDATION_PERFORMANCE,
    gold.RECOMMENDATIONS,
    gold.POPULAR_ITEMS,
    gold.SIMILAR_ITEMS,
    gold.NEXT_ITEMS,
    gold.ITEM_VECTORS,
    gold.DATA_QUALITY,
)

_BY_NAME = {table.name: table for table in TABLES}


def written_by(job: str) -> tuple[Table, ...]:
    """The tables that a job writes, in the order in which the data flows."""
    return tuple(table for table in TABLES if table.job == job)


def table(name: str) -> Table:
    """The contract of `name`, such as `silver.events`; UsageError lists the names there are."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise UsageError(f"There is no table {name!r}. The tables are: {', '.join(_BY_NAME)}.") from None

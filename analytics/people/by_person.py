"""Reports that count persons in place of visitors: whose a visitor is, silver.identities says when the report is asked.

A visit is its person's by its user and its start, a visitor's day by the end of that day.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from analytics.report import Report
from nextclick.errors import UsageError
from nextclick.lake.paths import Lake
from nextclick.lake.people import persons

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MOMENTS: Final = {
    "gold.visits": "SELECT *, started_at AS occurred_at FROM gold.visits",
    "gold.visitor_days": """
        SELECT date, site, visitor_id, CAST(NULL AS VARCHAR) AS user_id, CAST(date + 1 AS TIMESTAMPTZ) AS occurred_at FROM gold.visitor_days
    """,
}
_OF_PERSONS: Final = {
    "gold.visits": "SELECT * EXCLUDE (visitor_id, person_id), person_id AS visitor_id FROM persons",
    "gold.visitor_days": "SELECT DISTINCT date, site, person_id AS visitor_id FROM persons",
}


def show(database: "DuckDBPyConnection", lake: Lake, report: Report, views: Mapping[str, str]) -> dict[str, str]:
    """Make the tables of a report, or the `views` that stand for them, views of the same columns, with persons as visitors; table → view.

    UsageError where it has others.
    """
    if len(report.reads) != 1 or report.reads[0] not in _MOMENTS:
        raise UsageError(f"The report {report.name} counts visitors alone: leave --unit out.")
    [table] = report.reads
    moments = _MOMENTS[table].replace(table, views.get(table, table))
    database.execute(f"CREATE OR REPLACE TEMP VIEW moments AS {moments}")
    persons.show(database, "persons", "moments", lake)
    database.execute(f"CREATE OR REPLACE TEMP VIEW of_persons AS {_OF_PERSONS[table]}")
    return {table: "of_persons"}

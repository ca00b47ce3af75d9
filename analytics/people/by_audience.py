"""Reports of those alone who belong to an audience, as the nightly job last saw it.

A user belongs with all of the visitors that silver.identities knows as theirs, so what they did before they were known counts, too.
"""

from typing import TYPE_CHECKING, Final

from analytics.report import Report
from nextclick.audiences import definitions
from nextclick.contracts import catalog
from nextclick.contracts.gold import AUDIENCE_MEMBERS
from nextclick.contracts.silver import IDENTITIES, USER_AGENTS
from nextclick.errors import UsageError
from nextclick.identity.persons import ACCOUNT
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake
from nextclick.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OF_NOBODY: Final = {USER_AGENTS.name}
"""Tables that say what rows of others are, and count for nothing themselves."""
_VISITORS: Final = f"""
CREATE OR REPLACE TEMP TABLE belonging AS
WITH members AS (SELECT site, subject_kind, subject_id FROM audience_members WHERE audience = $audience)
SELECT site, subject_id AS visitor_id FROM members WHERE subject_kind = 'visitor'
UNION SELECT site, '{ACCOUNT}' || subject_id FROM members WHERE subject_kind = 'user'
UNION SELECT identities.site, id FROM identities
    JOIN members ON members.site = identities.site AND subject_kind = 'user' AND subject_id = user_id
WHERE kind = 'visitor'
"""


def known_audience(settings: Settings, name: str) -> str:
    """The name, if there is such an audience, or it is empty; else AudienceError, which lists those that there are."""
    if name:
        definitions.FORM.pick(definitions.load(settings.conf_dir / "audiences"), name)
    return name


def show(database: "DuckDBPyConnection", lake: Lake, report: Report, audience: str) -> dict[str, str]:
    """Make the tables of a report views with the rows of these visitors alone; table → view. UsageError where it is not of visitors."""
    counted = [name for name in report.reads if name not in _OF_NOBODY]
    if not counted or any("visitor_id" not in catalog.table(name).column_names for name in counted):
        raise UsageError(f"The report {report.name} does not know whose its rows are: leave --audience out.")
    for view, table in (("audience_members", AUDIENCE_MEMBERS), ("identities", IDENTITIES)):
        duck.show(database, view, lake, table.name, delta.open_table(lake, table.name))
    database.execute(_VISITORS, {"audience": audience})
    views = {name: f"{name.replace('.', '_')}_of_audience" for name in counted}
    for name, view in views.items():
        database.execute(
            f"CREATE OR REPLACE TEMP VIEW {view} AS FROM {name} SEMI JOIN belonging USING (site, visitor_id)"
        )
    return views


def note(audience: str) -> str:
    """What has to be known of such an answer."""
    return f"Of those alone who belong to the audience {audience}, as {AUDIENCE_MEMBERS.name} has them now."

"""Rows of silver without those of bots, and of suspects where the settings leave them out: the one way to what people did, without a JVM.

Whoever asks silver.events, silver.sessions or silver.served_items otherwise stands in tests/integration/test_suspects.py, with why.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from nextclick.contracts.events import may_personalize_sql
from nextclick.contracts.gold_anomalies import SUSPECTS, TIMES
from nextclick.contracts.silver import EVENTS, SESSIONS, USER_AGENTS
from nextclick.contracts.silver_served import SERVED_ITEMS
from nextclick.lake import delta, duck
from nextclick.settings import Settings

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

READS: Final = (USER_AGENTS.name, SUSPECTS.name)
"""What says whose rows are left out."""
_REFUSED: Final = {
    SESSIONS.name: "r.visitor_id = every_{0}.visitor_id AND r.occurred_at BETWEEN every_{0}.started_at AND every_{0}.ended_at",
    SERVED_ITEMS.name: "r.request_id = every_{0}.request_id",
}
"""Which events a row is of: with one of them that may not be learned from, neither may the row."""


def show(
    database: "DuckDBPyConnection",
    view: str,
    settings: Settings,
    name: str,
    table: "DeltaTable | None",
    some: Iterable[str] | None = None,
    learned: bool = False,
) -> None:
    """Make a version of table `name`, or `some` of its files, the view `view` without bots, and `every_VIEW` with them.

    It has a `user_agent`. Before silver.user_agents is there, nobody is known for a bot; a row without an agent is a person's.
    With anomalies.leave_out_suspects what gold.suspects names, by visitor and day, is left out as well. Where rows are `learned` from,
    so is what visitors did without consent (nextclick.contracts.events.may_personalize).
    """
    lake = settings.lake
    duck.show(database, f"every_{view}", lake, name, table, some)
    agents = delta.open_table(lake, USER_AGENTS.name)
    people = f"CREATE OR REPLACE TEMP VIEW {view} AS FROM every_{view}"
    if agents:
        duck.show(database, "agents", lake, USER_AGENTS.name, agents)
        people += " ANTI JOIN (SELECT user_agent FROM agents WHERE is_bot) USING (user_agent)"
    people += without_suspects(database, settings, f"every_{view}", TIMES[name])
    if table and learned:
        people += _with_consent(database, view, settings, name, table)
    database.execute(people)


def without_suspects(database: "DuckDBPyConnection", settings: Settings, view: str, time_column: str) -> str:
    """SQL behind `FROM view`, whose rows have a site, a visitor and a time: without what suspects did on their day, where the settings
    leave that out; else nothing.
    """
    suspects = delta.open_table(settings.lake, SUSPECTS.name) if settings.anomalies.leave_out_suspects else None
    if suspects is None:
        return ""
    duck.show(database, "suspects", settings.lake, SUSPECTS.name, suspects)
    day = f"CAST({view}.{time_column} AT TIME ZONE 'UTC' AS DATE)"
    return f" ANTI JOIN (FROM suspects WHERE is_suspect) s ON {view}.site = s.site AND {view}.visitor_id = s.visitor_id AND {day} = s.date"


def _with_consent(database: "DuckDBPyConnection", view: str, settings: Settings, name: str, table: "DeltaTable") -> str:
    """What servers say (`served`) needs no consent; it counts with what the visitor did."""
    lake, unless_said = settings.lake, settings.consent.personalization
    if name == EVENTS.name:
        return f" WHERE event = 'served' OR {allowed(table, unless_said)}"
    events = delta.open_table(lake, EVENTS.name)
    if events is None:
        return ""
    duck.show(database, "all_events", lake, EVENTS.name, events)
    refused = f"SELECT 1 FROM all_events r WHERE r.site = every_{view}.site AND {_REFUSED[name].format(view)}"
    return f" WHERE NOT EXISTS ({refused} AND event <> 'served' AND NOT {allowed(events, unless_said)})"


def allowed(events: "DeltaTable", unless_said: bool) -> str:
    """SQL: the event may be learned from. A table of before the column holds nothing that anybody said."""
    present = any(field.name == "consent" for field in events.schema().fields)
    return may_personalize_sql(unless_said) if present else str(unless_said).lower()

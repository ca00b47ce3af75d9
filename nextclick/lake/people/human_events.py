"""Rows of silver without those of bots, and of suspects, for counts and models of what people did, without a JVM."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from nextclick.contracts.events import may_personalize_sql
from nextclick.contracts.gold_anomalies import SUSPECTS, TIMES
from nextclick.contracts.silver import EVENTS, SERVED_ITEMS, SESSIONS, USER_AGENTS
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

_REFUSED: Final = {
    SESSIONS.name: "r.visitor_id = every_{0}.visitor_id AND r.occurred_at BETWEEN every_{0}.started_at AND every_{0}.ended_at",
    SERVED_ITEMS.name: "r.request_id = every_{0}.request_id",
}
"""Which events a row is of: with one of them that may not be learned from, neither may the row."""


def show(
    database: "DuckDBPyConnection",
    view: str,
    lake: Lake,
    name: str,
    table: "DeltaTable | None",
    unless_said: bool | None = None,
    some: Iterable[str] | None = None,
    without_suspects: bool = False,
) -> None:
    """Make a version of table `name`, or `some` of its files, the view `view` without bots, and `every_VIEW` with them.

    It has a `user_agent`. Before silver.user_agents is there, nobody is known for a bot; a row without an agent is a person's.
    Where rows are learned from, `unless_said` is consent.personalization: what visitors did without consent
    (nextclick.contracts.events.may_personalize) is left out. `without_suspects` is anomalies.leave_out_suspects: what gold.suspects
    names, by visitor and day, is left out as well.
    """
    duck.show(database, f"every_{view}", lake, name, table, some)
    agents = delta.open_table(lake, USER_AGENTS.name)
    people = f"CREATE OR REPLACE TEMP VIEW {view} AS FROM every_{view}"
    if agents:
        duck.show(database, "agents", lake, USER_AGENTS.name, agents)
        people += " ANTI JOIN (SELECT user_agent FROM agents WHERE is_bot) USING (user_agent)"
    if without_suspects and (suspects := delta.open_table(lake, SUSPECTS.name)):
        duck.show(database, "suspects", lake, SUSPECTS.name, suspects)
        day = f"CAST(every_{view}.{TIMES[name]} AT TIME ZONE 'UTC' AS DATE)"
        people += (
            f" ANTI JOIN (FROM suspects WHERE is_suspect) s ON every_{view}.site = s.site"
            f" AND every_{view}.visitor_id = s.visitor_id AND {day} = s.date"
        )
    if table and unless_said is not None:
        people += _with_consent(database, view, lake, name, table, unless_said)
    database.execute(people)


def _with_consent(
    database: "DuckDBPyConnection", view: str, lake: Lake, name: str, table: "DeltaTable", unless_said: bool
) -> str:
    """What servers say (`served`) needs no consent; it counts with what the visitor did."""
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

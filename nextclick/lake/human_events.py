"""Rows of silver without those of bots, for counts and models of what people did, without a JVM."""

from typing import TYPE_CHECKING

from nextclick.contracts.silver import USER_AGENTS
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection


def show(database: "DuckDBPyConnection", view: str, lake: Lake, name: str, table: "DeltaTable") -> None:
    """Make a version of table `name`, which has a `user_agent`, the view `view` without bots, and `every_VIEW` with them.

    Before silver.user_agents is there, nobody is known for a bot; a row without an agent is a person's.
    """
    duck.show(database, f"every_{view}", lake, name, table)
    agents = delta.open_table(lake, USER_AGENTS.name)
    people = f"CREATE OR REPLACE TEMP VIEW {view} AS FROM every_{view}"
    if agents:
        duck.show(database, "agents", lake, USER_AGENTS.name, agents)
        people += " ANTI JOIN (SELECT user_agent FROM agents WHERE is_bot) USING (user_agent)"
    database.execute(people)

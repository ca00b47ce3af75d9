"""Silver as occasions are looked for in: the acts and visits of people, of one site and some days, with the person of each.

Bots are left out, and suspects where the settings say so. Only files that may hold these days are opened.
"""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from nextclick.contracts.events import OUTSIDE_SESSIONS
from nextclick.contracts.silver import EVENTS, SESSIONS
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake
from nextclick.lake.people import human_events, persons
from nextclick.settings import Settings
from triggers.occasions.item_feed import ItemChange

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Looking(NamedTuple):
    """A database in which a lake is looked at, as it was at one moment."""

    database: "DuckDBPyConnection"
    settings: Settings
    as_of: datetime
    """What happened later does not count yet."""
    changes: tuple[ItemChange, ...] = ()
    """Of items, as the outbox keeps them."""

    @property
    def lake(self) -> Lake:
        return self.settings.lake

    def show_acts(self, site: str, since: datetime) -> None:
        """Make `acts` what people of the site did from `since` on: columns of silver.events, and person_id."""
        table = delta.open_table(self.lake, EVENTS.name)
        some = duck.within(table, "occurred_at", since, self.as_of) if table else None
        human_events.show(self.database, "people_events", self.settings, EVENTS.name, table, some)
        self._of_site(
            "SELECT site, visitor_id, user_id, event, event_id, occurred_at, item_id, coalesce(quantity, 1) AS pieces FROM people_events "
            f"WHERE event NOT IN {OUTSIDE_SESSIONS} AND event <> 'refund' AND visitor_id IS NOT NULL",
            site,
            since,
        )
        persons.show(self.database, "acts", "near", self.lake)

    def show_visits(self, site: str, since: datetime) -> None:
        """Make `visits` the ends of people's visits to the site from `since` on: person_id, occurred_at."""
        table = delta.open_table(self.lake, SESSIONS.name)
        some = duck.within(table, "ended_at", since, self.as_of) if table else None
        human_events.show(self.database, "people_sessions", self.settings, SESSIONS.name, table, some)
        self._of_site(
            "SELECT site, visitor_id, NULL::VARCHAR AS user_id, ended_at AS occurred_at FROM people_sessions",
            site,
            since,
        )
        persons.show(self.database, "visits", "near", self.lake)

    def _of_site(self, query: str, site: str, since: datetime) -> None:
        """Make `near` the rows of a query of one site, from `since` to this moment."""
        self.database.execute(
            f"CREATE OR REPLACE TEMP TABLE near AS FROM ({query}) WHERE site = $site AND occurred_at BETWEEN $since AND $as_of",
            {"site": site, "since": since, "as_of": self.as_of},
        )

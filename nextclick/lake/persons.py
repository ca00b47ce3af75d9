"""The person behind each event, by the rows of silver.identities as they are now (docs/identity.md), without a JVM.

Spark's form of it is spark_jobs/transforms/silver/identities.py.
"""

from typing import TYPE_CHECKING

from nextclick.contracts.merges import MOST_USERS, closed
from nextclick.contracts.persons import USER, VISITOR
from nextclick.contracts.silver import IDENTITIES
from nextclick.lake import delta, duck
from nextclick.lake.paths import Lake

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OWNERS = f"""
CREATE OR REPLACE TEMP TABLE owners AS
SELECT site, id AS visitor_id, list(struct_pack(first_at, last_at, last_event_id, user_id)) AS owners,
       max(struct_pack(before := -epoch_us(first_at), last_event_id, user_id)).user_id AS first_owner
FROM identities WHERE kind = 'visitor' GROUP BY ALL HAVING count(*) <= {MOST_USERS}
"""
_OWNER = """
CASE WHEN len(owners) = 1 THEN first_owner
     ELSE coalesce(list_max(list_transform(
         list_filter(owners, lambda o: o.first_at <= occurred_at),
         lambda o: struct_pack(until := least(o.last_at, occurred_at), since := o.first_at, event := o.last_event_id, user_id := o.user_id)
     )).user_id, first_owner) END
"""
"""The user within whose first and last event on the visitor the event lies (of several the one who came last), else who was there
last before it, else the first one."""
_PERSON = f"""
CASE WHEN known IS NULL THEN '{VISITOR}' || visitor_id
     WHEN starts_with(known, '{VISITOR}') OR starts_with(known, '{USER}') THEN '{USER}' || known
     ELSE known END
"""
_MERGED = "SELECT site, id, user_id, last_at, last_event_id FROM identities WHERE kind = 'alias' AND id <> user_id"


def show(database: "DuckDBPyConnection", view: str, events: str, lake: Lake) -> None:
    """Make the rows of `events`, a view of silver.events or of some of them, with their `person_id` the view `view`."""
    duck.show(database, "identities", lake, IDENTITIES.name, delta.open_table(lake, IDENTITIES.name))
    database.execute(_OWNERS)
    database.register("merged", closed(database.sql(_MERGED).to_arrow_table()))
    database.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW {view} AS
        SELECT * EXCLUDE (owner, person, known), {_PERSON} AS person_id
        FROM (SELECT *, coalesce(person, owner) AS known FROM (
            SELECT {events}.*, coalesce({events}.user_id, {_OWNER}) AS owner
            FROM {events} LEFT JOIN owners USING (site, visitor_id)
        ) LEFT JOIN (SELECT site, id AS owner, person FROM merged) USING (site, owner))
        """
    )

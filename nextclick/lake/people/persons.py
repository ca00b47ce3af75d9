"""The person behind each event (docs/identity.md), without a JVM: by the rows of silver.identities as they are now, or by such rows as
some events make.

Spark's form of it is spark_jobs/transforms/silver/identities.py.
"""

from collections.abc import Set
from typing import TYPE_CHECKING

from nextclick.contracts.events import BLANKS
from nextclick.contracts.silver import IDENTITIES
from nextclick.identity.merges import MOST_USERS, ONE_SPACE, closed
from nextclick.identity.persons import ACCOUNT, USER, VISITOR
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
_OF_ACCOUNT = f"CASE WHEN starts_with(visitor_id, '{ACCOUNT}') THEN substr(visitor_id, {len(ACCOUNT) + 1}) END"
"""The user whose events name no visitor: rows that are of visitors alone say so by its form."""
_PERSON = f"""
CASE WHEN known IS NULL THEN '{VISITOR}' || visitor_id
     WHEN starts_with(known, '{VISITOR}') OR starts_with(known, '{USER}') THEN '{USER}' || known
     ELSE known END
"""
_LINKS = f"""
SELECT site, kind, id, user_id, min(occurred_at) AS first_at, max(occurred_at) AS last_at,
       max(struct_pack(occurred_at, event_id)).event_id AS last_event_id
FROM (
    SELECT *, unnest(list_filter([
        CASE WHEN event <> 'alias' AND visitor_id <> user_id AND NOT starts_with(visitor_id, '{ACCOUNT}')
             THEN struct_pack(kind := 'visitor', id := visitor_id) END,
        CASE WHEN is_alias AND previous_id <> user_id THEN struct_pack(kind := 'alias', id := previous_id) END,
        CASE WHEN is_alias THEN struct_pack(kind := 'visitor', id := previous_id) END,
        CASE WHEN source IN {ONE_SPACE} THEN struct_pack(kind := 'visitor', id := user_id) END
    ], lambda link: link IS NOT NULL), recursive := true)
    FROM (
        SELECT *, event = 'alias' AND NOT coalesce(list_contains($nobody, lower(trim(previous_id, $blanks))), true) AS is_alias
        FROM {{events}}
    )
    WHERE user_id IS NOT NULL
) GROUP BY ALL
"""
_MERGED = "SELECT site, id, user_id, last_at, last_event_id FROM identities WHERE kind = 'alias' AND id <> user_id"


def show(database: "DuckDBPyConnection", view: str, events: str, lake: Lake) -> None:
    """Make the rows of `events`, a view of silver.events or of some of them, with their `person_id` the view `view`."""
    duck.show(database, "identities", lake, IDENTITIES.name, delta.open_table(lake, IDENTITIES.name))
    of_links(database, view, events)


def link(database: "DuckDBPyConnection", events: str, nobody_words: Set[str]) -> None:
    """Make `identities` of what `events` say, as silver.identities is made of silver.events; an alias has its `previous_id` as a column."""
    words = {"blanks": BLANKS, "nobody": sorted(nobody_words)}
    database.register("identities", database.sql(_LINKS.format(events=events), params=words).to_arrow_table())


def of_links(database: "DuckDBPyConnection", view: str, events: str) -> None:
    """As `show`, by the rows of `identities`, which is there."""
    database.execute(_OWNERS)
    database.register("merged", closed(database.sql(_MERGED).to_arrow_table()))
    database.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW {view} AS
        SELECT * EXCLUDE (owner, person, known), {_PERSON} AS person_id
        FROM (SELECT *, coalesce(person, owner) AS known FROM (
            SELECT {events}.*, coalesce({events}.user_id, {_OWNER}, {_OF_ACCOUNT}) AS owner
            FROM {events} LEFT JOIN owners USING (site, visitor_id)
        ) LEFT JOIN (SELECT site, id AS owner, person FROM merged) USING (site, owner))
        """
    )

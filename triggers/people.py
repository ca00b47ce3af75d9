"""Whom a message is for, and what it may speak of: contacts, items and recommendations, read from the lake in few questions."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from nextclick.contracts.gold_lists import POPULAR_ITEMS, RECOMMENDATIONS
from nextclick.contracts.silver import EVENTS, IDENTITIES, ITEMS
from nextclick.identity.persons import ACCOUNT, VISITOR, id_of
from nextclick.lake import delta, duck
from nextclick.lake.people import persons
from triggers.decisions import Contact
from triggers.definition import TriggerDefinition
from triggers.occasions.looking import Looking

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class MessageItem(NamedTuple):
    """An item as a message tells of it; what silver.items does not know is None."""

    item_id: str
    name: str | None = None
    price: str | None = None
    currency: str | None = None
    category: str | None = None


_THEIRS: Final = """
CREATE OR REPLACE TEMP TABLE theirs AS
SELECT site, visitor_id, user_id, occurred_at, event_id, timezone, consent FROM every_event
WHERE site = $site AND occurred_at <= $as_of AND (user_id IN (FROM reached) OR visitor_id IN (
    SELECT own_id FROM wanted WHERE is_visitor UNION ALL SELECT id FROM links WHERE site = $site AND user_id IN (FROM reached)
))
"""
_REACHED: Final = """
CREATE OR REPLACE TEMP TABLE reached AS
WITH RECURSIVE merged AS (
    SELECT own_id AS user_id FROM wanted WHERE NOT is_visitor
    UNION SELECT links.id FROM links JOIN merged USING (user_id) WHERE kind = 'alias' AND site = $site
) FROM merged
"""
_CONTACTS: Final = f"""
SELECT person_id, arg_max(visitor_id, (occurred_at, event_id)) FILTER (NOT starts_with(visitor_id, '{ACCOUNT}')),
    arg_max(user_id, (occurred_at, event_id)), arg_max(timezone, (occurred_at, event_id)), {{consent}}
FROM people SEMI JOIN wanted USING (person_id) GROUP BY person_id
"""


def contacts(looking: Looking, trigger: TriggerDefinition, people: Collection[str]) -> dict[str, Contact]:
    """Of these persons of the trigger's site, by all that is known of them up to this moment."""
    database, lake = looking.database, looking.lake
    said = f"consent.{trigger.consent}" if trigger.consent != "none" else "NULL::BOOLEAN"
    _register(
        database,
        "wanted",
        person_id=people,
        own_id=map(id_of, people),
        is_visitor=[each.startswith(VISITOR) for each in people],
    )
    duck.show(database, "every_event", lake, EVENTS.name, delta.open_table(lake, EVENTS.name))
    duck.show(database, "links", lake, IDENTITIES.name, delta.open_table(lake, IDENTITIES.name))
    database.execute(_REACHED, {"site": trigger.site})
    database.execute(_THEIRS, {"site": trigger.site, "as_of": looking.as_of})
    persons.show(database, "people", "theirs", lake)
    consent = f"arg_max({said}, (occurred_at, event_id)) FILTER ({said} IS NOT NULL)"
    return {row[0]: Contact(*row[1:]) for row in database.execute(_CONTACTS.format(consent=consent)).fetchall()}


def goods(looking: Looking, site: str, items: Collection[str]) -> dict[str, MessageItem]:
    """What is known of items of the site; those that nobody knows are left out."""
    if not items:
        return {}
    database = looking.database
    _register(database, "wanted", item_id=items)
    duck.show(database, "items", looking.lake, ITEMS.name, delta.open_table(looking.lake, ITEMS.name))
    query = "SELECT item_id, name, price::VARCHAR, currency, category FROM items SEMI JOIN wanted USING (item_id) WHERE site = $site"
    return {row[0]: MessageItem(*row) for row in database.execute(query, {"site": site}).fetchall()}


def recommended(looking: Looking, site: str, people: Collection[str], most: int) -> Mapping[str, list[str]]:
    """The first items of each person's list in gold; who has none gets the popular ones. What cannot be had is left out."""
    if not (people and most):
        return {}
    database, lake = looking.database, looking.lake
    _register(database, "wanted", person_id=people)
    for view, table in (("listed", RECOMMENDATIONS), ("popular", POPULAR_ITEMS), ("items", ITEMS)):
        duck.show(database, view, lake, table.name, delta.open_table(lake, table.name))
    rows = database.execute(_LISTS, {"site": site, "most": most}).fetchall()
    popular: list[str] = next((items for person, items in rows if person is None), [])
    own = {person: items for person, items in rows if person is not None}
    return {person: own.get(person) or popular for person in people}


_LISTS: Final = """
WITH gone AS (SELECT item_id FROM items WHERE site = $site AND NOT available)
SELECT person_id, list(item_id ORDER BY rank)[:$most::INT] FROM (
    SELECT person_id, item_id, rank FROM listed SEMI JOIN wanted USING (person_id) WHERE site = $site
    UNION ALL SELECT NULL, item_id, rank FROM popular WHERE site = $site
) ANTI JOIN gone USING (item_id) GROUP BY person_id
"""


def _register(database: "DuckDBPyConnection", name: str, **columns: Iterable[str | bool]) -> None:
    import pyarrow as pa

    values = {column: [*rows] for column, rows in columns.items()}
    types = {column: pa.bool_() if column.startswith("is_") else pa.string() for column in columns}
    database.register(name, pa.table({column: pa.array(values[column], types[column]) for column in columns}))

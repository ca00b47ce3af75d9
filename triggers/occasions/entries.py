"""A person who enters an audience (docs/audiences.md)."""

from collections.abc import Iterator
from typing import Final

from nextclick.contracts.events import AUDIENCE_CHANGES as KINDS
from nextclick.contracts.events import SERVER
from nextclick.contracts.silver import EVENTS
from nextclick.contracts.silver_served import AUDIENCE_CHANGES
from nextclick.identity.persons import ACCOUNT
from nextclick.lake import delta, duck
from nextclick.lake.people import human_events, persons
from triggers.definition import EntersAudience, TriggerDefinition
from triggers.occasions.looking import Looking
from triggers.occasions.occasion import Occasion

_SAID: Final = f"""
CREATE OR REPLACE TEMP TABLE near AS
WITH said AS (
    SELECT CASE WHEN subject_kind = 'user' THEN '{ACCOUNT}' || subject_id ELSE subject_id END AS visitor_id, changed_at AS said_at, entered
    FROM known_changes WHERE site = $site AND audience = $audience
    UNION SELECT visitor_id, occurred_at, event = '{KINDS[0]}' FROM new_changes
    WHERE site = $site AND properties['audience'] = $audience AND event IN {KINDS} AND source = '{SERVER}'
), changes AS (
    SELECT *, lag(entered, 1, false) OVER one AS belonged, row_number() OVER one = count(*) OVER (PARTITION BY visitor_id) AS is_last
    FROM said WHERE said_at <= $as_of WINDOW one AS (PARTITION BY visitor_id ORDER BY said_at, entered)
), standing AS (
    SELECT visitor_id, max(said_at) FILTER (entered AND NOT belonged) AS occurred_at FROM changes GROUP BY visitor_id
    HAVING bool_or(entered) FILTER (is_last)
)
SELECT $site AS site, visitor_id, NULL::VARCHAR AS user_id, occurred_at FROM standing
"""
"""Who belongs, and since when: whatever said so again changes nothing."""
_ENTERED: Final = """
SELECT person_id, min(occurred_at) AS entered_at FROM entered GROUP BY person_id
HAVING entered_at BETWEEN $as_of - $keep AND $as_of ORDER BY person_id
"""


def find(looking: Looking, trigger: TriggerDefinition, when: EntersAudience) -> Iterator[Occasion]:
    """The people who belong, and whose first device or account entered within `keep` before this moment: known by that entry.

    Entries reach silver.events with the stream, silver.audience_changes with a run: both are looked at.
    """
    database, lake = looking.database, looking.lake
    events = delta.open_table(lake, EVENTS.name)
    some = duck.within(events, "occurred_at", looking.as_of - trigger.keep, looking.as_of) if events else None
    duck.show(database, "new_changes", lake, EVENTS.name, events, some)
    duck.show(database, "known_changes", lake, AUDIENCE_CHANGES.name, delta.open_table(lake, AUDIENCE_CHANGES.name))
    database.execute(_SAID, {"site": trigger.site, "audience": when.audience, "as_of": looking.as_of})
    customers = human_events.without_suspects(database, looking.settings, "near", "occurred_at")
    database.execute(f"CREATE OR REPLACE TEMP VIEW customers AS FROM near{customers}")
    persons.show(database, "entered", "customers", lake)
    for person, entered_at in database.execute(_ENTERED, {"keep": trigger.keep, "as_of": looking.as_of}).fetchall():
        yield Occasion(trigger.name, trigger.site, person, entered_at.isoformat(), entered_at)

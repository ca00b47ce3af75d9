"""A person who came, and does not any more."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from triggers.definition import Silence, TriggerDefinition
from triggers.occasions.looking import Looking
from triggers.occasions.occasion import Occasion

_SILENT: Final = """
SELECT person_id, max(occurred_at) AS last_at FROM visits GROUP BY person_id
HAVING last_at + $after BETWEEN $as_of - $keep AND $as_of ORDER BY person_id
"""


def find(looking: Looking, trigger: TriggerDefinition, when: Silence) -> Iterator[Occasion]:
    """The people whose last visit ended so long before this moment, or up to `keep` longer; a silence is known by that end."""
    after = timedelta(days=when.after_days)
    looking.show_visits(trigger.site, looking.as_of - trigger.keep - after)
    limits = {"after": after, "keep": trigger.keep, "as_of": looking.as_of}
    for person, last_at in looking.database.execute(_SILENT, limits).fetchall():
        yield Occasion(trigger.name, trigger.site, person, last_at.isoformat(), last_at + after)

"""An occasion: what may start a trigger, once."""

from datetime import datetime
from typing import NamedTuple

from nextclick.contracts.events import derived_id


class Occasion(NamedTuple):
    """One person, and what happened."""

    trigger: str
    site: str
    person_id: str
    key: str
    """What happened, within the trigger and the person: another cart has another one, the same cart looked at again has not."""
    due_at: datetime
    """From when on it counts."""
    items: tuple[str, ...] = ()
    """The items that it is about, the most important first."""
    prices: tuple[str, str, str] | None = None
    """Price before, price now, currency."""

    @property
    def id(self) -> str:
        """The trigger id: of the webhook, of the outbox and of silver.sends."""
        return "trg_" + derived_id(self.trigger, self.site, self.person_id, self.key)

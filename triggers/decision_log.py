"""Decisions in the landing log, as `trigger_decision` events of source `server`: the way into silver.sends.

Where bronze does not read this disk they are shipped (nextclick/shipping/), at the latest by a later call.
A decision is marked as logged after its segment was published. A worker that dies between writes it once more: the same
event, byte for byte, which silver drops as a copy.
"""

import logging
import time
from typing import Final

from nextclick.contracts.events import SERVER, TRIGGER_DECISION, Event, encode
from nextclick.identity.persons import ACCOUNT
from nextclick.landing import outgoing
from nextclick.landing.writer import SegmentWriter
from nextclick.settings import Settings
from nextclick.shipping.shipper import ship_now
from triggers.outbox.outbox import Outbox
from triggers.outbox.schema import TriggerDecision

_TOGETHER: Final = 5_000
_log: Final = logging.getLogger(__name__)


def log_decisions(settings: Settings, outbox: Outbox) -> int:
    """Write all final decisions that are not in the landing log yet; returns how many."""
    written = 0
    while decisions := outbox.unlogged(_TOGETHER):
        with SegmentWriter(outgoing.logs(settings)[0], settings.landing) as writer:
            writer.extend([encode(as_event(decision)) for decision in decisions], SERVER, time.time_ns() // 1_000_000)
        outbox.logged(decisions)
        written += len(decisions)
    if unshipped := ship_now(settings):
        _log.warning("%s", unshipped)
    return written


def as_event(decision: TriggerDecision) -> Event:
    """The decision as an event of the person's device; a person without a device is a user."""
    visitor, user = decision.visitor_id, None
    if visitor is None or visitor.startswith(ACCOUNT):
        visitor, user = None, (visitor or "").removeprefix(ACCOUNT) or decision.user_id or decision.person_id
    properties = {
        "trigger": decision.trigger,
        "send_id": decision.id,
        "person_id": decision.person_id,
        "outcome": decision.outcome,
        "due_at": str(decision.due_at),
        "decided_at": str(decision.decided_at),
        "holdout": repr(decision.holdout),
        "window_s": str(decision.window_s),
        "tries": str(decision.tries),
        "items": decision.items,
    }
    return Event(
        event=TRIGGER_DECISION, event_id=f"{decision.id}.{decision.outcome}.{decision.ended_at}", client_time=decision.decided_at,
        occurred_at=decision.ended_at, site=decision.site, visitor_id=visitor, user_id=user,
        properties=properties | ({"error": decision.error} if decision.error else {}),
    )  # fmt: skip

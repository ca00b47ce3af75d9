"""Whether an occasion leads to a message. Pure: what is known of the person and of earlier decisions goes in, an outcome comes out.

A person who is held out is treated like everybody else up to that point, and counts towards the caps: so both groups are alike.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nextclick.audiences.places import place
from triggers.definition import TriggerDefinition


class SendOutcome(StrEnum):
    """What became of an occasion; all but WAITING are final, but that a dead letter may be replayed."""

    WAITING = "waiting"
    """To be sent: in the outbox."""
    SENT = "sent"
    """The receiver said yes."""
    HELD_OUT = "held_out"
    CAPPED = "capped"
    QUIET = "quiet"
    """It would have been too late after the quiet hours."""
    NO_CONSENT = "no_consent"
    FAILED = "failed"
    """A dead letter."""


COUNTED = (SendOutcome.WAITING, SendOutcome.SENT, SendOutcome.HELD_OUT, SendOutcome.FAILED)
"""Decisions that use up a cap: a dead letter may have arrived all the same."""


class Contact(NamedTuple):
    """How a person is reached, by the person's newest events."""

    visitor_id: str | None = None
    user_id: str | None = None
    timezone: str | None = None
    """The device's, as IANA names it."""
    consent: bool | None = None
    """What was said last of the field that the trigger needs."""


class Earlier(NamedTuple):
    """Counted decisions about a person."""

    of_trigger: int
    """Of this trigger, within the days of its cap."""
    of_all: int
    """Of all triggers, in the last 24 hours."""


def decide(
    trigger: TriggerDefinition,
    site_zone: str,
    per_person: int,
    person_id: str,
    due_at: datetime,
    contact: Contact,
    earlier: Earlier,
    now: datetime,
) -> SendOutcome | None:
    """The outcome at `now`; None while it is quiet and there is time to wait."""  # fmt: skip
    if not may_send(trigger, contact):
        return SendOutcome.NO_CONSENT
    if ends := quiet_until(trigger, contact.timezone, site_zone, now):
        return None if ends <= due_at + trigger.keep else SendOutcome.QUIET
    if earlier.of_trigger >= trigger.cap.times or earlier.of_all >= per_person:
        return SendOutcome.CAPPED
    return SendOutcome.HELD_OUT if is_held_out(trigger, person_id) else SendOutcome.WAITING


def may_send(trigger: TriggerDefinition, contact: Contact) -> bool:
    """Whether the person allows it; who said nothing, by `consent_unless_said`."""
    if trigger.consent == "none":
        return True
    return trigger.consent_unless_said if contact.consent is None else contact.consent


def is_held_out(trigger: TriggerDefinition, person_id: str) -> bool:
    """By a hash of person and trigger: for ever, and alike in every process."""
    return place(trigger.site, "trigger", trigger.name, person_id) < trigger.holdout


def quiet_until(trigger: TriggerDefinition, timezone: str | None, site_zone: str, now: datetime) -> datetime | None:
    """When the quiet hours that `now` lies in end; None outside of them."""
    if trigger.quiet_hours is None:
        return None
    begins, ends = trigger.quiet_hours
    local = now.astimezone(_zone(timezone, site_zone))
    clock = local.time().replace(tzinfo=None)
    is_quiet = begins <= clock < ends if begins < ends else clock >= begins or clock < ends
    if not is_quiet:
        return None
    end = local.replace(hour=ends.hour, minute=ends.minute, second=0, microsecond=0)
    return (end if clock < ends else end + timedelta(days=1)).astimezone(UTC)


def _zone(timezone: str | None, site_zone: str) -> ZoneInfo:
    """The device's zone; where it named none that there is, the site's."""
    try:
        return ZoneInfo(timezone or site_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(site_zone)

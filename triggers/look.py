"""One look at the lake: who is to be sent something, and what becomes of it, into the outbox."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import NamedTuple

import msgspec

from nextclick.errors import TableBusy
from nextclick.lake import duck, locks
from nextclick.settings import Settings
from triggers import message, people
from triggers.decisions import Contact, SendOutcome, decide, quiet_until
from triggers.definition import TriggerDefinition
from triggers.occasions import item_feed, occasions
from triggers.occasions.looking import Looking
from triggers.occasions.occasion import Occasion
from triggers.outbox.deciding import Deciding
from triggers.outbox.outbox import Outbox
from triggers.outbox.schema import TriggerDecision, ms

LOCK = "triggers.look"


class _Filled(NamedTuple):
    """An occasion with everything that a message of it needs."""

    occasion: Occasion
    contact: Contact
    body: bytes


def look(
    settings: Settings,
    outbox: Outbox,
    triggers: Sequence[TriggerDefinition],
    as_of: datetime,
    now: datetime,
    waits: dict[str, datetime] | None = None,
) -> Counter[str]:
    """Decide all that is due, by what silver knows up to `as_of`; returns new decisions by outcome.

    While another worker looks, this one need not. `waits` remembers between looks until when an occasion lies in quiet hours:
    about whom it is need not be asked again before.
    """
    waits = {} if waits is None else waits
    for over in [id for id, until in waits.items() if until <= now]:
        del waits[over]
    decided: Counter[str] = Counter()
    with ExitStack() as held:
        try:
            held.enter_context(locks.hold(settings.lake.own_locks, LOCK, purpose="nextclick triggers"))
        except TableBusy:
            return decided
        before = outbox.feed()
        read = item_feed.read(settings.lake, before)
        if read.cursor and read.cursor != before:
            outbox.keep_changes(read.changes, read.cursor, before)
        changes = outbox.item_changes()
        for trigger in triggers:
            if trigger.enabled:
                with duck.answering(settings.lake, f"Who is due for the trigger {trigger.name}") as database:
                    decided += _decide(
                        settings, outbox, trigger, Looking(database, settings, as_of, changes), now, waits
                    )
        outbox.forget(now, settings.triggers.remember_days)
    return decided


def _decide(
    settings: Settings,
    outbox: Outbox,
    trigger: TriggerDefinition,
    looking: Looking,
    now: datetime,
    waits: dict[str, datetime],
) -> Counter[str]:
    """Decisions in the order of the occasions, which is that of caps: whoever is first has the place."""
    due = [occasion for occasion in occasions(looking, trigger) if occasion.id not in waits]
    new = outbox.undecided([occasion.id for occasion in due])
    filled = _filled(looking, trigger, [occasion for occasion in due if occasion.id in new])
    decided: Counter[str] = Counter()
    with outbox.deciding() as deciding:
        for each in filled:
            outcome = _outcome(settings, deciding, trigger, each, now)
            if outcome is None:
                zone = settings.analytics.timezone_for(trigger.site)
                waits[each.occasion.id] = quiet_until(trigger, each.contact.timezone, zone, now) or now
            elif deciding.is_new(each.occasion.id):
                deciding.add(_decision(trigger, each, outcome, now))
                decided[outcome] += 1
    return decided


def _outcome(
    settings: Settings, deciding: Deciding, trigger: TriggerDefinition, each: _Filled, now: datetime
) -> SendOutcome | None:
    person, contact = each.occasion.person_id, each.contact
    earlier = deciding.earlier(trigger.name, trigger.site, (person, contact.visitor_id), now, trigger.cap.days)
    zone, most = settings.analytics.timezone_for(trigger.site), settings.triggers.per_person
    return decide(trigger, zone, most, person, each.occasion.due_at, contact, earlier, now)


def _filled(looking: Looking, trigger: TriggerDefinition, due: Sequence[Occasion]) -> list[_Filled]:
    if not due:
        return []
    who = {occasion.person_id for occasion in due}
    contacts = people.contacts(looking, trigger, who)
    lists = people.recommended(looking, trigger.site, who, trigger.recommendations)
    items = {item for occasion in due for item in occasion.items} | {
        item for listed in lists.values() for item in listed
    }
    goods = people.goods(looking, trigger.site, items)
    filled = []
    for occasion in due:
        contact = contacts.get(occasion.person_id, Contact())
        body = message.body(trigger, occasion, contact, goods, lists.get(occasion.person_id, ()))
        filled.append(_Filled(occasion, contact, body))
    return filled


def _decision(trigger: TriggerDefinition, each: _Filled, outcome: SendOutcome, now: datetime) -> TriggerDecision:
    occasion, contact = each.occasion, each.contact
    waits = outcome is SendOutcome.WAITING
    return TriggerDecision(
        id=occasion.id,
        trigger=trigger.name,
        site=occasion.site,
        person_id=occasion.person_id,
        visitor_id=contact.visitor_id,
        user_id=contact.user_id,
        due_at=ms(occasion.due_at),
        expires_at=ms(occasion.due_at + trigger.keep),
        decided_at=ms(now),
        holdout=trigger.holdout,
        window_s=round(trigger.window.total_seconds()),
        items=msgspec.json.encode(occasion.items).decode(),
        payload=each.body if waits else None,
        outcome=outcome,
        ended_at=None if waits else ms(now),
    )

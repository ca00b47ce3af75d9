"""Who belongs to an audience, and why."""

from collections.abc import Iterable
from typing import NamedTuple

from nextclick.audiences.conditions import Verdict, leaves
from nextclick.audiences.definitions import Audience
from nextclick.audiences.facts import Facts


class ConditionReason(NamedTuple):
    """One condition of an audience, as somebody meets it or does not."""

    condition: str
    """As the file has it."""
    value: float | str | None
    """What it looks at; None where there is none."""
    holds: Verdict


def membership(audience: Audience, facts: Facts) -> Verdict:
    """Whether they belong; None where what is known does not reach back far enough, or what gold says is not known.

    Who did nothing within live.keep_days belongs nowhere, but where a condition looks at gold and gold knows them.
    """
    if not facts.seen and not audience.asks_the_night:
        return False
    if not facts.seen and not (facts.night and facts.night.is_somebody):
        return False if facts.night else None
    return audience.condition.holds(facts)


def members_of(audiences: Iterable[Audience], facts: Facts) -> list[str]:
    """The audiences that they surely belong to, by name."""
    return [audience.name for audience in audiences if membership(audience, facts)]


def reasons(audience: Audience, facts: Facts) -> list[ConditionReason]:
    """Every condition with its value, in the order of the file."""
    return [ConditionReason(leaf.said, leaf.value(facts), leaf.holds(facts)) for leaf in leaves(audience.condition)]

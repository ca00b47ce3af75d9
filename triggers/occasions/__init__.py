"""What may start a trigger, by kind: questions of silver as it is, up to a moment. Order, copies and restarts change no answer."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from triggers.definition import BackInStock, CartLeft, EntersAudience, PriceDrop, Silence, TriggerDefinition
from triggers.occasions import carts, entries, item_changes, silences
from triggers.occasions.looking import Looking
from triggers.occasions.occasion import Occasion

_BY_KIND: Final[dict[type[Any], Callable[[Looking, TriggerDefinition, Any], Iterator[Occasion]]]] = {
    CartLeft: carts.find,
    Silence: silences.find,
    PriceDrop: item_changes.find,
    BackInStock: item_changes.find,
    EntersAudience: entries.find,
}


def occasions(looking: Looking, trigger: TriggerDefinition) -> list[Occasion]:
    """Everything that may start the trigger at this moment, decided already or not."""
    return [*_BY_KIND[type(trigger.when)](looking, trigger, trigger.when)]

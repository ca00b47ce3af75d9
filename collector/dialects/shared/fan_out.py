"""One record, many items: its events, the places of its items, and how far it may fan out."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from collector.dialects.shared.events import event
from collector.dialects.shared.readers import Json
from collector.dialects.shared.values import properties
from collector.request import numbers
from collector.request.errors import Unmappable
from collector.request.model import Request, RequestLimits
from nextclick.contracts.events import Event, encode

FANS_OUT: Final = ("impression", "purchase", "refund")
"""Kinds that are one event an item, each with its part of the record's id, also where there is one item."""


class EventDraft(NamedTuple):
    """What a visitor did to one item: fields of the event, and what no field took."""

    kind: Any
    part: int | None
    """Its number, where the record fans out."""
    fields: Json
    rest: tuple[Json, ...]


def to_events(request: Request, drafts: Iterable[EventDraft], own: Json, *around: Json) -> list[Event]:
    """Each draft as an event, with the record's `own` fields; `around` is what no field took of the record."""
    return [
        event(
            request,
            draft.kind,
            part=draft.part,
            properties=properties(*draft.rest, *around),
            **(own | {field: value for field, value in draft.fields.items() if value is not None}),
        )
        for draft in drafts
    ]


_BODIES: Final = 2
"""How many times collector.unpacked_bytes the events of one request may repeat."""
_EVENT_BYTES: Final = 500
"""What an event takes that repeats nothing."""


class FanOutBudget:
    """What one request may still grow by: each event of a list repeats what its items share, so that a small body
    could ask for gigabytes."""

    def __init__(self, limits: RequestLimits) -> None:
        self._bytes = limits.unpacked_bytes * _BODIES

    def allow(self, shared: Any, count: int) -> None:
        """Count `count` events that repeat `shared`; Unmappable where they are too much."""
        if count < 2:
            return
        size = (len(encode(shared)) + _EVENT_BYTES) * count
        if size > self._bytes:
            raise Unmappable("too_many_items", f"{count:,} items would make {size:,} bytes of one request")
        self._bytes -= size


def place(value: Any) -> int | None:
    """A place in a list; None for what is none, such as the name of a slot."""
    if value is None:
        return None
    try:
        return numbers.whole(value)
    except (ValueError, OverflowError):
        return None


def places(values: Sequence[Any]) -> list[int]:
    """The places of a list's items, from 1: as given, else counted; those of a list that begins at 0 move by one.

    >>> places([3, 4]), places([0, 1]), places([None, "top"])
    ([3, 4], [1, 2], [1, 2])
    """
    known = [place(value) for value in values]
    shift = 1 if 0 in known else 0
    return [number if value is None else value + shift for number, value in enumerate(known, 1)]


def beside(item: Json, shared: Json, owner: str) -> Json:
    """What is left of an item and of the record that lists it; where both have a name, the record's is `owner.NAME`.

    >>> beside({"coupon": "A"}, {"coupon": "B", "tax": 2}, "order")
    {'coupon': 'A', 'order.coupon': 'B', 'tax': 2}
    """
    return item | {f"{owner}.{name}" if name in item else name: value for name, value in shared.items()}

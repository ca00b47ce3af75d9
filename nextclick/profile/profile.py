"""The live profile: what a visitor, or a known person, did last. Pure functions, no store and no clock.

A profile is the K newest distinct actions, ordered by (time, id hash). Of copies of one
action (a resend, whose corrected time may differ; an id used twice) the greatest by all its
fields counts. So a profile is "the K greatest of a set", and merging is commutative,
associative and idempotent: order, duplicates, several workers and replays cannot change it.

Time is milliseconds since 1970-01-01 UTC throughout.
"""

import hashlib
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final, Self

import msgspec

from nextclick import formats
from nextclick.contracts.events import ALIASES, OUTSIDE_SESSIONS, WITH_PIECES, Event

K: Final = 64
"""Actions of a profile; every count of it is capped by this."""
MAX_BYTES: Final = 8_192
"""No encoded profile is larger."""
TEXT_BYTES: Final = 84
"""UTF-8 bytes that the item, category and query of one action may have together."""

KINDS_BY_CODE: Final = (
    "", "page_view", "view_item", "search", "add_to_cart", "remove_from_cart", "purchase", "click", "scroll",
    "engagement", "play", "pause", "refund",
)  # fmt: skip
"""Stored by place: only ever add to the end. The first stands for every custom event."""
_CODE_OF: Final = {kind: code for code, kind in enumerate(KINDS_BY_CODE)}
_CODE_OF.update((alias, _CODE_OF[word]) for alias, word in ALIASES.items() if word in _CODE_OF)
KINDS: Final = KINDS_BY_CODE[1:]
"""Kinds that an action keeps; every other one is custom."""
_MOST_DWELL: Final = (1 << 32) - 1
_MOST_VALUE: Final = (1 << 63) - 1
_MOST_DIGITS: Final = 13
"""Exponent of the largest price: 14 digits before the point."""


class Action(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """One event as a profile keeps it; the order of the fields is the order of actions."""

    at: int
    """When it happened, never later than it arrived."""
    id: int
    """64 bits of hash of the event's id and client time."""
    code: int
    item: str = ""
    category: str = ""
    query: str = ""
    value: int = 0
    """Price × quantity in ten-thousandths of the currency; 0 where the event names no price."""
    dwell_ms: int = 0
    """Milliseconds of attention that the event reports."""

    @property
    def kind(self) -> str:
        """The event's kind; "" for a custom one."""
        return KINDS_BY_CODE[self.code]


class Profile(msgspec.Struct, frozen=True, gc=False):
    """The K newest distinct actions, the newest first."""

    actions: tuple[Action, ...] = ()

    def since(self, oldest: int) -> Self:
        """The profile without the actions before `oldest`."""
        if not self.actions or self.actions[-1].at >= oldest:
            return self
        return type(self)(tuple(action for action in self.actions if action.at >= oldest))


EMPTY: Final = Profile()


def action_of(event: Event, received_at: int) -> Action | None:
    """The event as its profile keeps it; None for what is not the visitor's own doing (`OUTSIDE_SESSIONS`),
    and for a price that is no amount of money, with which silver refuses it.

    An event later than its arrival happened at its arrival: a client's fast clock cannot hold a
    profile's first place. A purchase of 0 pieces is kept as a custom event, as are its like. Texts
    that do not fit TEXT_BYTES together are left out whole, an item first kept.
    """
    value = _value(event.price, event.quantity) if event.price is not None else 0
    if event.event in OUTSIDE_SESSIONS or value is None:
        return None
    occurred_at = event.client_time if event.occurred_at is None else event.occurred_at
    of_no_pieces = event.quantity == 0 and event.event in WITH_PIECES
    item, category, query = _fitting(event.item_id or "", event.category or "", event.query or "")
    return Action(
        at=max(0, min(occurred_at, received_at)),
        id=action_id(event.event_id, event.client_time),
        code=0 if of_no_pieces else _CODE_OF.get(event.event, 0),
        item=item,
        category=category,
        query=query,
        value=value,
        dwell_ms=min(max(0, event.dwell_ms or 0), _MOST_DWELL),
    )


def action_id(event_id: str, client_time: int) -> int:
    """The identity of an event within its site as 64 bits."""
    hashed = hashlib.blake2b(b"%d %b" % (client_time, event_id.encode()), digest_size=8)
    return int.from_bytes(hashed.digest(), "big")


def merge(profile: Profile, actions: Iterable[Action]) -> Profile:
    """The profile with `actions` added; `profile` itself where they change nothing."""
    best = {known.id: known for known in profile.actions}
    changed = False
    for new in actions:
        known = best.get(new.id)
        if known is None or new > known:
            best[new.id] = new
            changed = True
    if not changed:
        return profile
    return Profile(tuple(sorted(best.values(), reverse=True)[:K]))


def greatest(actions: Iterable[Action]) -> list[Action]:
    """All distinct actions, the newest first: of copies of one the greatest, as in a profile, which keeps K of them."""
    best: dict[int, Action] = {}
    for new in actions:
        best[new.id] = max(new, best.get(new.id, new))
    return sorted(best.values(), reverse=True)


def union(*profiles: Profile) -> Profile:
    """One profile of several, such as a visitor's and the person's that it is."""
    first, *others = profiles or (EMPTY,)
    return merge(first, (new for other in others for new in other.actions)) if others else first


def visitor_key(site: str, visitor_id: str) -> bytes:
    """Where the profile of a device or browser is stored: 17 bytes."""
    return _key(b"v", site, visitor_id)


def person_key(site: str, user_id: str) -> bytes:
    """Where the profile of a known user is stored: 17 bytes."""
    return _key(b"u", site, user_id)


def keys(event: Event, site: str) -> tuple[bytes, ...]:
    """The profiles that an event belongs to: its visitor's, and its user's; `site` is that of events that name none.

    An event whose visitor is but its user's own id has no device: else whoever knows the id could read it as a visitor.
    """
    where = event.site or site
    person = (person_key(where, event.user_id),) if event.user_id else ()
    return (
        person
        if event.user_id and event.visitor_id in (None, event.user_id)
        else (visitor_key(where, event.visitor_id or ""), *person)
    )


def _key(kind: bytes, site: str, name: str) -> bytes:
    return kind + hashlib.blake2b(f"{site}\x1f{name}".encode(), digest_size=16).digest()


_FORMAT: Final = bytes([formats.PROFILE])
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(tuple[Action, ...])


def encode(profile: Profile) -> bytes:
    """The profile as MessagePack, at most MAX_BYTES."""
    return _FORMAT + _encoder.encode(profile.actions)


def decode(stored: bytes | memoryview) -> Profile:
    """What `encode` wrote. LakeError where a newer nextclick wrote it, msgspec.MsgspecError for what is no profile."""
    view = memoryview(stored)
    if view[:1] != _FORMAT:
        formats.refuse_newer("A live profile", view[0] if view else 0, formats.PROFILE)
        raise msgspec.DecodeError("no live profile")
    return Profile(_decoder.decode(view[1:]))


def _fitting(*texts: str) -> tuple[str, ...]:
    """The texts in their order, as far as TEXT_BYTES hold them whole."""
    if sum(map(len, texts)) * 4 <= TEXT_BYTES:
        return texts
    room = TEXT_BYTES
    kept = []
    for text in texts:
        size = len(text.encode())
        kept.append(text if size <= room else "")
        room -= size if size <= room else 0
    return tuple(kept)


def _value(price: str, quantity: int | None) -> int | None:
    """Price × quantity in ten-thousandths; None if the price is none that decimal(18,4) holds, or below 0."""
    try:
        piece = Decimal(price)
        if not piece.is_finite() or piece.adjusted() > _MOST_DIGITS:
            return None
        whole = int(piece.scaleb(4).to_integral_value(ROUND_HALF_UP))
    except InvalidOperation:
        return None
    return None if whole < 0 else min(whole * max(0, 1 if quantity is None else quantity), _MOST_VALUE)

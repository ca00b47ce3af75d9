"""A decision, as it is put on record with its answer: which action, with which probability, out of what, for whom."""

from typing import Final, NamedTuple

import msgspec

from nextclick.audiences.places import place

DECISION: Final = "decision"
"""The property of a served record that holds a `Decision` as JSON."""
HOUR_MS: Final = 3_600_000


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One action that was drawn for an answer."""

    action: str
    shares: dict[str, float]
    """By action that was allowed, `none` among them, the probability that it had; they sum to 1."""
    place: str
    """The surface, or `*`."""
    segment: str

    @property
    def propensity(self) -> float:
        """The probability with which the action was drawn."""
        return self.shares[self.action]


class Period(NamedTuple):
    """A time in which a person keeps what was drawn, in milliseconds: [start, end)."""

    start: int
    end: int


def period(at: int, hours: int) -> Period:
    """The period that a moment lies in: whole multiples of `hours` since 1970-01-01 UTC."""
    length = hours * HOUR_MS
    start = at // length * length
    return Period(start, start + length)


def unit(visitor_id: str | None, user_id: str | None) -> str | None:
    """Who keeps what was drawn: the user, else the visitor; None: nobody is named."""
    return f"user:{user_id}" if user_id else f"visitor:{visitor_id}" if visitor_id else None


def is_user(person: str | None) -> bool:
    """Whether a `unit` is a user."""
    return person is not None and person.startswith("user:")


def drawn(shares: dict[str, float], site: str, person: str, where: str, start: int) -> str:
    """The action of the person in the place and period: by a hash, so that asking again draws nothing new.

    Over people and periods the hash is uniform in [0, 1), so each action comes with the probability of its share.
    """
    at, total = place(site, "next-best-action", person, where, str(start)), 0.0
    for action, share in shares.items():
        total += share
        if at < total:
            return action
    return max(shares, key=shares.__getitem__)  # shares sum to 1 less a rounding error


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(Decision).decode

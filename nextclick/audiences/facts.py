"""What an audience's conditions look at: of one visitor, or one known user, as of one moment.

A visitor is a device or browser, with the events that name it; a user is a known user, with the events that name them. So live
profiles have it, and so has whoever counts the tables.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Self

import msgspec

from nextclick.profile.profile import KINDS_BY_CODE, Action, K, Profile

DAY_MS: Final = 86_400_000
Number = Literal["visits", "orders", "revenue", "days_since_visit", "days_since_order"]
Word = Literal["first_channel"]
Field = Literal["", "item", "category"]
Key = tuple[str, str]
"""A kind, and the item or category of its actions; "" where these are looked at by kind alone."""
Group = tuple[list[int], list[Action]]
"""Actions, the newest first, and beside them their times below 0, which rise."""


class Night(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What gold says, as the nightly job last read it; times in milliseconds since 1970-01-01 UTC."""

    as_of: int
    visits: int = 0
    """Visits of the visitor; of a user those that name the user last (gold.visits)."""
    orders: int = 0
    revenue: dict[str, int] = {}
    """By currency, in ten-thousandths, less refunds; without those whose sum is 0."""
    last_visit_at: int | None = None
    """Start of the newest visit."""
    last_order_at: int | None = None
    """Start of the newest visit with an order."""
    first_channel: str = ""
    """Channel of the first visit."""
    foreseen: dict[str, tuple[float, int]] = {}
    """By prediction the calibrated probability and the tenth of the people, 10 the highest (gold.predictions)."""

    @property
    def is_somebody(self) -> bool:
        """Whether gold has anything of them."""
        return bool(self.visits or self.foreseen)

    def number(self, name: Number, now: int, currency: str = "") -> float | None:
        """A fact, in units of the currency where it is money; None where there is none: it is never 0 then.

        Revenue without a currency is that of the only one.
        """
        if name == "visits" or name == "orders":
            return getattr(self, name)  # type: ignore[no-any-return]
        if name == "revenue":
            only = currency or (next(iter(self.revenue)) if len(self.revenue) == 1 else "")
            return self.revenue[only] / 10_000 if only in self.revenue else None
        last = self.last_visit_at if name == "days_since_visit" else self.last_order_at
        return None if last is None else max(0, now - last) / DAY_MS


class Facts:
    """What is known of one visitor or user at `now`, in milliseconds since 1970-01-01 UTC."""

    def __init__(
        self, actions: Sequence[Action], now: int, complete_since: int, night: Night | None, seen: bool = True
    ) -> None:
        """`actions`: the newest first, all that happened after `complete_since` and maybe older ones.

        `night` is None where nobody knows what gold says; `seen`: they did something, of whatever kind, within live.keep_days.
        """
        self.actions, self.now, self.complete_since = actions, now, complete_since
        self.night, self.seen = night, seen
        self.counted: dict[object, float] = {}
        """What was counted already, by what counts it: audiences have much in common."""
        self._indexes: dict[Field, Mapping[Key, Group]] = {}

    @classmethod
    def live(cls, profile: Profile, now: int, keep_ms: int, night: Night | None) -> Self:
        """By a live profile: it knows K actions at most, and none that is older than `keep_ms`."""
        actions = profile.actions
        oldest = now - keep_ms
        complete_since = max(oldest, actions[-1].at) if len(actions) >= K else oldest
        return cls(actions, now, complete_since, night, seen=bool(actions) and actions[0].at >= oldest)

    def index(self, field: Field) -> Mapping[Key, Group]:
        """Actions by kind, and by item or category: a condition looks at those alone that it is about."""
        if field not in self._indexes:
            index: dict[Key, Group] = {}
            for action in self.actions:
                word = action.category if field == "category" else action.item if field == "item" else ""
                key = KINDS_BY_CODE[action.code], word
                group = index.get(key)
                if group is None:
                    group = index[key] = [], []
                group[0].append(-action.at)
                group[1].append(action)
            self._indexes[field] = index
        return self._indexes[field]

"""The conditions of an audience. Each holds, does not hold, or cannot be known from what is known (None).

A count over actions that reach back less far than its window is a lower bound: what it says for sure it says, no more. `all`, `any`
and `not` pass on what is not known (Kleene's logic), so that a live verdict is never other than that of the whole history.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from nextclick.audiences.facts import Facts, Field, Key, Number
from nextclick.profile.profile import Action, K

Verdict = bool | None
Measure = Literal["events", "items", "value"]


def in_bounds(value: float | None, least: float | None, most: float | None, whole: bool = True) -> Verdict:
    """Whether a number lies between both ends, which count; where it is not `whole` it may be greater. Absent, it does not.

    >>> in_bounds(3, 3, None), in_bounds(2, 3, None), in_bounds(2, 3, None, whole=False), in_bounds(4, 1, 3, whole=False)
    (True, False, None, False)
    """
    if value is None or (most is not None and value > most):
        return False
    if whole:
        return least is None or value >= least
    return True if most is None and least is not None and value >= least else None


@dataclass(frozen=True, slots=True, eq=False)
class EventTally:
    """What is counted: how many actions, distinct items, or how much money, within a time that ends now.

    `tally` makes it: equal ones are one, so that each is counted once.
    """

    field: Field
    keys: tuple[Key, ...]
    categories: frozenset[str]
    """Where items are named besides; none: any."""
    query: str
    """What the search holds, in lower case; "": anything."""
    within_ms: int
    of: Measure

    def count(self, facts: Facts) -> float:
        """Of actions in (now − within, now], and of those that the clock has ahead."""
        after, groups = self.within_ms - facts.now, facts.index(self.field)
        within = [(group, bisect_left(group[0], after)) for key in self.keys if (group := groups.get(key))]
        if self.of == "events" and not self.categories and not self.query:
            return sum(n for _, n in within)
        actions = [action for (_, group), n in within for action in group[:n]]
        if self.categories or self.query:
            actions = [action for action in actions if self._is_about(action)]
        if self.of == "items":
            return len({action.item for action in actions if action.item})
        return len(actions) if self.of == "events" else sum(action.value for action in actions) / 10_000

    def _is_about(self, action: Action) -> bool:
        return (not self.categories or action.category in self.categories) and self.query in action.query.lower()


tally = lru_cache(10_000)(EventTally)


@dataclass(frozen=True, slots=True)
class Count:
    """A tally, and the ends between which it is to lie."""

    said: str
    """As the file has it."""
    tally: EventTally
    least: float | None
    most: float | None

    @property
    def is_live(self) -> bool:
        """Whether a live profile can ever hold what it wants."""
        return self.tally.of == "value" or self.least is None or self.least <= K

    def value(self, facts: Facts) -> float:
        """What is counted."""
        value = facts.counted.get(self.tally)
        if value is None:
            value = facts.counted[self.tally] = self.tally.count(facts)
        return value

    def holds(self, facts: Facts) -> Verdict:
        whole = facts.now - self.tally.within_ms >= facts.complete_since
        return in_bounds(self.value(facts), self.least, self.most, whole)


@dataclass(frozen=True, slots=True)
class Prediction:
    """How likely something is, or in which tenth of the people that stands."""

    said: str
    name: str
    of: Literal["probability", "decile"]
    least: float | None
    most: float | None

    def value(self, facts: Facts) -> float | None:
        entry = facts.night.foreseen.get(self.name) if facts.night else None
        return entry[self.of == "decile"] if entry else None

    def holds(self, facts: Facts) -> Verdict:
        return in_bounds(self.value(facts), self.least, self.most) if facts.night else None


@dataclass(frozen=True, slots=True)
class GoldNumber:
    """A number that gold has of them."""

    said: str
    name: Number
    currency: str
    least: float | None
    most: float | None

    def value(self, facts: Facts) -> float | None:
        return facts.night.number(self.name, facts.now, self.currency) if facts.night else None

    def holds(self, facts: Facts) -> Verdict:
        return in_bounds(self.value(facts), self.least, self.most) if facts.night else None


@dataclass(frozen=True, slots=True)
class GoldWord:
    """The channel of their first visit."""

    said: str
    one_of: frozenset[str]

    def value(self, facts: Facts) -> str | None:
        return facts.night.first_channel or None if facts.night else None

    def holds(self, facts: Facts) -> Verdict:
        return self.value(facts) in self.one_of if facts.night else None


@dataclass(frozen=True, slots=True)
class Every:
    """All of them hold."""

    parts: "tuple[Condition, ...]"

    def holds(self, facts: Facts) -> Verdict:
        return _first(self.parts, facts, False)


@dataclass(frozen=True, slots=True)
class Some:
    """One of them holds at least."""

    parts: "tuple[Condition, ...]"

    def holds(self, facts: Facts) -> Verdict:
        return _first(self.parts, facts, True)


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    part: "Condition"

    def holds(self, facts: Facts) -> Verdict:
        verdict = self.part.holds(facts)
        return None if verdict is None else not verdict


Leaf = Count | Prediction | GoldNumber | GoldWord
Condition = Leaf | Every | Some | Not


def leaves(condition: Condition) -> Sequence[Leaf]:
    """What is looked at, in the order of the file."""
    if isinstance(condition, Every | Some):
        return [leaf for part in condition.parts for leaf in leaves(part)]
    return leaves(condition.part) if isinstance(condition, Not) else [condition]


def _first(parts: "tuple[Condition, ...]", facts: Facts, decides: bool) -> Verdict:
    """`decides` where one part says so; else not known where one is not; else the other."""
    verdict: Verdict = not decides
    for part in parts:
        one = part.holds(facts)
        if one is decides:
            return one
        if one is None:
            verdict = None
    return verdict

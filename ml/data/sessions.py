"""What was used together, and in which order: the input of the models of the next item.

The lake's silver.sessions and the sessions here are cut alike: a visitor's gap of more
than the site's gap (settings.sessions.gap_for) opens a new one. Here they are arrays, over the items' id map that
they share with `Interactions`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ml.data.interactions import IdMap, Micros, Rows
from nextclick.errors import ModelError

Offsets = NDArray[np.int64]


_CLICKS = 5_000
LONGEST = 50
"""Items so far that a model is asked with at most, the latest."""


@dataclass(frozen=True)
class Questions:
    """What models of the next item are asked, and the right answers."""

    recent: Rows
    """[questions × L]: the items so far, oldest first, padded left with −1."""
    item: Rows
    """The item that came next."""

    def __len__(self) -> int:
        return len(self.item)

    @classmethod
    def of(cls, items: IdMap, recent: Sequence[Sequence[str]], item: Sequence[str]) -> "Questions":
        """By ids, of which those that `items` does not know are −1."""
        lengths = np.array([min(len(one), LONGEST) for one in recent], np.int64)
        rows = np.full((len(recent), LONGEST), -1, np.int32)
        place = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths), lengths)
        latest = [one for line in recent for one in line[-LONGEST:]]
        rows[np.repeat(np.arange(len(recent)), lengths), place] = items.rows(latest)
        return cls(rows, items.rows(item))

    def take(self, places: NDArray[Any]) -> "Questions":
        """Some of them."""
        return Questions(self.recent[places], self.item[places])


@dataclass(frozen=True)
class Sessions:
    """Clicks, session by session, each in the order of time; session s holds the clicks start[s] … start[s + 1] − 1."""

    items: IdMap
    item: Rows
    """The item of each click."""
    at: Micros
    """When each click was."""
    start: Offsets
    """Sessions + 1 offsets, from 0 to the number of clicks; no session is empty."""
    person: Rows | None = None
    """Whose each session is, where that is known."""

    def __post_init__(self) -> None:
        if len(self.item) and (self.item.min() < 0 or self.item.max() >= len(self.items)):
            raise ModelError(f"sessions.item: row {self.item.max()} is outside the id map of {len(self.items)}.")
        if not len(self.start) or self.start[0] != 0 or self.start[-1] != len(self.item):
            raise ModelError(f"sessions.start must go from 0 to {len(self.item)}, the number of clicks.")
        if (np.diff(self.start) < 1).any():
            raise ModelError("sessions.start must rise: a session holds at least one click.")
        if len(self.at) != len(self.item) or (self.person is not None and len(self.person) != len(self)):
            raise ModelError("sessions: at needs one entry a click, person one a session.")
        if (np.diff(self.at)[~self.opens[1:]] < 0).any():
            raise ModelError("sessions.at must not fall within a session.")

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self.start) - 1

    @property
    def lengths(self) -> Offsets:
        """Clicks of each session."""
        return np.diff(self.start)

    @cached_property
    def number(self) -> Rows:
        """The session of each click."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths)

    @property
    def whose(self) -> Rows:
        """The person of each click."""
        if self.person is None:
            raise ModelError("sessions.person is missing: whose these clicks are is not known.")
        return np.repeat(self.person, self.lengths)

    @cached_property
    def opens(self) -> NDArray[np.bool_]:
        """Which clicks are the first of their session."""
        first = np.zeros(len(self.item), np.bool_)
        first[self.start[:-1]] = True
        return first

    @property
    def ended_at(self) -> Micros:
        """The last click of each session."""
        return self.at[self.start[1:] - 1]

    @cached_property
    def used(self) -> csr_matrix:
        """Sessions × items: 1 where the session holds the item."""
        values, shape = np.ones(len(self.item), np.float32), (len(self), len(self.items))
        used = csr_matrix((values, self.item, self.start), shape, copy=True)
        used.sum_duplicates()
        used.data[:] = 1
        return used

    @cached_property
    def last_places(self) -> csr_matrix:
        """Sessions × items: the latest place of the item in the session, from 1 on."""
        latest, order = np.unique((self.number.astype(np.int64) * len(self.items) + self.item)[::-1], return_index=True)
        click = len(self.item) - 1 - order
        place = (click - self.start[self.number[click]] + 1).astype(np.float32)
        number, item = np.divmod(latest, max(len(self.items), 1))
        return csr_matrix((place, (number, item)), (len(self), len(self.items)))

    @property
    def as_of(self) -> int:
        """The newest click, in microseconds; 0 without any."""
        return int(self.at.max(initial=0))

    def where(self, keep: NDArray[np.bool_]) -> "Sessions":
        """The clicks that `keep` marks; sessions that lose all of theirs are gone."""
        lengths = np.add.reduceat(keep, self.start[:-1], dtype=np.int64) if len(self) else self.lengths
        left = lengths > 0
        start = np.concatenate([[0], np.cumsum(lengths[left])])
        person = None if self.person is None else self.person[left]
        return replace(self, item=self.item[keep], at=self.at[keep], start=start, person=person)

    def between(self, begin: int, end: int) -> "Sessions":
        """The clicks at `begin` or later and before `end`, in microseconds: what was known at `end` of that time."""
        return self.where((self.at >= begin) & (self.at < end))

    def questions(self, clicks: Offsets) -> Questions:
        """Each of `clicks`, by what came before it in its session."""
        return Questions(self.before(clicks, LONGEST), self.item[clicks])

    def before(self, clicks: Offsets, length: int) -> Rows:
        """[clicks × length]: the items of the same session before each of `clicks`, oldest first, padded left with −1."""
        back = clicks[:, None] - np.arange(length, 0, -1)
        inside = back >= self.start[self.number[clicks]][:, None]
        return np.where(inside, self.item[np.where(inside, back, 0)], -1).astype(np.int32)

    def clicks_that_follow(self, begin: int, end: int, seed: int) -> Offsets:
        """Clicks from `begin` until `end` (µs) that follow another of their session; of many a sample, drawn by the seed."""
        clicks = np.flatnonzero((self.at >= begin) & (self.at < end) & ~self.opens)
        if len(clicks) > _CLICKS:
            clicks = np.sort(np.random.default_rng(seed).choice(clicks, _CLICKS, replace=False))
        return clicks


def from_clicks(items: IdMap, person: Rows, item: Rows, at: Micros, gap: timedelta) -> Sessions:
    """Sessions of clicks in any order: a person's gap of more than `gap` opens a new one; ties keep their order."""
    order = np.lexsort((at, person))
    person, item, at = person[order], item[order], at[order]
    pause = np.diff(at) > gap // timedelta(microseconds=1)
    start = np.flatnonzero(np.concatenate([[True], pause | (np.diff(person) != 0)])) if len(at) else np.zeros(0, int)
    return Sessions(items, item, at, np.append(start, len(at)).astype(np.int64), person[start])

"""Who comes to the demo's shop, when, and what each visit looks at: arrays, one entry a device, session or view."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from demo.traffic.catalogue import ShopItems

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]

START_MS: Final = 1_780_272_000_000
"""Monday 2026-06-01 00:00 UTC: fixed, so that the same seed gives the same bytes on any day."""
DAY_MS: Final = 86_400_000
NEVER: Final = np.iinfo(np.int64).max
_COUNTRIES: Final = np.array(["DE", "FR", "ES", "NL", "GB"])
_DEVICES: Final = np.array(["mobile", "desktop", "tablet"])
_BUSY_HOURS: Final = np.array([2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 10, 11, 13, 15, 18, 19, 16, 10, 5])
_BUSY_WEEKDAYS: Final = np.array([1.0, 0.95, 0.95, 1.0, 1.1, 1.3, 1.35])
FEATURED: Final = 8
"""Items on the front page, another choice every day: why yesterday's popularity beats that of all time."""


@dataclass(frozen=True)
class Devices:
    """Devices; a person has one or two."""

    ids: Texts
    person: Ints
    country: Texts
    currency: Texts
    device: Texts
    sessions: Ints
    """Visits within the days."""
    rate: npt.NDArray[np.float64]
    """By person: visits of one device within the days, beside the first, on average."""
    login: Ints
    """Number of the visit in which the device logs in; NEVER for most."""
    merge: Ints
    """Number of the visit in which a guest account is merged into the person's own; NEVER for almost all."""

    @property
    def people(self) -> int:
        return int(self.person.max()) + 1

    def visits_a_day(self, days: int) -> npt.NDArray[np.float64]:
        """Of each person with all devices, on average: what somebody does in the days is drawn by it, and would be after them."""
        return np.bincount(self.person) * (1 + self.rate) / days


@dataclass(frozen=True)
class Visits:
    """Visits, sorted by visitor and start."""

    visitor: Ints
    number: Ints
    """From 0, within the visitor."""
    start: Ints
    """Epoch ms."""


@dataclass(frozen=True)
class Views:
    """Items that were looked at, in order within their session; times in epoch ms, durations in ms."""

    session: Ints
    opened: Ints
    """When the visitor turned to the next item."""
    at: Ints
    """When the item's page opened."""
    dwell: Ints
    item: Ints
    like: Floats
    """P(like) of the person for the item."""
    featured: Ints
    """Place on the front page that was clicked, from 1; 0: found otherwise."""


def make_visitors(rng: np.random.Generator, visitors: int) -> Devices:
    """About an eighth of the people use a second device; a third has an account and logs in after a while."""
    people = max(1, round(visitors / 1.125))
    person = np.concatenate([np.arange(people), rng.permutation(people)[: visitors - people]])
    country = rng.choice(_COUNTRIES, people, p=[0.35, 0.2, 0.15, 0.1, 0.2])[person]
    has_account = (rng.random(people) < 0.35)[person]
    login = np.where(has_account, rng.integers(0, 3, visitors), NEVER)
    merges = has_account & (rng.random(visitors) < 0.04)
    ids = np.array([f"v{n:05d}" for n in rng.permutation(visitors)])
    device = rng.choice(_DEVICES, visitors, p=[0.6, 0.33, 0.07])
    rate = rng.gamma(1.8, 2.4, people)
    return Devices(
        ids=ids,
        person=person,
        country=country,
        currency=np.where(country == "GB", "GBP", "EUR"),
        device=device,
        sessions=1 + rng.poisson(rate[person]),
        rate=rate,
        login=login,
        merge=np.where(merges, login + 1, NEVER),
    )


def make_sessions(rng: np.random.Generator, visitors: Devices, days: int) -> Visits:
    """Starts follow the week and the hour of the day, in UTC."""
    visitor = np.repeat(np.arange(len(visitors.ids)), visitors.sessions)
    busy = _BUSY_WEEKDAYS[np.arange(days) % 7]
    day = rng.choice(days, len(visitor), p=busy / busy.sum())
    hour = rng.choice(24, len(visitor), p=_BUSY_HOURS / _BUSY_HOURS.sum())
    start = START_MS + day * DAY_MS + hour * 3_600_000 + rng.integers(0, 3_600_000, len(visitor))
    start = start[np.lexsort((start, visitor))]
    return Visits(visitor=visitor, number=_number_within(visitor), start=start)


def make_views(
    rng: np.random.Generator, visitors: Devices, sessions: Visits, catalogue: ShopItems, likes: Floats, days: int
) -> Views:
    """A quarter of the sessions bounce; the others look at a few items, rarely with a long break between two."""
    stays = rng.random(len(sessions.start)) > 0.25
    session = np.repeat(np.arange(len(stays)), np.where(stays, rng.geometric(0.22, len(stays)), 0))
    person = visitors.person[sessions.visitor[session]]
    item, featured = _choose_items(rng, person, (sessions.start[session] - START_MS) // DAY_MS, likes, days)
    like = likes[person, item]
    dwell = (1000 * rng.lognormal(2.9, 0.8, len(session)) * (0.4 + 1.6 * like)).astype(np.int64).clip(1_000, 900_000)
    lead = rng.integers(2_000, 15_000, len(session))
    rest = rng.integers(1_000, 8_000, len(session))
    rest += np.where(rng.random(len(session)) < 0.03, rng.integers(1_200_000, 3_000_000, len(session)), 0)
    opened = sessions.start[session] + 4_000 + _elapsed_before(session, lead + dwell + rest)
    return Views(session=session, opened=opened, at=opened + lead, dwell=dwell, item=item, like=like, featured=featured)


def _choose_items(rng: np.random.Generator, person: Ints, day: Ints, likes: Floats, days: int) -> tuple[Ints, Ints]:
    """By taste and by how easily an item is found; one view in eight comes from the front page."""
    people, items = likes.shape
    easily_found = rng.permutation(1 / np.arange(4, items + 4) ** 0.4)
    chances = np.cumsum(easily_found * (0.01 + likes**2), axis=1, dtype=np.float64)
    chances /= chances[:, -1:]
    ladder = (
        chances + np.arange(people)[:, None]
    ).ravel()  # one ascending row for all people: one search for all views
    by_taste = np.searchsorted(ladder, person + rng.random(len(person)), side="right") - person * items
    place = rng.integers(0, min(FEATURED, items), len(person))
    front_pages = rng.permuted(np.tile(np.arange(items), (days, 1)), axis=1)
    from_front = rng.random(len(person)) < 0.08
    item = np.where(from_front, front_pages[day, place], by_taste.clip(0, items - 1))
    return item, np.where(from_front, place + 1, 0)


def _number_within(group: Ints) -> Ints:
    """0, 1, 2, … within each run of equal entries."""
    return np.arange(len(group)) - np.searchsorted(group, group)


def _elapsed_before(group: Ints, length: Ints) -> Ints:
    """Sum of the lengths before each entry, within each run of equal groups."""
    before = np.cumsum(length) - length
    return before - before[np.searchsorted(group, group)]

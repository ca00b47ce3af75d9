"""What is known of the visitor of a request: the live profile, their own list, and what resembles the items of their last views."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import islice
from typing import Final, NamedTuple, TypeVar

import msgspec
import numpy as np

from nextclick import kv
from nextclick.errors import NextclickError
from nextclick.identity import persons
from nextclick.kv.lists.packing import (
    FORESEEN,
    decode_history,
    history_key,
    next_key,
    person_key,
    prediction_key,
    similar_key,
)
from nextclick.kv.lists.protocol import Snapshot
from nextclick.lake import lists_manifest
from nextclick.profile import embedding, profile
from nextclick.profile.live_features import FeatureRules, Features, features, interest, open_session
from nextclick.profile.predictions import NIGHTLY
from nextclick.profile.profile import Profile
from nextclick.settings import Settings
from serving.index.index import ServingIndex
from serving.index.items import NOTHING, UNKNOWN, Numbers
from serving.index.packed_lists import model_of, unpack_items, unpack_list
from serving.index.vectors import Embedded
from serving.metrics import ServingMetrics
from serving.ranking.audiences import NOWHERE, AnswerAudiences
from serving.schema.responses import NO_SESSION, SessionAnswer

Found = TypeVar("Found")
_THREADS: Final = 8
_SITES: Final = 64


class Who(NamedTuple):
    """Who asks, on which site."""

    site: str
    visitor_id: str | None
    user_id: str | None


class Known(NamedTuple):
    """What is known; all of it empty for an unknown visitor."""

    profile: Profile
    features: Features
    personal: Numbers | None
    """The person's own list, best first."""
    similar: tuple[Numbers, ...]
    """What follows the open session as a whole; else for each of the last viewed items, the newest first, what people use next
    after it, else what resembles it."""
    embedded: Embedded | None = None
    """Where they stand among the vectors of the items."""
    bought: tuple[int, ...] = ()
    """Indices of the items that the person bought, as the export knew it, the newest first."""
    seen: tuple[int, ...] = ()
    """The same for those that they viewed."""
    session: SessionAnswer = NO_SESSION
    """What says what follows the open session."""
    degraded: bool = False
    """A store did not answer in time: the visitor is taken for an unknown visitor."""
    audiences: Mapping[str, int] = NOWHERE
    """By audience that who asks belongs to now since when (ms): the user where it is known, else the visitor."""


class VisitorLookup:
    """Looks up the visitor of a request, within serving.budget_milliseconds.

    LMDB is read where it is asked, a few microseconds; a store that machines share, by threads. After a failure none is asked
    for retry_seconds.
    """

    def __init__(self, settings: Settings, metrics: ServingMetrics | None = None) -> None:
        self._budget = settings.serving.budget_milliseconds / 1000
        self._retry = settings.serving.retry_seconds
        self._last_views = settings.ranking.last_views
        self._settings = settings
        self._rules_of = lru_cache(_SITES)(partial(FeatureRules.of, settings))
        self._rules = self._rules_of(settings.site)  # where no session is asked for: its gap is the site's
        self._half_life_ms = settings.interactions.half_life.total_seconds() * 1000
        self._metrics = metrics
        limits = msgspec.structs.replace(settings.kv, redis_timeout_seconds=self._budget)
        quick = msgspec.structs.replace(settings, kv=limits)
        self._profiles = kv.open_profiles(quick)
        self._audiences = AnswerAudiences(settings)
        self._table = kv.open_table(quick)
        self._remote = kv.shared(settings)
        self._snapshot: Snapshot | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")
        self._closed_until = 0.0

    async def known(self, index: ServingIndex, who: Who, now: int) -> Known:
        """What is known of the visitor at `now` (ms); an unknown visitor, marked degraded, where a store fails or is slow."""
        if not (who.visitor_id or who.user_id):
            return self.nobody(now)
        try:
            return await self._read(index, lambda snapshot: self._look(index, snapshot, who, now))
        except (NextclickError, TimeoutError):
            return self.nobody(now, degraded=True)

    async def similar(self, index: ServingIndex, item: str) -> tuple[Numbers | None, bool]:
        """What resembles an item, and whether the store failed; None for an item without a list."""
        try:
            return await self._read(index, lambda snapshot: self._list(index, snapshot, similar_key(item))), False
        except (NextclickError, TimeoutError):
            return None, True

    async def foreseen(self, index: ServingIndex, who: Who) -> dict[str, float]:
        """What the last night foresaw of the person; nothing where it did not, or a store fails."""
        if index.foreseeing is None:
            return {}
        as_of, keys = index.foreseeing.as_of, [*map(prediction_key, _people(who))]
        try:
            values = await self._read(index, lambda snapshot: snapshot.get_many(keys))
        except (NextclickError, TimeoutError):
            return {}
        entries = [FORESEEN.unpack(value) for value in values if value is not None and len(value) == FORESEEN.size]
        own = next((entry[1:] for entry in entries if entry[0] == as_of), ())
        return {name: value for name, value in zip(NIGHTLY, own, strict=False) if not math.isnan(value)}

    async def _read(self, index: ServingIndex, look: Callable[[Snapshot], Found]) -> Found:
        """What `look` finds in the index's version. ModelError or TimeoutError where a store fails, is slow, or was just now."""
        if time.monotonic() < self._closed_until:
            raise TimeoutError
        try:
            if not self._remote:
                return look(index.snapshot)
            looked = asyncio.get_running_loop().run_in_executor(self._threads, lambda: look(self._far(index)))
            return await asyncio.wait_for(looked, self._budget)
        except (NextclickError, TimeoutError):
            if self._metrics:
                self._metrics.store_failures.inc()
            self._closed_until = time.monotonic() + self._retry
            raise

    def attributes(self, index: ServingIndex, known: Known, now: int) -> dict[str, float]:
        """Interest by attribute of the items; for requests of a profile, since no list depends on it."""
        actions = known.profile.since(now - self._rules.keep_ms).actions
        traits = (index.catalogue.traits_of(action.item) for action in actions)
        return interest(actions, traits, now, self._rules)

    def nobody(self, now: int, degraded: bool = False) -> Known:
        """Nothing is known."""
        return Known(profile.EMPTY, features(profile.EMPTY, now, self._rules), None, (), degraded=degraded)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _far(self, index: ServingIndex) -> Snapshot:
        """The index's version through the client that waits no longer than the budget."""
        if self._snapshot is None or self._snapshot.manifest.version != index.version:
            self._snapshot = self._table.snapshot(index.version)
        return self._snapshot

    def _look(self, index: ServingIndex, snapshot: Snapshot, who: Who, now: int) -> Known:
        keys = [profile.visitor_key(who.site, who.visitor_id)] if who.visitor_id else []
        keys += [profile.person_key(who.site, who.user_id)] if who.user_id else []
        profiles = self._profiles.get_many(keys)
        whole = profile.union(*profiles)
        audiences = self._audiences.of(who.site, keys[-1], profiles[-1], self._profiles, now)
        stock = index.catalogue
        number, category = stock.number.get, stock.categories
        numbers = [number(action.item, UNKNOWN) for action in whole.actions]
        categories = [category[at] or action.category for at, action in zip(numbers, whole.actions, strict=True)]
        live = features(whole, now, self._rules_of(who.site), categories)
        follows, session = self._after(index, whole, now, who.site)
        viewed = [item for item, _ in live.last_items[: self._last_views] if item in stock.number and not len(follows)]
        people = _people(who)
        wanted = [
            *map(person_key, people),
            *map(history_key, people),
            *map(next_key, viewed),
            *map(similar_key, viewed),
        ]
        values = iter(snapshot.get_many(wanted))
        own = _own(index, _first(*islice(values, len(people))))
        histories = [decode_history(value) for value in islice(values, len(people)) if value is not None]
        after, like = list(islice(values, len(viewed))), values
        either = [one if one is not None else other for one, other in zip(after, like, strict=True)]
        lists = [value for value in either if value is not None]
        items = unpack_items(lists if own is None else [own, *lists], len(stock))
        personal, similar = (None, items) if own is None else (items[0], items[1:])
        if len(follows):
            similar = [follows]
        elif not similar:
            session = NO_SESSION
        embedded = self._embed(index, whole, numbers, now)
        return Known(
            whole,
            live,
            personal,
            tuple(similar),
            embedded,
            _numbers([each.bought for each in histories], len(stock)),
            _numbers([each.seen for each in histories], len(stock)),
            session,
            audiences=audiences,
        )

    def _after(self, index: ServingIndex, whole: Profile, now: int, site: str) -> tuple[Numbers, SessionAnswer]:
        """What follows the open session, by the session model; nothing where it says nothing, and why."""
        sessions, stock = index.sessions, index.catalogue
        if sessions.model is None:
            return NOTHING, SessionAnswer("lists", reason=sessions.reason)
        actions = whole.since(now - self._rules.keep_ms).actions
        used = open_session(actions, now, self._settings.sessions.gap_ms_for(site))
        items = [
            stock.number.get(action.item, UNKNOWN)
            for action in reversed(used)
            if self._rules.weights.get(action.kind, 0) > 0
        ]
        follows = sessions.after(items, self._settings.next_items.n)
        if not len(follows):
            why = "The session model knows no item of the open session." if used else "No session is open."
            return follows, SessionAnswer("lists", reason=why)
        return follows, SessionAnswer("live", sessions.model.card.name)

    def _embed(self, index: ServingIndex, whole: Profile, numbers: Sequence[int], now: int) -> Embedded | None:
        """`numbers`: of each action of the profile the item's index."""
        if index.vectors is None or not numbers:
            return None
        actions = whole.since(now - self._rules.keep_ms).actions
        used = embedding.strengths(numbers, actions, now, self._rules.weights, self._half_life_ms)
        return index.vectors.embed(used)

    def _list(self, index: ServingIndex, snapshot: Snapshot, key: bytes) -> Numbers | None:
        value = snapshot.get_many([key])[0]
        return None if value is None else unpack_list(value, len(index.catalogue))[1]


def _people(who: Who) -> list[str]:
    """The persons that it may be, the surest first."""
    user = [persons.of_user(who.user_id)] if who.user_id else []
    return user + ([persons.of_visitor(who.visitor_id)] if who.visitor_id else [])


def _own(index: ServingIndex, value: bytes | None) -> bytes | None:
    """A person's list as it is stored; one that the popular model made is not theirs."""
    if value is None:
        return None
    return None if model_of(value, index.snapshot.manifest.models) == lists_manifest.POPULAR else value


def _numbers(stored: Sequence[bytes], count: int) -> tuple[int, ...]:
    """Indices of items below `count`."""
    return tuple(number for raw in stored for number in np.frombuffer(raw, "<u4").tolist() if number < count)


def _first(*values: bytes | None) -> bytes | None:
    return next((value for value in values if value is not None), None)

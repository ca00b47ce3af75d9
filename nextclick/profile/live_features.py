"""What a live profile says now: each feature a pure function of the profile, the rules and now.

Counts are capped at the K actions of a profile. An action after `now` (the reader's clock is
behind the collector's) counts as just happened.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Self

import msgspec

from nextclick.profile.profile import KINDS_BY_CODE, Action, Profile
from nextclick.settings import Settings

MINUTE: Final = 60_000
DAY: Final = 24 * 60 * MINUTE
_VIEWS: Final = ("view_item", "page_view", "click", "play")


class FeatureRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the features depend on besides the profile; milliseconds."""

    gap_ms: int
    """A longer gap between two actions opens a session, as in silver; each site has its own."""
    half_life_ms: int
    """An action's weight in an interest halves in this time."""
    keep_ms: int
    """Older actions count for nothing: the store may have dropped them."""
    weights: Mapping[str, float]
    """Weight of an action by kind; others have none."""

    @classmethod
    def of(cls, settings: Settings, site: str) -> Self:
        return cls(
            gap_ms=settings.sessions.gap_ms_for(site),
            half_life_ms=round(settings.live.half_life_hours * 60 * MINUTE),
            keep_ms=settings.live.keep_ms,
            weights=settings.interactions.weights,
        )


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """One profile as of one moment; "" where a name is unknown, None where nothing happened."""

    last_items: tuple[tuple[str, int], ...]
    """Distinct items with the time of their last action, the newest first."""
    last_category: str
    last_at: int | None
    """Time of the newest action."""
    seconds_since_last: float | None
    interest: dict[str, float]
    """By category, the strongest first: `interest`."""
    attributes: dict[str, float]
    """Interest by attribute of the items ("brand: Acme"); empty unless the reader knows the items and fills it in."""
    last_minute: dict[str, int]
    """Actions by kind in (now − 1 min, now]; likewise the next two."""
    last_5_minutes: dict[str, int]
    last_day: dict[str, int]
    session: dict[str, int]
    """Actions by kind in the session that is open now; empty where none is."""
    session_started_at: int | None
    session_category: str
    """The category viewed most in this session; of equal ones that of the newest view."""
    session_dwell_ms: int
    searches: tuple[str, ...]
    """Distinct queries, the newest first."""

    @property
    def top_categories(self) -> Iterator[str]:
        """Categories that the profile leans to, the strongest first."""
        return (name for name, score in self.interest.items() if score > 0)


_NOTHING: Final = Features(
    last_items=(),
    last_category="",
    last_at=None,
    seconds_since_last=None,
    interest={},
    attributes={},
    last_minute={},
    last_5_minutes={},
    last_day={},
    session={},
    session_started_at=None,
    session_category="",
    session_dwell_ms=0,
    searches=(),
)


def features(profile: Profile, now: int, rules: FeatureRules, categories: Sequence[str] | None = None) -> Features:
    """All features as of `now`; `categories` of the profile's actions, "" where one has none, None: those that the events named."""
    actions = profile.since(now - rules.keep_ms).actions
    if not actions:
        return _NOTHING
    if categories is None:
        categories = [action.category for action in actions]
    categories = categories[: len(actions)]
    session = open_session(actions, now, rules.gap_ms)
    kinds = [KINDS_BY_CODE[action.code] for action in actions]
    rising = [action.at for action in reversed(actions)]
    ends = [len(rising) - bisect_right(rising, now - age) for age in (MINUTE, 5 * MINUTE, DAY)]
    last_minute, last_5_minutes, last_day, in_session = _counts(kinds, (*ends, len(session)))
    return Features(
        last_items=_last_items(actions),
        last_category=next(filter(None, categories), ""),
        last_at=actions[0].at,
        seconds_since_last=max(0, now - actions[0].at) / 1000,
        interest=_interest(categories, decayed(actions, now, rules.weights, rules.half_life_ms)),
        attributes={},
        last_minute=last_minute,
        last_5_minutes=last_5_minutes,
        last_day=last_day,
        session=in_session,
        session_started_at=session[-1].at if session else None,
        session_category=_most_viewed(kinds, categories[: len(session)]),
        session_dwell_ms=sum([action.dwell_ms for action in session]),
        searches=tuple(dict.fromkeys([action.query for action in actions if action.query])),
    )


def open_session(actions: tuple[Action, ...], now: int, gap_ms: int) -> tuple[Action, ...]:
    """Of actions, the newest first, those of the session that is open at `now`: no gap longer than `gap_ms`."""
    if not actions or max(now, actions[0].at) - actions[-1].at <= gap_ms:  # nor is then any between two of them
        return actions
    after = now
    for place, action in enumerate(actions):
        if after - action.at > gap_ms:
            return actions[:place]
        after = action.at
    return actions


def decayed(
    actions: Iterable[Action], now: int, weights: Mapping[str, float], half_life_ms: float
) -> list[float | None]:
    """What each action counts at `now`: weight(kind) · 2^(−age / half-life); None where its kind has no weight."""
    weight_of = [*map(weights.get, KINDS_BY_CODE)]
    return [
        (weight * 2.0 ** ((action.at - now) / half_life_ms) if action.at < now else weight)
        if (weight := weight_of[action.code])
        else None
        for action in actions
    ]


def interest(
    actions: Sequence[Action], words: Iterable[Iterable[str]], now: int, rules: FeatureRules
) -> dict[str, float]:
    """How much a profile leans to each word, by its actions and the words of each; in (−1, 1), the strongest first.

    score(w) = s(w) / (1 + Σ|s|), with s(w) = Σ weight(kind) · 2^(−age / half-life) over its actions:
    one fresh view gives +0.5, more of the same come near 1, a removal from the cart counts against.
    """
    counts = zip(words, decayed(actions, now, rules.weights, rules.half_life_ms), strict=True)
    pairs = [(word, count) for several, count in counts for word in several]
    return _interest([word for word, _ in pairs], [count for _, count in pairs])


def _interest(words: Iterable[str], counts: Iterable[float | None]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for word, count in zip(words, counts, strict=True):
        if word and count is not None:
            sums[word] = sums.get(word, 0.0) + count
    whole = 1.0 + sum(map(abs, sums.values()))
    return {word: sums[word] / whole for word in sorted(sorted(sums), key=sums.__getitem__, reverse=True)}


def _counts(kinds: Sequence[str], ends: Sequence[int]) -> list[dict[str, int]]:
    """By kind how often it is among the first so many, for each of `ends`."""
    counts: dict[str, int] = {}
    until: dict[int, dict[str, int]] = {}
    start = 0
    for end in sorted(ends):
        for kind in kinds[start:end]:
            counts[kind] = counts.get(kind, 0) + 1
        until[end], start = counts.copy(), end
    return [until[end] for end in ends]


def _last_items(actions: Iterable[Action]) -> tuple[tuple[str, int], ...]:
    """Of actions, the newest first, each item and when it was first named."""
    newest: dict[str, int] = {}
    for action in actions:
        if action.item:
            newest.setdefault(action.item, action.at)
    return tuple(newest.items())


def _most_viewed(kinds: Iterable[str], categories: Sequence[str]) -> str:
    pairs = zip(kinds, categories, strict=False)
    views = Counter([category for kind, category in pairs if category and kind in _VIEWS])
    return max(views, key=views.__getitem__, default="")

"""What is answered: one struct a route."""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from nextclick.profile.live_features import Features

Source = Literal["session", "personal", "popular_in_categories", "popular", "similar", "none"]
"""Where a list comes from: docs/api.md."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a list; a fact that the catalogue lacks is not there."""

    item_id: str
    score: float
    """In [0, 1] before boosts; comparable within one answer."""
    name: str | UnsetType = UNSET
    category: str | UnsetType = UNSET
    price: float | UnsetType = UNSET
    currency: str | UnsetType = UNSET
    terms: dict[str, float] | UnsetType = UNSET
    """With explain=true: each term of the score, and the boost."""


class SessionAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What says what follows the open session, and why."""

    by: Literal["live", "lists", "nothing"]
    """`live`: a model that was asked with the items of the session; `lists`: those of the last items, each by itself."""
    model: str = ""
    """The kind of the live model, or `blend`."""
    reason: str = ""
    """Why it is not a live model."""


NO_SESSION: Final = SessionAnswer("nothing", reason="No open session counts here.")


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What every list says about itself."""

    request_id: str
    """Names this answer: what a page sends along with impressions and clicks."""
    model_version: str
    """Registered version of the model that made the lists, or `popular`."""
    variant: str | None
    """Variant of the experiment that the visitor is in; null where there is none."""
    source: Source
    degraded: bool
    """A store was down or slow: popular items from memory, without what is known about the visitor."""
    session: SessionAnswer = NO_SESSION
    """What the candidates of the open session come from."""


class Items(Served, frozen=True, kw_only=True):
    """A list, best first."""

    items: list[Item]
    weights: dict[str, float] | UnsetType = UNSET
    """With explain=true: the weight of each term, as it was applied; they sum to 1."""


class Personalized(Served, frozen=True, kw_only=True):
    """Everything that a page needs at once."""

    recommendations: list[str]
    """Ids of the best items, best first."""
    personalized_banner: dict[str, str] | None
    """The banner that was chosen; null where none is set up."""
    ranked_feed: list[Item]
    """A longer list with the facts of its items, best first; it begins with the recommendations."""
    weights: dict[str, float] | UnsetType = UNSET
    """With explain=true: the weight of each term, as it was applied; they sum to 1."""


class OfferedAction(msgspec.Struct, frozen=True, kw_only=True):
    """An action that the site may take for a visitor: docs/next-best-action.md."""

    action: str
    """Its id in conf/actions.toml, or `none`."""
    kind: Literal["banner", "recommendation", "discount", "none"] | UnsetType = UNSET
    expected: float | UnsetType = UNSET
    """Money that it is expected to earn: P(outcome) · margin − cost."""
    low: float | UnsetType = UNSET
    """Where the interval of `expected` begins (actions.confidence)."""
    high: float | UnsetType = UNSET
    uplift: float | UnsetType = UNSET
    """What it is expected to earn more than none."""
    propensity: float
    """The probability with which it is taken for this person; 0: it is not allowed."""
    reason: str


class NextBestAction(msgspec.Struct, frozen=True, kw_only=True):
    """What to do for a visitor now."""

    request_id: str
    action: str
    """The one to take: an id of conf/actions.toml, or `none`."""
    kind: Literal["banner", "recommendation", "discount", "none"]
    text: str
    link: str | None
    items: list[str]
    """What to recommend, the best first, where that is the action."""
    propensity: float
    """The probability that it had; on record with the answer."""
    until: int
    """Milliseconds since 1970-01-01 UTC: so long the person keeps it."""
    actions: list[OfferedAction]
    """What is allowed, the highest expected value first; with explain=true then what is not; nothing where the answer is brief."""
    reason: str
    """Why the policy is served, or none is; "" where the answer is brief."""
    recorded: bool
    """Whether the answer is on record; without that nothing but `none` is answered."""
    variant: str | None
    """Variant of the experiment that the visitor is in; null where there is none."""
    degraded: bool
    """A store was down or slow, or there is no export yet: nothing was known about the visitor."""


class LikelyAction(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the visitor may do next."""

    action: Literal["view", "search", "add_to_cart", "buy", "leave"]
    probability: float


class NextActions(msgspec.Struct, frozen=True, kw_only=True):
    """What the visitor does next, the likeliest first; the probabilities sum to 1."""

    actions: list[LikelyAction]
    acts: list[str]
    """The acts of the open session that it follows from, the newest last: at most two; none: what happens in general."""
    degraded: bool


class Suggested(msgspec.Struct, frozen=True, kw_only=True):
    """A text that completes what was typed."""

    text: str
    item_id: str | UnsetType = UNSET
    """The item that it names; not there for a past query."""
    score: float
    terms: dict[str, float] | UnsetType = UNSET
    """With explain=true."""


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """Completions, best first."""

    suggestions: list[Suggested]
    degraded: bool


class RecentAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of a profile."""

    at: int
    """Milliseconds since 1970-01-01 UTC."""
    kind: str
    item_id: str = ""
    category: str = ""
    query: str = ""


class LiveEmbedding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a visitor stands among the vectors of the items (gold.item_vectors)."""

    method: Literal["als", "item2vec"]
    """What made the vectors of the items."""
    vector: list[float]
    """What items are compared with: folded in as the factorization does (als), else the mean."""
    mean: list[float]
    """The mean of the vectors of the items used, weighted by strength."""


class PersonPredictions(msgspec.Struct, frozen=True, kw_only=True):
    """What is foreseen of a visitor; docs/predictions.md. None where nobody foresees it."""

    conversion_session: float
    """Chance that the open session ends in a purchase."""
    conversion_7d: float | None = None
    """Chance of a purchase in the seven days after as_of."""
    churn: float | None = None
    """Chance that the person does not come back in predictions.churn_days after as_of."""
    model_version: dict[str, str]
    """By prediction the registered version of its model, or `counted`."""
    as_of: int | None = None
    """What the last two were foreseen from, in milliseconds; the first is of now."""


class Belongs(msgspec.Struct, frozen=True, kw_only=True):
    """An audience that somebody belongs to."""

    name: str
    since: int
    """Milliseconds since 1970-01-01 UTC: the moment at which it was seen, at this question where nothing else saw it before."""


class LiveProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a visitor now; docs/live-profile.md defines the features."""

    visitor_id: str
    features: Features
    actions: list[RecentAction]
    """The newest actions, the newest first."""
    embedding: LiveEmbedding | None
    """None for who used no item that has a vector."""
    next_action: dict[str, float]
    """As GET /v1/next-action."""
    conversion: float
    """Chance that the open session ends in a purchase: as in `predictions`."""
    predictions: PersonPredictions
    audiences: list[Belongs]
    """Of the user where it is known, else of the visitor; docs/audiences.md says who belongs."""
    degraded: bool


class Health(msgspec.Struct, frozen=True):
    """It runs."""

    status: Literal["ok"] = "ok"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there are lists to answer from."""

    status: Literal["ready", "no lists"]
    version: int | None
    """Version of the key-value table that is served."""
    degraded: bool


class Problem(msgspec.Struct, frozen=True):
    """Why it is refused."""

    error: str
    """A reason code."""
    message: str
    """What was wrong, where, and what to do."""

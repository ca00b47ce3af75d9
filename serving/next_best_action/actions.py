"""The actions of a site, conf/actions.toml: what an outcome after each earns, what it costs, and who may have it."""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Container, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from nextclick.conf_files import Form
from nextclick.errors import SettingsError
from nextclick.profile.predictions import Name as Prediction

NONE: Final = "none"
"""The action of doing nothing; always allowed."""
EVERYWHERE: Final = "*"
"""The place of a surface that no action names."""
_MOST_SEGMENTS: Final = 100
_MOST_MONEY: Final = 1e9
_FORM: Final = Form("", "docs/next-best-action.md", SettingsError)
Kind = Literal["banner", "recommendation", "discount"]
Word = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Probability = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[float, Meta(ge=-_MOST_MONEY, le=_MOST_MONEY)]


class SiteAction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One action of conf/actions.toml."""

    id: Word
    kind: Kind
    text: Annotated[str, Meta(max_length=1000)] = ""
    link: Annotated[str, Meta(pattern=r"^(https?://|/)", max_length=2000)] | None = None
    margin: Amount | None = None
    """What an outcome after it earns, the discount taken off; None: as without an action."""
    cost: Annotated[float, Meta(ge=0, le=_MOST_MONEY)] = 0.0
    """What it costs each time, outcome or not."""
    surfaces: tuple[Word, ...] = ()
    """Where it may be offered; none: everywhere."""
    least: dict[Prediction, Probability] = {}
    """Only to people of whom this is foreseen with at least such a probability (docs/predictions.md)."""
    most: dict[Prediction, Probability] = {}
    """… with at most such a probability."""
    audience: Annotated[str, Meta(max_length=64)] = ""
    """Only to who belongs to this audience (docs/audiences.md); "": to all."""
    users_only: bool = False
    """Only to known users: visitors can be made up."""

    def refusal(
        self, surface: str, foreseen: Mapping[str, float], audiences: Container[str] = (), user: bool = False
    ) -> str | None:
        """Why it may not be offered there, to somebody of whom this is foreseen and who belongs to these audiences; None: it may."""
        if self.users_only and not user:
            return "only to known users"
        if self.surfaces and surface not in self.surfaces:
            return f"only on {', '.join(self.surfaces)}"
        if self.audience and self.audience not in audiences:
            return f"only to the audience {self.audience}"
        for name, limit in self.least.items():
            if foreseen.get(name, -1.0) < limit:
                return f"only where {name} is at least {limit:g}"
        for name, limit in self.most.items():
            if foreseen.get(name, 2.0) > limit:
                return f"only where {name} is at most {limit:g}"
        return None


class SiteActions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """conf/actions.toml."""

    outcome: Word = "purchase"
    """The kind of event that counts."""
    margin: Annotated[float, Meta(ge=0, le=_MOST_MONEY)] = 0.0
    """What an outcome earns where nothing was offered."""
    segments: dict[Prediction, tuple[Probability, ...]] = {}
    """By prediction the probabilities that part people; those of one segment are learned about together."""
    actions: Annotated[tuple[SiteAction, ...], Meta(max_length=50)] = ()

    @property
    def asks_what_is_foreseen(self) -> bool:
        """Whether an action, or what is learned of it, depends on predictions."""
        return bool(self.segments) or any(action.least or action.most for action in self.actions)

    @property
    def digest(self) -> str:
        """Another one where anything is set otherwise."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()

    def by_id(self) -> dict[str, SiteAction]:
        return {action.id: action for action in self.actions}

    def place(self, surface: str) -> str:
        """The surface, where an action names it: of others there may be any number."""
        return surface if any(surface in action.surfaces for action in self.actions) else EVERYWHERE

    def segment(self, place: str, foreseen: Mapping[str, float]) -> str:
        """Whom somebody is learned about with, such as `cart churn=0..0.5`; `?` where it is not foreseen."""
        levels = (f"{name}={_level(cuts, foreseen.get(name))}" for name, cuts in sorted(self.segments.items()))
        return " ".join((place, *levels))

    def reward(self, action: str, outcome: bool) -> float:
        """What a trial earned; 0 for an action that is not there any more."""
        if action == NONE:
            return self.margin * outcome
        own = self.by_id().get(action)
        return self.margin_of(own) * outcome - own.cost if own else 0.0

    def margin_of(self, action: SiteAction) -> float:
        return self.margin if action.margin is None else action.margin


def load(folder: Path) -> SiteActions:
    """What conf/actions.toml says; no actions where it is not there. SettingsError says what is wrong in it."""
    return _FORM.file(folder / "actions.toml", SiteActions, _faults)


def _faults(parsed: SiteActions) -> Iterator[str]:
    ids = [action.id for action in parsed.actions]
    yield from (f"the action {one} is there twice: give each an id of its own" for one in {*ids} if ids.count(one) > 1)
    if NONE in ids:
        yield f"an action is called `{NONE}`, which is there anyway and means that nothing is done"
    for action in parsed.actions:
        if both := [name for name in action.least if action.least[name] > action.most.get(name, 1.0)]:
            yield f"{action.id} is for nobody: its `least` of {', '.join(both)} is above its `most`"
        numbers = (parsed.margin, parsed.margin_of(action), action.cost, *action.least.values(), *action.most.values())
        if not all(map(math.isfinite, numbers)):
            yield f"{action.id} holds what is not a number"
    for name, cuts in parsed.segments.items():
        if not all(one < other for one, other in pairwise((0.0, *cuts, 1.0))):
            yield f"segments.{name} is {list(cuts)}: write probabilities that rise, between 0 and 1"
    count = math.prod(len(cuts) + 2 for cuts in parsed.segments.values())
    if count > _MOST_SEGMENTS:
        yield f"segments part people into {count} groups, more than {_MOST_SEGMENTS}: too few people in each to learn from"


def _level(cuts: tuple[float, ...], probability: float | None) -> str:
    if probability is None:
        return "?"
    edges = (0.0, *cuts, 1.0)
    number = bisect_right(cuts, probability)
    return f"{edges[number]:g}..{edges[number + 1]:g}"

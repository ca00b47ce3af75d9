"""Which parts a session blend is made of, what says most first, and which variants of each are tried, the usual one first."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from ml.data.sessions import LONGEST, Sessions
from ml.models.session.blend import Part
from ml.models.session.factors import SessionFactors
from ml.models.session.linear import SessionLinear
from ml.models.session.log_bilinear import LogBilinear
from ml.models.session.markov import MarkovTransitions
from ml.models.session.popular import SessionPopular
from ml.models.session.returns import SessionReturns
from ml.models.session.stan import Stan
from ml.models.session.walk import SessionWalk

WALKED = 1_500_000
"""Clicks up to which two steps are walked, in some seconds."""
REGRESSED = 4_000
"""Items up to which their square is inverted, in some seconds."""
LEARNED = 300_000
"""Clicks up to which vectors are learned, in a minute."""


def variants(train: Sessions, repeats: bool, hours: float | None = None) -> Mapping[str, Sequence[Part]]:
    """By kind; `hours`: the half-life of what fades with time, None where nothing does."""
    every = LONGEST
    near = Stan(last_items=every, half_life_places=1.0, near_places=1.5, rarity=0.0, half_life_hours=hours)
    follows = MarkovTransitions(half_life_hours=hours, reach=10, last_items=every, half_life_places=1.5)
    beside = replace(follows, backward=1.0, evened=0.5)
    walk = SessionWalk(half_life_hours=hours, last_items=every)
    walks = (
        walk,
        replace(walk, reach=5, backward=0.3, used=0.15, kept=200),
        replace(walk, reach=10, half_life_places=3.0),
    )
    factors = SessionFactors(last_items=every, half_life_places=4.0)
    kinds: dict[str, Sequence[Part]] = {
        "follows": (
            follows,
            replace(follows, half_life_places=1.0, evened=0.5),
            replace(follows, half_life_places=0.7),
            replace(follows, reach=3),
        ),
        "near": (near, replace(near, half_life_places=2.0)),
        "returns": (SessionReturns(),) if repeats else (),
        "walk": walks if len(train.item) <= WALKED else (),
        "at_once": (MarkovTransitions(half_life_hours=hours, reach=1, last_items=1),),
        "wide": (replace(near, half_life_places=4.0, near_places=3.0, rarity=0.5, before=1.0),),
        "factors": (factors, replace(factors, factors=256)),
        "beside": (beside, replace(beside, half_life_places=4.0)),
        "popular": (SessionPopular(half_life_hours=hours),),
        "linear": (SessionLinear(last_items=every),) if len(train.items) <= REGRESSED else (),
        "learned": (LogBilinear(),) if len(train.item) <= LEARNED else (),
    }
    return {kind: some for kind, some in kinds.items() if some}


def foreseen(recipe: Part, train: Sessions) -> float:
    """Seconds of processor time that a fit will take; 0 of what takes few."""
    return recipe.effort(train) if isinstance(recipe, LogBilinear) else 0.0

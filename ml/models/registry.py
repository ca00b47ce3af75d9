"""The recommenders that there are, by the `model` of their recipes as JSON: what is asked of a kind is written here once.

A new one is an entry here, and besides: in `Member` (ml/models/user_item/blend.py), for JSON and the type checker; in `_MODELS` of
ml/registry/pyfunc.py, which scores alone in MLflow's folder and can import nothing of this; a recipe in RECIPES of
tests/unit/ml/test_models.py; a row in docs/models.md. tests/unit/ml/test_registry.py says which of these is forgotten.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from ml.models.pairs_shape import PairsShape
from ml.models.user_item import als_spark
from ml.models.user_item.als import Als
from ml.models.user_item.blend import Member
from ml.models.user_item.ease import Ease
from ml.models.user_item.gf_cf import GfCf
from ml.models.user_item.popular import ALL_TIME, Popular
from ml.models.user_item.sequence import OwnSequence
from ml.models.user_item.user_knn import UserKnn
from nextclick.settings import Settings


class Range(NamedTuple):
    """Where a parameter is looked for, evenly in its logarithm; a whole number where both ends are."""

    low: float
    high: float


class Space(NamedTuple):
    """Which parameters of a recipe are tried."""

    ranges: dict[str, Range]
    enough: int
    """Trials after which more find little."""


def _alone(name: str, recipe: Member, recent_hours: float | None) -> dict[str, Member]:
    return {name: recipe}


@dataclass(frozen=True, kw_only=True)
class RecommenderKind:
    """A kind of recommender."""

    recipe: type[Member]
    personal: bool
    """It knows people apart: each has a list of their own."""
    defaults: Callable[[Settings], Mapping[str, Member]]
    """As the settings have it, by the name under which `nextclick tune` tries it; empty: it is no candidate by itself."""
    candidates: Callable[[str, Any, float | None], Mapping[str, Member]] = _alone
    """(name, recipe as it was tuned, what is recent for trends in hours) → what is compared, by name; what adopts another's
    factors stands after it."""
    space: Callable[[Any], Space]
    """What `nextclick tune` tries of a recipe."""
    scores_everything: bool
    """It scores every item for everybody, so evaluation.max_scores bounds people × items."""
    wants_times: Callable[[Any], bool] = lambda recipe: False
    """It is nothing where all is of one moment."""
    steps: tuple[Callable[[Any], Mapping[str, Any]], ...] = ()
    """(recipe) → what is changed of it: what a training tries one after the other, each from the best so far."""
    starts: Callable[[Any, PairsShape], Sequence[Mapping[str, Any]]] = lambda recipe, shape: ()
    """(recipe, what the data are like) → what is changed of it for such data: what a training tries before the steps."""
    effort: Callable[[Any, PairsShape], float] = lambda recipe, shape: 1.0
    """(recipe, what the data are like) → how long a fit takes, beside others of the kind."""
    most_items: Callable[[Settings], float] = lambda settings: float("inf")
    """Items up to which its fit ends in time."""


def plain_als(settings: Settings) -> Als:
    """The factorization as the settings have it."""
    als = settings.als
    return Als(
        factors=als.factors,
        iterations=als.iterations,
        regularization=als.regularization,
        alpha=als.alpha,
        seed=als.seed,
        half_life_days=settings.interactions.half_life_days,
        recent_hours=settings.evaluation.recent_hours,
    )


def _default_als(settings: Settings) -> dict[str, Member]:
    """Where Spark may fit it, too, that as well: model_candidates.too_large says which of them a training takes."""
    plain = plain_als(settings)
    by_spark = msgspec.structs.replace(plain, engine="spark", regularization=als_spark.REGULARIZATION)
    return {"als": plain, "als_spark": by_spark} if settings.spark.fit_from else {"als": plain}


def _with_trending(name: str, als: Als, recent_hours: float | None) -> dict[str, Member]:
    als = msgspec.structs.replace(als, recent_hours=recent_hours) if recent_hours else als
    return {name: als, f"{name}_trending": msgspec.structs.replace(als, trending=True)}


def _als_space(recipe: Als) -> Space:
    ranges = {
        "factors": Range(8, 128),
        "iterations": Range(4, 24),
        "regularization": Range(0.001, 1000.0),
        "alpha": Range(0.1, 100.0),
        "half_life_days": Range(1.0, 365.0),
    }
    # A trending one adopts the plain one's factors; studies open no session.
    return Space({} if recipe.trending or recipe.engine == "spark" else ranges, 200)


def _factors(shape: PairsShape, least: int) -> int:
    """Twice the root of the items, as a power of two up to 512: what a catalogue of that size has in common."""
    return int(min(max(2.0 ** round(math.log2(2 * shape.items**0.5)), least), 512))


def _als_starts(als: Als, shape: PairsShape) -> Sequence[Mapping[str, Any]]:
    """The emptier the matrix, the more a pair must say beside what is not there; the penalty keeps its share of a vector's pairs."""
    alpha = min(2 * shape.density**-0.5, 100.0)
    penalty = 0.05 * alpha * shape.usual_pairs
    wide = {"factors": _factors(shape, 16), "iterations": min(als.iterations, 10)}
    return (wide | {"alpha": _short(alpha), "regularization": _short(penalty)},)


def _short(value: float) -> float:
    return float(f"{value:.2g}")


_PAIR = 25
"""What a factor of a pair costs beside one of the Gram matrix, measured at 64 to 512 factors: short vectors far apart."""


def _als_effort(als: Als, shape: PairsShape) -> float:
    """Of each sweep: the products of each vector with the Gram matrix, and with the vectors of its pairs."""
    rows = shape.people + shape.items
    return als.iterations * als.factors * (rows * als.factors + _PAIR * shape.pairs)


def _gf_cf_starts(graph: GfCf, shape: PairsShape) -> Sequence[Mapping[str, Any]]:
    factors = _factors(shape, graph.factors)
    return ({"busy": 0.6, "popular": 0.4, "factors": factors, "neighbours": max(4 * factors, graph.neighbours)},)


def _default_gf_cf(settings: Settings) -> dict[str, Member]:
    return {"gf_cf": GfCf(half_life_days=settings.interactions.half_life_days)}


def _gf_cf_space(recipe: GfCf) -> Space:
    exponents = dict.fromkeys(("busy", "used", "popular"), Range(0.1, 1.0))
    return Space({**exponents, "smooth": Range(0.03, 1.0), "half_life_days": Range(1.0, 365.0)}, 60)


def _ease_space(recipe: Ease) -> Space:
    ranges = {"ridge": Range(1.0, 10_000.0), "dropout": Range(0.01, 0.9), "half_life_days": Range(1.0, 365.0)}
    return Space(ranges, 60)


def _user_knn_space(recipe: UserKnn) -> Space:
    exponents = dict.fromkeys(("shared", "popular"), Range(0.1, 1.0))
    return Space({**exponents, "sharpness": Range(1.0, 4.0), "half_life_days": Range(1.0, 365.0)}, 60)


def _sequence_space(recipe: OwnSequence) -> Space:
    return Space({"half_life_places": Range(0.3, 30.0), "beside": Range(0.03, 3.0), "reach": Range(1, 20)}, 60)


def default_popular(settings: Settings) -> dict[str, Popular]:
    """Those that `nextclick tune` begins with."""
    return {
        "popular_fading": Popular(half_life_days=settings.interactions.half_life_days),
        "popular_recent": Popular(window_hours=settings.evaluation.recent_hours),
        ALL_TIME: Popular(),
    }


def _popular_space(recipe: Popular) -> Space:
    ranges = {"window_hours": Range(0.5, 500.0), "half_life_days": Range(0.02, 365.0)}
    return Space({name: ranges[name] for name in ranges if getattr(recipe, name) is not None}, 20)


RECOMMENDERS: Final[Mapping[str, RecommenderKind]] = {
    "als": RecommenderKind(
        recipe=Als,
        personal=True,
        defaults=_default_als,
        candidates=_with_trending,
        wants_times=lambda als: als.trending,
        space=_als_space,
        steps=(
            lambda als: {"regularization": 2 * als.regularization},
            lambda als: {"factors": 2 * als.factors, "regularization": 2 * als.regularization},
            lambda als: {"alpha": als.alpha / 4, "regularization": als.regularization / 2},
            lambda als: {"alpha": 4 * als.alpha, "regularization": 2 * als.regularization},
        ),
        starts=_als_starts,
        effort=_als_effort,
        scores_everything=False,
    ),
    "gf_cf": RecommenderKind(
        recipe=GfCf,
        personal=True,
        defaults=_default_gf_cf,
        space=_gf_cf_space,
        steps=(
            lambda _: {"busy": 0.6, "popular": 0.4},
            lambda graph: {"factors": 2 * graph.factors, "neighbours": 2 * graph.neighbours},
            lambda _: {"busy": 1.0},
            lambda _: {"smooth": 0.0},
            lambda _: {"smooth": 0.6},
            lambda _: {"popular": 0.3},
        ),
        starts=_gf_cf_starts,
        effort=lambda graph, shape: 128 + graph.factors,
        scores_everything=True,
    ),
    "ease": RecommenderKind(
        recipe=Ease,
        personal=True,
        defaults=lambda settings: {"ease": Ease(half_life_days=settings.interactions.half_life_days)},
        space=_ease_space,
        steps=(
            lambda _: {"popular": 0.1},
            lambda ease: {"ridge": 3 * ease.ridge},
            lambda _: {"dropout": 0.6},
            lambda _: {"busy": 0.4},
            lambda _: {"popular": 0.2},
        ),
        scores_everything=True,
        most_items=lambda settings: settings.evaluation.max_regressed,
    ),
    "user_knn": RecommenderKind(
        recipe=UserKnn,
        personal=True,
        defaults=lambda settings: {"user_knn": UserKnn(half_life_days=settings.interactions.half_life_days)},
        space=_user_knn_space,
        steps=(
            lambda _: {"popular": 0.1},
            lambda _: {"sharpness": 1.25},
            lambda _: {"sharpness": 2.0},
            lambda _: {"popular": 0.3},
        ),
        scores_everything=True,
    ),
    "sequence": RecommenderKind(
        recipe=OwnSequence,
        personal=True,
        defaults=lambda settings: {"sequence": OwnSequence()},
        space=_sequence_space,
        wants_times=lambda _: True,
        steps=(
            lambda own: {"half_life_places": 3 * own.half_life_places},
            lambda _: {"walk": 0.7},
            lambda own: {"beside": 3 * own.beside},
            lambda own: {"half_life_places": own.half_life_places / 2},
            lambda own: {"reach": 2 * own.reach},
        ),
        scores_everything=True,  # where many items lead to many
    ),
    "popular": RecommenderKind(
        recipe=Popular,
        personal=False,
        defaults=default_popular,
        space=_popular_space,
        scores_everything=False,
    ),
}
"""The first is fitted where everything else is too large."""
_BY_CLASS: Final = {kind.recipe: kind for kind in RECOMMENDERS.values()}


def of(recipe: Member) -> RecommenderKind:
    """The kind of a recipe."""
    return _BY_CLASS[type(recipe)]


def personal() -> list[RecommenderKind]:
    """Those that know people apart."""
    return [kind for kind in RECOMMENDERS.values() if kind.personal]

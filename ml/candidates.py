"""What may be served: the recipes that the settings ask for, with the parameters that `nextclick tune` found."""

import os
from pathlib import Path

import msgspec

from ml import gate
from ml.artifact import AnyRecipe
from ml.models.als import Als
from ml.models.popular import Popular
from nextclick.errors import ModelError
from nextclick.lake import Lake
from nextclick.settings import Settings


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a study found for one recipe, and where."""

    recipe: AnyRecipe
    value: float
    """recall@k on the validation part."""
    before: float | None
    """The same of the recipe as the settings have it, where that was tried."""
    trials: int
    interactions_version: int


def personal_recipes(settings: Settings) -> dict[str, AnyRecipe]:
    """The personal models by name; the best of them on the validation part is the challenger.

    What adopts another's factors stands after it. What is recent for popularity is so for trends.
    """
    found = tuned(settings.lake)
    recent = popular_recipes(settings)["popular_recent"].window_hours
    recipes = {name: found[name].recipe if name in found else one for name, one in default_personal(settings).items()}
    als = msgspec.structs.replace(recipes["als"], recent_hours=recent)
    return recipes | {"als": als, "als_trending": msgspec.structs.replace(als, trending=True)}


def popular_recipes(settings: Settings) -> dict[str, Popular]:
    """The popularities by name; the best of them on the validation part is the popular list."""
    found = {name: one.recipe for name, one in tuned(settings.lake).items() if isinstance(one.recipe, Popular)}
    return default_popular(settings) | found


def default_personal(settings: Settings) -> dict[str, AnyRecipe]:
    """The same as the settings have them."""
    als = plain_als(settings)
    return {"als": als, "als_trending": msgspec.structs.replace(als, trending=True)}


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


def default_popular(settings: Settings) -> dict[str, Popular]:
    """The same as the settings have them."""
    return {
        "popular_fading": Popular(half_life_days=settings.interactions.half_life_days),
        "popular_recent": Popular(window_hours=settings.evaluation.recent_hours),
        gate.FLOOR: Popular(),
    }


def tuned(lake: Lake) -> dict[str, Found]:
    """What `nextclick tune` found, by the recipe's name; empty without it."""
    try:
        return msgspec.json.decode(_path(lake).read_bytes(), type=dict[str, Found])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelError(f"{_path(lake)} cannot be read: {error}. Call `nextclick tune --forget`.") from error


def keep(lake: Lake, found: dict[str, Found]) -> None:
    """Use these from the next training on."""
    path = _path(lake)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    os.replace(part, path)


def forget(lake: Lake) -> bool:
    """Back to the settings' parameters; whether there were others."""
    known = _path(lake).exists()
    _path(lake).unlink(missing_ok=True)
    return known


def _path(lake: Lake) -> Path:
    return lake.state / "model" / "tuned.json"

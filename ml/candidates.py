"""What may be served: the recipes that the settings ask for, with the parameters that `nextclick tune` found."""

import os
from pathlib import Path

import msgspec

from ml import gate
from ml.artifact import AnyRecipe
from ml.models.als import Als
from ml.models.blend import Blend
from ml.models.item_graph import ItemGraph
from ml.models.person_neighbours import PersonNeighbours
from ml.models.popular import Popular
from nextclick.errors import ModelError, SettingsError
from nextclick.lake import Lake
from nextclick.settings import Settings

_BLENDS = {"blend_taste": (1.0, 0.5, 0.1), "blend_even": (1.0, 0.5, 0.5), "blend_now": (0.5, 0.25, 1.0)}
"""Weights of the filter of the graph, of the factorization, and of what is popular now."""


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

    What adopts another's factors stands after it. What is recent for popularity is so for trends and blends.
    """
    recent = popular_recipes(settings)["popular_recent"]
    als, graph = (_found(settings, name, recipe) for name, recipe in default_personal(settings).items())
    if isinstance(als, Als) and recent.window_hours:
        als = msgspec.structs.replace(als, recent_hours=recent.window_hours)
    trending = {"als_trending": msgspec.structs.replace(als, trending=True)} if isinstance(als, Als) else {}
    blends = {name: Blend(members=(graph, als, recent), weights=weights) for name, weights in _BLENDS.items()}
    recipes: dict[str, AnyRecipe] = {"als": als, **trending, "item_graph": graph, **blends}
    wanted = settings.evaluation.candidates or tuple(recipes)
    if unknown := [name for name in wanted if name not in recipes]:
        raise SettingsError(
            f"evaluation.candidates names {', '.join(unknown)}, which is no recipe; there are {', '.join(recipes)}."
        )
    return {name: recipe for name, recipe in recipes.items() if name in wanted}


def members(recipe: AnyRecipe) -> tuple[AnyRecipe, ...]:
    """The recipes that a blend is made of; of any other recipe itself."""
    return recipe.members if isinstance(recipe, Blend) else (recipe,)


def too_large(settings: Settings, recipe: AnyRecipe, people: int, items: int) -> str | None:
    """Why a recipe is no candidate for so many people and items; None where it is one."""
    most = settings.evaluation.max_scores
    if people * items <= most or not any(isinstance(one, ItemGraph | PersonNeighbours) for one in members(recipe)):
        return None
    return (
        f"it scores every item for everybody, {people * items:.2g} scores, more than evaluation.max_scores {most:.2g}"
    )


def popular_recipes(settings: Settings) -> dict[str, Popular]:
    """The popularities by name; the best of them on the validation part is the popular list."""
    found = {name: one.recipe for name, one in tuned(settings.lake).items() if isinstance(one.recipe, Popular)}
    return default_popular(settings) | found


def default_personal(settings: Settings) -> dict[str, Als | ItemGraph]:
    """Those that the others are made of, as the settings have them."""
    return {"als": plain_als(settings), "item_graph": ItemGraph(half_life_days=settings.interactions.half_life_days)}


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


def _found(settings: Settings, name: str, default: Als | ItemGraph) -> Als | ItemGraph:
    found = tuned(settings.lake).get(name)
    return found.recipe if found and isinstance(found.recipe, Als | ItemGraph) else default


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

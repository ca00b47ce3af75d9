"""What may be served: the recipes that the settings ask for, with the parameters that `nextclick tune` found."""

from collections.abc import Callable, Sequence

import msgspec

from ml.models import registry
from ml.models.user_item.als import Als
from ml.models.user_item.blend import Blend, Member
from ml.models.user_item.popular import ALL_TIME, Popular
from ml.registry.artifact import AnyRecipe
from nextclick.errors import ModelError, SettingsError
from nextclick.lake import files
from nextclick.lake.paths import Lake
from nextclick.settings import Settings

BLEND, EVERYBODY = "blend", "popular_blend"
"""Recipes whose weights are learned (ml/selection/select.py): personal ones with popularity, and popularity alone."""
_DEPTH = 100
"""Places of each member's lists that count in a blend: as many as the lists that are served have."""
_LEAST = 1e-4
"""Weight of all-time popularity where it only fills lists up."""


class TunedRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """What a study found for one recipe, and where."""

    recipe: AnyRecipe
    value: float
    """recall@k on the validation part."""
    before: float | None
    """The same of the recipe as the settings have it, where that was tried."""
    trials: int
    interactions_version: int


def personal_recipes(settings: Settings, recent_hours: float | None = None) -> dict[str, Member]:
    """What is personal and fitted by itself, by name; `recent_hours`: what is recent for trends.

    What adopts another's factors stands after it.
    """
    tuned_ones = {name: _tuned_or_default(settings, name, one) for name, one in default_personal(settings).items()}
    each = (registry.of(one).candidates(name, one, recent_hours) for name, one in tuned_ones.items())
    return {name: one for some in each for name, one in some.items()}


def wanted(settings: Settings) -> Callable[[str], bool]:
    """Which candidates evaluation.candidates names; SettingsError where it names what is none."""
    names, known = settings.evaluation.candidates, (*personal_recipes(settings), BLEND, EVERYBODY)
    if unknown := [name for name in names if name not in known]:
        raise SettingsError(
            f"evaluation.candidates names {', '.join(unknown)}, which is no recipe; there are {', '.join(known)}."
        )
    return lambda name: not names or name in names


def blended(recipes: Sequence[Member], weights: Sequence[float] = ()) -> Blend:
    """A blend of these recipes, of equal weights unless they are given; members without weight are left out."""
    kept = [(one, weight) for one, weight in zip(recipes, weights or (1.0,) * len(recipes), strict=True) if weight]
    return Blend(members=tuple(one for one, _ in kept), weights=tuple(weight for _, weight in kept), depth=_DEPTH)


def for_everybody(blend: Blend) -> Blend:
    """The blend, filled up with popularity of all time, so that a short window leaves no list short."""
    if Popular() in blend.members:
        return blend
    return msgspec.structs.replace(blend, members=(*blend.members, Popular()), weights=(*blend.weights, _LEAST))


def members(recipe: AnyRecipe) -> tuple[Member, ...]:
    """The recipes that a blend is made of; of any other recipe itself."""
    return recipe.members if isinstance(recipe, Blend) else (recipe,)


def fits_by_spark(settings: Settings, pairs: int) -> bool:
    """Whether so many pairs are factorized by Spark."""
    return 0 < settings.spark.fit_from <= pairs


def too_large(settings: Settings, recipe: AnyRecipe, people: int, items: int, pairs: int) -> str | None:
    """Why a recipe is no candidate for so many people, items and pairs; None where it is one."""
    most, by_spark = settings.evaluation.max_scores, fits_by_spark(settings, pairs)
    if any(isinstance(one, Als) and (one.engine == "spark") != by_spark for one in members(recipe)):
        than = "at least" if by_spark else "fewer than"
        return f"{pairs:,} pairs are {than} spark.fit_from {settings.spark.fit_from:,}: {'als_spark' if by_spark else 'als'} is fitted"
    if any(items > registry.of(one).most_items(settings) for one in members(recipe)):
        return f"it inverts the square of the items, {items:,}, more than evaluation.max_regressed {settings.evaluation.max_regressed:,}"
    if people * items <= most or not any(registry.of(one).scores_everything for one in members(recipe)):
        return None
    return (
        f"it scores every item for everybody, {people * items:.2g} scores, more than evaluation.max_scores {most:.2g}"
    )


def popular_recipes(settings: Settings) -> dict[str, Popular]:
    """The popularities by name: of all time, and of each window and half-life of the settings and of `nextclick tune`."""
    hours = sorted(settings.evaluation.popular_hours, reverse=True)
    windows = [Popular(window_hours=one) for one in hours]
    fading = [Popular(half_life_days=one / 24) for one in hours]
    tuned_ones = [one.recipe for one in tuned(settings.lake).values() if isinstance(one.recipe, Popular)]
    usual = registry.default_popular(settings)["popular_fading"]  # first: it is used where nothing can be judged
    every = [usual, *fading, *windows, *tuned_ones, Popular()]
    return {popular_name(one): one for one in every}


def popular_name(recipe: Popular) -> str:
    """`popular_last_6h`, `popular_fading_7d`, `popular_all_time`."""
    if recipe.window_hours is not None:
        return f"popular_last_{_span(recipe.window_hours)}"
    return f"popular_fading_{_span(24 * recipe.half_life_days)}" if recipe.half_life_days else ALL_TIME


def _span(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.3g}min"
    return f"{hours:.3g}h" if hours < 48 else f"{hours / 24:.3g}d"


def default_personal(settings: Settings) -> dict[str, Member]:
    """Those that the others are made of, as the settings have them."""
    return {name: one for kind in registry.personal() for name, one in kind.defaults(settings).items()}


def _tuned_or_default(settings: Settings, name: str, default: Member) -> Member:
    result = tuned(settings.lake).get(name)
    return result.recipe if result and isinstance(result.recipe, type(default)) else default


def tuned(lake: Lake) -> dict[str, TunedRecipe]:
    """What `nextclick tune` found, by the recipe's name; empty without it."""
    try:
        content = files.read(_address(lake))
        return msgspec.json.decode(content, type=dict[str, TunedRecipe]) if content is not None else {}
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelError(f"{_address(lake)} cannot be read: {error}. Call `nextclick tune --forget`.") from error


def keep(lake: Lake, recipes: dict[str, TunedRecipe]) -> None:
    """Use these from the next training on."""
    files.write(_address(lake), msgspec.json.format(msgspec.json.encode(recipes)))


def forget(lake: Lake) -> bool:
    """Back to the settings' parameters; whether there were others."""
    known = files.exists(_address(lake))
    files.remove(_address(lake))
    return known


def _address(lake: Lake) -> str:
    return f"{lake.shared}/model/tuned.json"

"""Bad artifacts of every kind of recipe: each of their arrays spoiled in each way, and each is refused before anybody is answered."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from ml.data.interactions import TableVersion
from ml.models.protocol import Recommender
from ml.models.user_item.popular import Popular
from ml.registry.artifact import Artifact, Card, load
from nextclick.errors import ModelError
from tests.unit.ml.test_models import every_recipe, two_tastes

PAIRS = two_tastes()
Spoil = Callable[[NDArray[Any]], NDArray[Any]]


@cache
def fitted(recipe: Any) -> Artifact:
    source = TableVersion("", 1, "table")
    card = Card(
        recipe=recipe, popular=Popular(), site="shop", source=source, as_of=PAIRS.as_of,
        people=len(PAIRS.people), items=len(PAIRS.items),
    )  # fmt: skip
    return Artifact(card, recipe.fit(PAIRS), Popular().fit(PAIRS), PAIRS.people, PAIRS.items, PAIRS.seen)


def changed(place: int, value: float) -> Spoil:
    def spoil(array: NDArray[Any]) -> NDArray[Any]:
        array = array.copy()
        array.flat[place] = value
        return array

    return spoil


NUMBERS: dict[str, Spoil] = {
    "NaN": changed(0, np.nan),
    "infinite": changed(-1, np.inf),
    "cut short": lambda array: array[:-1],
    "of another type": lambda array: array.astype(np.float64),
    "pickled": lambda array: array.astype(object),
}
PLACES: dict[str, Spoil] = {
    "outside": changed(0, 10**6),
    "negative": changed(-1, -1),
    "cut short": lambda array: array[:-1],
    "of another type": lambda array: array.astype(np.float32),
}


@every_recipe
def test_a_spoiled_array_is_refused(recipe: Any, tmp_path: Path) -> None:
    whole = fitted(recipe)
    arrays = dict(whole.model.arrays)
    accepted = []
    for name, array in arrays.items():
        if not array.size:
            continue
        for how, spoil in (NUMBERS if array.dtype.kind == "f" else PLACES).items():
            model = cast(Recommender, SimpleNamespace(arrays=arrays | {name: spoil(array)}))
            digest = replace(whole, model=model).save(f"{tmp_path}/model")
            try:
                load(f"{tmp_path}/model", digest)
                accepted.append(f"{name}: {how}")
            except ModelError:
                pass
    assert accepted == []


@every_recipe
def test_a_missing_array_one_too_many_and_those_of_another_recipe_are_refused(recipe: Any, tmp_path: Path) -> None:
    whole, other = fitted(recipe), fitted(Popular())
    name, *_ = arrays = dict(whole.model.arrays)
    for wrong in (
        {key: array for key, array in arrays.items() if key != name},
        arrays | {"more": np.zeros(1, np.float32)},
        {"nothing": np.zeros(1, np.float32)} | dict(other.model.arrays),
    ):
        model = cast(Recommender, SimpleNamespace(arrays=wrong))
        digest = replace(whole, model=model).save(f"{tmp_path}/model")
        with pytest.raises(ModelError, match="its recipe expects"):
            load(f"{tmp_path}/model", digest)


@every_recipe
def test_a_truncated_file_and_another_models_card_are_refused(recipe: Any, tmp_path: Path) -> None:
    whole = fitted(recipe)
    digest = whole.save(f"{tmp_path}/model")
    exchanged = replace(whole, card=msgspec.structs.replace(whole.card, site="another")).save(f"{tmp_path}/other")
    with pytest.raises(ModelError, match="is not the file that was registered"):
        load(f"{tmp_path}/model", exchanged)
    npz = tmp_path / "model" / "model.npz"
    npz.write_bytes(npz.read_bytes()[:-20])
    with pytest.raises(ModelError, match="is not the file that was registered"):
        load(f"{tmp_path}/model", digest)

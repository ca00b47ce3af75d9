"""A recommender is one entry of one registry; who adds one learns here which place was forgotten."""

import ast
import importlib
import typing
from pathlib import Path
from types import ModuleType, SimpleNamespace

import msgspec
import pandas as pd
import pytest

from ml.data.interactions import TableVersion
from ml.models.registry import RECOMMENDERS, RecommenderKind
from ml.models.user_item.blend import Blend, Member
from ml.models.user_item.popular import Popular
from ml.registry.artifact import AnyRecipe, Artifact, Card
from nextclick.settings import CHECKOUT, Settings, load
from tests.unit.ml.test_models import EVERYBODY, RECIPES, TWO

SETTINGS: Settings = load(profile="test", environ={})
every_kind = pytest.mark.parametrize("name", RECOMMENDERS)


@every_kind
def test_a_recommender_has_the_name_that_its_recipe_has_as_json(name: str) -> None:
    assert RECOMMENDERS[name].recipe.__struct_config__.tag == name


def test_a_blend_takes_every_recommender_of_the_registry_and_no_other() -> None:
    assert set(typing.get_args(Member)) == {kind.recipe for kind in RECOMMENDERS.values()}
    assert set(typing.get_args(AnyRecipe)) == {*typing.get_args(Member), Blend}


def of(kind: RecommenderKind) -> list[AnyRecipe]:
    return [recipe for recipe in RECIPES if isinstance(recipe, kind.recipe)]


@every_kind
def test_the_behaviour_of_every_recommender_is_tested(name: str) -> None:
    assert of(RECOMMENDERS[name]), "RECIPES of tests/unit/ml/test_models.py has none"


@every_kind
def test_every_recommender_can_be_tuned(name: str) -> None:
    kind = RECOMMENDERS[name]
    spaces = [kind.space(recipe).ranges for recipe in of(kind)]
    assert any(spaces)
    assert all(hasattr(recipe, field) for recipe, space in zip(of(kind), spaces, strict=True) for field in space)


@every_kind
def test_defaults_are_of_their_kind(name: str) -> None:
    kind = RECOMMENDERS[name]
    defaults = kind.defaults(SETTINGS)
    named = {one for key, recipe in defaults.items() for one in kind.candidates(key, recipe, None)}
    assert named >= set(defaults)
    assert all(isinstance(recipe, kind.recipe) for recipe in defaults.values())


def test_the_first_is_fitted_however_much_there_is() -> None:
    first = next(iter(RECOMMENDERS.values()))
    assert first.personal
    assert first.defaults(SETTINGS)
    assert not first.scores_everything


@pytest.mark.parametrize("name", [*RECOMMENDERS, "blend"])
def test_the_page_of_the_models_has_a_row_for_every_recommender(name: str) -> None:
    lines = (CHECKOUT / "docs" / "models.md").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith(f"| `{name}` |") for line in lines)


def test_what_mlflow_copies_imports_nothing_of_the_project() -> None:
    tree = ast.parse((CHECKOUT / "ml" / "registry" / "pyfunc.py").read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not {name.partition(".")[0] for name in names} & {"ml", "nextclick"}


def test_mlflow_can_score_every_recommender_of_the_registry(pyfunc: ModuleType) -> None:
    assert set(pyfunc._MODELS) == {*RECOMMENDERS, "blend"}


@pytest.fixture(scope="module")
def pyfunc() -> ModuleType:
    return importlib.import_module("ml.registry.pyfunc")


def saved(recipe: AnyRecipe, folder: Path) -> Artifact:
    popular, source = Popular(), TableVersion("/lake/gold/interactions", 1, "table")
    facts = {"as_of": 1, "people": len(TWO.people), "items": len(TWO.items)}
    card = msgspec.convert({"recipe": recipe, "popular": popular, "site": "shop", "source": source, **facts}, Card)
    artifact = Artifact(card, recipe.fit(TWO), popular.fit(TWO), TWO.people, TWO.items, TWO.seen)
    artifact.save(str(folder))
    return artifact


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(msgspec.to_builtins(recipe)["model"]))
def test_mlflow_scores_every_recommender_as_it_scores_itself(
    recipe: AnyRecipe, pyfunc: ModuleType, tmp_path: Path
) -> None:
    here = saved(recipe, tmp_path / "model")
    there = pyfunc.RecommendModel()
    there.load_context(SimpleNamespace(artifacts={"model": str(tmp_path / "model")}))
    people = TWO.people.ids.to_pylist()
    predicted = there.predict(SimpleNamespace(), pd.DataFrame({"person_id": people}), {"n": 4})
    lists = here.model.recommend(EVERYBODY, 4, here.seen)
    for row, (scores, items) in enumerate(zip(predicted["scores"], predicted["items"], strict=True)):
        length = int((lists.items[row] >= 0).sum())
        assert scores == pytest.approx(lists.scores[row, :length].tolist(), rel=1e-4, abs=1e-5)
        assert items[0] == TWO.items.take(lists.items[row, :1]).to_pylist()[0]
